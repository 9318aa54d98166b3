import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as zlib from 'node:zlib';
import type { FileMetaData } from 'hyparquet';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { MAX_BYTES, messageOf, readBytes, unreadable } from './bytes.js';
import { byName, classNamesOf } from './class-names.js';
import { isLabel, MAX_CLASSES } from './classes.js';
import { type Dataset, type SplitName, splitNames } from './dataset.js';
import { type DecodeOptions, decodeImages, type ImageSource } from './image-files.js';
import { splitsOf } from './image-folder.js';
import { type LabelColumnOption, labelNames, namedColumn, usualColumn } from './label-column.js';
import { checkFooter, checkPages, type Decompress } from './parquet-claims.js';
import { splitAtStart } from './split-names.js';
import { roomFor } from './unpack.js';

/** The column of labels is the one that the file says where none is named. */
export type ParquetOptions = DecodeOptions & LabelColumnOption & Omit<SplitOptions, 'classes'>;

/** Bytes that pictures may take beside what the size of the files allows. */
const SHARED = 2 ** 25;

/** Whether a folder holds Parquet files, or its `data` or folders of splits do. */
export async function isParquetFolder(folder: string): Promise<boolean> {
  return (await listShards(folder)).length > 0;
}

interface Row {
  readonly part: SplitName;
  readonly source: ImageSource;
  readonly label: string;
}

/**
 * Loads image sets as the Hugging Face hub stores them: a `.parquet` file, or a folder with `train-00000-of-00001.parquet` and the
 * like, in itself, in `data/` or in a folder for each split. One column has pictures `{bytes, path}`, one has classes; their
 * names may be in the metadata. A split without classes is left out.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA; ERR_OPTION
 */
export async function loadParquet(path: string, options: ParquetOptions = {}): Promise<Dataset> {
  const isFile = (await stat(path)).isFile();
  const shards = isFile ? [{ part: 'train' as SplitName, file: path }] : await listShards(path);
  const notes: string[] = [];
  const rows: Row[] = [];
  let features: Features | undefined;
  let names: readonly string[] | undefined;
  let size = 0;
  for (const part of splitNames) {
    const own: Row[] = [];
    for (const { file } of shards.filter((shard) => shard.part === part)) {
      const shard = await readShard(file, part, features?.label ?? options.labelColumn);
      features ??= shard.features;
      names ??= shard.features.names;
      size += shard.size;
      own.push(...renumbered(shard.rows, shard.features.names, names));
    }
    const named = own.filter(({ label }) => label !== '' && label !== '-1');
    if (named.length > 0 || part === 'train') rows.push(...own);
    else if (own.length > 0) notes.push(`${path}: the ${part} split names no classes and is left out`);
  }
  const missing = rows.find(({ label }) => label === '' || label === '-1');
  if (missing || rows.length === 0)
    throw new LimbeckError(
      'ERR_DATA',
      missing
        ? `${missing.source.what} has no class, expected one in every row; another column may have them: --label-column.`
        : `${path} has no training images, expected rows in train-*.parquet.`,
    );
  if (features!.others.length)
    notes.push(
      `the classes are those of column ${features!.label}; --label-column takes ${features!.others.join(', ')} instead`,
    );
  const decoded = await decodeImages(
    rows.map(({ source }) => source),
    options,
    // Rows may share one picture.
    roomFor(size) + SHARED,
  );
  const classes = classesOf(
    rows.map(({ label }) => label),
    names,
  );
  return assembleDataset(
    {
      name: basename(resolve(path)).replace(/\.parquet$/i, ''),
      path,
      imageShape: decoded.imageShape,
      divisor: decoded.divisor,
      background: options.background,
      classNames: classes.names,
      remedy: 'correct the labels, or add training images of every class',
      ...withTrain(
        splitsOf(
          decoded,
          decoded.kept.map((index) => ({ part: rows[index].part, label: classes.labels[index] })),
        ),
      ),
      notes: [...notes, ...classes.more, ...decoded.notes],
    },
    options,
  );
}

const withTrain = (splits: ReturnType<typeof splitsOf>) => ({ ...splits, train: splits.train! });

