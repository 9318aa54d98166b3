import { basename } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { readBytes } from './bytes.js';
import { type Encoding, openTable, rowsOf } from './table-text.js';

/** How to read a table of file names and classes. */
export interface LabelTableOptions {
  /** The header's name of the column of classes, or its number from 1 on. */
  readonly labelColumn?: string;
  readonly encoding?: Encoding;
}

const LABEL_NAMES = /^(label|class|target|y|category|class_?name|label_?name)$/i;
const withoutExtension = (name: string): string => name.replace(/\.\w+$/, '');

/**
 * The classes of images that lie together, from the first of some files that is a table for them: `val_annotations.txt`, `labels.csv`,
 * `train.csv`, `trainLabels.csv` and the like.
 *
 * @param files that may be such a table
 * @param part the folder's name
 * @param images their file names
 * @throws ERR_DATA naming an image that the table lacks; ERR_OPTION where the table leaves open which column has the classes
 */
export async function findLabels(
  files: readonly string[],
  part: string,
  images: readonly string[],
  options: LabelTableOptions,
  notes: string[],
): Promise<((image: string) => string) | undefined> {
  const named = new RegExp(
    `^(${part}[_-]?)?(labels?|annotations|metadata)\\.(csv|tsv|txt)$|^${part}\\.(csv|tsv|txt)$`,
    'i',
  );
  const path = files.find((file) => named.test(basename(file)));
  return path === undefined ? undefined : readLabels(path, images, options, notes);
}

async function readLabels(
  path: string,
  images: readonly string[],
  options: LabelTableOptions,
  notes: string[],
): Promise<(image: string) => string> {
  const rows: string[][] = [];
  const text = await openTable(await readBytes(path), path, options.encoding);
  for await (const { cells } of rowsOf(text)) rows.push(cells);
  const known = new Set(images.flatMap((image) => [image, withoutExtension(image)]));
  const isImage = (cell: string | undefined) => cell !== undefined && known.has(basename(cell));
  const sample = rows.slice(0, 50);
  const hits = rows[0].map((_, i) => sample.filter((row) => isImage(row[i])).length);
  const file = hits.indexOf(Math.max(...hits));
  if (!hits[file])
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: no column names images such as ${images[0]}; expected a table of file names and classes.`,
    );
  const header = isImage(rows[0][file]) ? undefined : rows[0];
  const label = labelColumn(path, rows[0].length, header, file, options);
  if (header && rows[0].length > 2)
    notes.push(
      `${path}: the classes are those of column ${JSON.stringify(header[label])}; --label-column names another`,
    );
  const classes = new Map<string, string>();
  for (const row of header ? rows.slice(1) : rows)
    if (row[label]) classes.set(withoutExtension(basename(row[file] ?? '')), row[label]);
  return (image) => {
    const found = classes.get(withoutExtension(image));
    if (found !== undefined) return found;
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has no class for ${image}; add a row, or move the image elsewhere.`,
    );
  };
}

function labelColumn(
  path: string,
  columns: number,
  header: readonly string[] | undefined,
  file: number,
  { labelColumn: wanted }: LabelTableOptions,
): number {
  if (wanted !== undefined) {
    const at = header ? header.indexOf(wanted) : Number(wanted) - 1;
    if (at >= 0 && at < columns) return at;
    throw new LimbeckError(
      'ERR_OPTION',
      `labelColumn is ${JSON.stringify(wanted)}, but ${path} has ${header ? `the columns ${header.join(', ').slice(0, 200)}` : `${columns} columns and no header`}; name one ` +
        'of them (--label-column).',
    );
  }
  const named = header?.findIndex((name) => LABEL_NAMES.test(name)) ?? -1;
  if (named >= 0) return named;
  if (columns === 2) return 1 - file;
  // File, class, and a box: Tiny ImageNet's.
  if (!header && file + 1 < columns) return file + 1;
  throw new LimbeckError(
    'ERR_OPTION',
    `${path} does not tell which column has the classes; name one with --label-column${header ? `: ${header.join(', ').slice(0, 200)}` : ''}.`,
  );
}