/** Rows whose labels are numbers in the list of names of their file, with numbers in that of the first. */
function renumbered(
  rows: readonly Row[],
  own: readonly string[] | undefined,
  names: readonly string[] | undefined,
): readonly Row[] {
  if (!own || !names || own.join('\0') === names.join('\0')) return rows;
  return rows.map((row) => {
    if (!/^\d+$/.test(row.label)) return row;
    const name = own[Number(row.label)];
    const label = names.indexOf(name);
    if (label >= 0 && label === names.lastIndexOf(name)) return { ...row, label: String(label) };
    throw new LimbeckError(
      'ERR_DATA',
      `${row.source.what} is of class ${row.label}${name === undefined ? '' : ` (${name})`} by the names in its file, expected one of those in the first file: ${names.slice(0, 10).join(', ')}; store all files with the same names.`,
    );
  });
}

/** Numbers where the labels are, with the names of the metadata; texts in the order of their names. */
function classesOf(
  labels: readonly string[],
  names: readonly string[] | undefined,
): { names?: readonly string[]; labels: readonly number[]; more: readonly string[] } {
  if (!labels.every((label) => /^\d+$/.test(label))) {
    const classes = classNamesOf(labels);
    return {
      names: classes.names,
      labels: labels.map((label) => classes.numbers.get(label)!),
      more: classes.notes,
    };
  }
  const numbers = labels.map(Number);
  const wrong = numbers.find((number) => !isLabel(number));
  if (wrong !== undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `a class is number ${wrong}, expected 0 to ${MAX_CLASSES - 1}; another column may have the classes: --label-column.`,
    );
  return { names, labels: numbers, more: [] };
}

async function listShards(folder: string): Promise<{ part: SplitName; file: string }[]> {
  const found: { part: SplitName; file: string }[] = [];
  const add = async (path: string, depth: number, within?: SplitName): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => byName(a.name, b.name))) {
      if (entry.name.startsWith('.')) continue;
      const part = splitAtStart(entry.name) ?? within;
      if (entry.isDirectory() && depth > 0 && (part || entry.name === 'data'))
        await add(join(path, entry.name), depth - 1, part);
      else if (/\.parquet$/i.test(entry.name) && part) found.push({ part, file: join(path, entry.name) });
    }
  };
  await add(folder, 2);
  return found;
}

/** What the columns are. */
interface Features {
  readonly image: string;
  readonly label: string;
  readonly names?: readonly string[];
  /** Other columns of classes. */
  readonly others: readonly string[];
}

async function readShard(
  path: string,
  part: SplitName,
  labelColumn: string | undefined,
): Promise<{ features: Features; rows: Row[]; size: number }> {
  const { parquetMetadata, parquetReadObjects, snappyUncompress } = await import('hyparquet');
  const bytes = await readBytes(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  let metadata: ReturnType<typeof parquetMetadata>;
  try {
    checkFooter(bytes);
    metadata = parquetMetadata(file);
  } catch (cause) {
    throw unreadable(path, 'Parquet file', messageOf(cause), cause);
  }
  const columns = topLevel(metadata.schema.slice(1));
  const stored = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  const features = featuresOf(path, columns, stored, labelColumn);
  checkCodecs(path, metadata, features);
  let objects: Record<string, unknown>[];
  try {
    const decompress = { SNAPPY: unsnappy(snappyUncompress), ...compressors };
    checkPages(bytes, path, metadata, [features.image, features.label], decompress);
    objects = await parquetReadObjects({
      file,
      metadata,
      columns: [features.image, features.label],
      utf8: false,
      compressors,
    });
  } catch (cause) {
    if (cause instanceof LimbeckError) throw cause;
    throw unreadable(path, 'Parquet file', messageOf(cause), cause);
  }
  const rows = objects.map((object, row): Row => {
    const what = `${path}, row ${row + 1}`;
    const picture = object[features.image] as { bytes?: unknown } | Uint8Array | null;
    const content = picture instanceof Uint8Array ? picture : picture?.bytes;
    const label = object[features.label];
    return {
      part,
      label: label === null || label === undefined ? '' : textOf(label),
      source: {
        what,
        async read() {
          if (content instanceof Uint8Array) return content;
          throw new Error('it has the path of a picture instead of the picture');
        },
      },
    };
  });
  return { features, rows, size: bytes.length };
}

const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value);

/** Names of the columns, and whether each is a picture by its form: bytes, or a group with bytes in it. */
function topLevel(
  schema: readonly { name: string; type?: string; num_children?: number; converted_type?: string }[],
): Map<string, boolean> {
  const columns = new Map<string, boolean>();
  const skip = (at: number): number => {
    let next = at + 1;
    for (let child = 0; child < (schema[at]?.num_children ?? 0) && next < schema.length; child++)
      next = skip(next);
    return next;
  };
  for (let at = 0; at < schema.length; at = skip(at)) {
    const inside = schema.slice(at + 1, skip(at));
    const own = schema[at].type === 'BYTE_ARRAY' && schema[at].converted_type !== 'UTF8';
    columns.set(schema[at].name, own || inside.some(({ name }) => name === 'bytes'));
  }
  return columns;
}

function featuresOf(
  path: string,
  columns: ReadonlyMap<string, boolean>,
  stored: string | undefined,
  wanted: string | undefined,
): Features {
  const named = describedBy(stored);
  const names = [...columns.keys()];
  const image =
    names.find((name) => named[name]?._type === 'Image') ?? names.find((name) => columns.get(name));
  if (image === undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has the columns ${names.join(', ').slice(0, 200)}, expected one of pictures ({bytes, path}); store encoded images.`,
    );
  const classes = names.filter((name) => named[name]?._type === 'ClassLabel');
  const label =
    wanted === undefined
      ? (classes[0] ?? names[usualColumn(names, labelNames) ?? -1])
      : names[namedColumn(path, { header: names, columns: names.length }, wanted, 'label')];
  if (label === undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `${path} has the columns ${names.join(', ').slice(0, 200)}, of which none is called label; name the one with the classes by --label-column.`,
    );
  const list = named[label]?.names;
  const isList = Array.isArray(list) && list.every((name) => typeof name === 'string');
  return {
    image,
    label,
    names: isList ? list : undefined,
    others: wanted === undefined ? classes.filter((name) => name !== label) : [],
  };
}

/** The hub's description of the columns; nothing in it is believed unchecked. */
function describedBy(
  stored: string | undefined,
): Record<string, { _type?: unknown; names?: unknown } | undefined> {
  try {
    const features = JSON.parse(stored ?? '{}')?.info?.features;
    return typeof features === 'object' && features !== null ? features : {};
  } catch {
    return {};
  }
}

const limited =
  (decompress: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array) =>
  (input: Uint8Array, size: number): Uint8Array =>
    decompress(input, { maxOutputLength: Math.min(Math.max(size, 1), MAX_BYTES) });

const unsnappy =
  (uncompress: (input: Uint8Array, output: Uint8Array) => void): Decompress =>
  (input, size) => {
    const output = new Uint8Array(size);
    uncompress(input, output);
    return output;
  };

/** Beside Snappy, which the reader has; Zstandard from Node 22.15 on. */
const compressors = {
  GZIP: limited(zlib.gunzipSync),
  BROTLI: limited(zlib.brotliDecompressSync),
  ...('zstdDecompressSync' in zlib && {
    ZSTD: limited(zlib.zstdDecompressSync as typeof zlib.gunzipSync),
  }),
};

const CODECS = ['UNCOMPRESSED', 'SNAPPY', ...Object.keys(compressors)];

function checkCodecs(path: string, { row_groups }: FileMetaData, { image, label }: Features): void {
  for (const { columns } of row_groups)
    for (const { meta_data: chunk } of columns)
      if (chunk && [image, label].includes(chunk.path_in_schema[0]) && !CODECS.includes(chunk.codec))
        throw new LimbeckError(
          'ERR_FILE_FORMAT',
          `${path} is compressed by ${chunk.codec}, expected ${CODECS.join(', ')}${CODECS.includes('ZSTD') ? '' : ' (with Node 22.15 or newer ZSTD, too)'}; ` +
            "write it again: pandas.read_parquet(path).to_parquet(path, compression='snappy').",
        );
}
