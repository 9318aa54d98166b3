import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { decompressed, readBytes, unreadable } from './bytes.js';
import type { Dataset, Split } from './dataset.js';
import { byName } from './image-folder.js';
import { type PixelLayout, toImages } from './pixels.js';

export interface CsvOptions extends SplitOptions, PixelLayout {
  /** The header's name of the column of labels; 'label', 'class', 'target' or 'y', else the first, when missing. */
  readonly labelColumn?: string;
}

interface Table {
  readonly rows: number;
  /** Values of all columns but the labels'. */
  readonly values: Uint8Array | Float32Array;
  readonly labels: readonly string[];
}

const LABEL_NAMES = ['label', 'class', 'target', 'y'];
const NEWLINE = 10;
const COMMA = 44;

/**
 * Loads a CSV table, or a folder with `train.csv` and possibly `test.csv` (and `.gz`): one image per row, its class and
 * its pixels, separated by commas or blanks. A header is optional; USPS comes as `zip.train.gz` and `zip.test.gz`; classes are numbers, or names. Pixels that are all bytes are taken as such.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the line of a cell that is no number or a row of another length;
 * ERR_DATA; ERR_SHAPE; ERR_OPTION
 */
export async function loadCsv(path: string, options: CsvOptions = {}): Promise<Dataset> {
  const files = /\.csv(\.gz)?$/i.test(path) ? { train: path, test: undefined } : await findFiles(path);
  const train = await readTable(files.train, options.labelColumn);
  const test = files.test === undefined ? undefined : await readTable(files.test, options.labelColumn);
  const classNames = namesOf([...train.labels, ...(test?.labels ?? [])], path);
  const all = splitOf(train, classNames, options, files.train);
  const other = test && splitOf(test, classNames, options, files.test!);
  if (other && other.imageShape.join() !== all.imageShape.join())
    throw new LimbeckError(
      'ERR_SHAPE',
      `${files.test} has images of another size than ${files.train}; both must come from one data set.`,
    );
  return assembleDataset(
    {
      name: basename(resolve(path)).replace(/\.csv(\.gz)?$/i, ''),
      path,
      imageShape: all.imageShape,
      classNames,
      train: all.split,
      test: other?.split,
    },
    options,
  );
}

const isTrain = (name: string): boolean => /(^|[_-])train\.csv(\.gz)?$|^zip\.train(\.gz)?$/i.test(name);
const isTest = (name: string): boolean => /(^|[_-])test\.csv(\.gz)?$|^zip\.test(\.gz)?$/i.test(name);

/** Whether a folder holds a table to train on. */
export const isCsvFolder = (names: readonly string[]): boolean => names.some(isTrain);

async function findFiles(folder: string): Promise<{ train: string; test?: string }> {
  const names = (await readdir(folder)).sort();
  const [train, test] = [names.find(isTrain)!, names.find(isTest)];
  return { train: join(folder, train), test: test && join(folder, test) };
}

async function readTable(path: string, labelColumn: string | undefined): Promise<Table> {
  return parseCsv(await decompressed(await readBytes(path), path), path, labelColumn);
}

/** @param path for messages */
export function parseCsv(bytes: Uint8Array, path: string, labelColumn?: string): Table {
  const lines = linesOf(bytes);
  const text = new TextDecoder();
  if (lines.length === 0) throw unreadable(path, 'CSV table', 'it is empty');
  // Without commas, blanks separate: the form of the USPS digits.
  const separator = bytes.subarray(...lines[0]).includes(COMMA) ? ',' : /\s+/;
  const cells = ([begin, end]: readonly [number, number]) =>
    text.decode(bytes.subarray(begin, end)).trim().split(separator).map(unquoted);
  const first = cells(lines[0]);
  const hasHeader =
    first.slice(1).some((cell) => !isNumber(cell)) ||
    (labelColumn !== undefined && first.includes(labelColumn));
  const labelAt = labelIndex(first, hasHeader, path, labelColumn);
  const columns = first.length;
  const begin = hasHeader ? 1 : 0;
  const rows = lines.length - begin;
  if (rows < 1 || columns < 2)
    throw unreadable(
      path,
      'CSV table',
      `it has ${rows} rows of ${columns} columns, expected a label and pixels`,
    );
  // Not more than the file has characters: every line is checked to have all its columns before the next.
  if (rows * (columns - 1) > bytes.length)
    throw unreadable(path, 'CSV table', `its rows are shorter than the first, which has ${columns} columns`);

  const values = new Float32Array(rows * (columns - 1));
  const labels: string[] = [];
  let areBytes = true;
  let areWhole = true;
  /** The first whole number that is no byte: an error where all are whole. */
  let beyond: string | undefined;
  for (let row = 0; row < rows; row++) {
    const line = cells(lines[begin + row]);
    const where = () => `line ${begin + row + 1}`;
    if (line.length !== columns)
      throw unreadable(path, 'CSV table', `${where()} has ${line.length} columns, expected ${columns}`);
    labels.push(line[labelAt]);
    let at = row * (columns - 1);
    for (let column = 0; column < columns; column++) {
      if (column === labelAt) continue;
      const value = Number(line[column]);
      if (!isNumber(line[column]) || !Number.isFinite(Math.fround(value)))
        throw unreadable(
          path,
          'CSV table',
          `${where()}, column ${column + 1} is ${JSON.stringify(line[column].slice(0, 40))}, expected a number`,
        );
      areWhole &&= Number.isInteger(value);
      const isByte = Number.isInteger(value) && value >= 0 && value <= 255;
      areBytes &&= isByte;
      if (areWhole && !isByte) beyond ??= `${where()}, column ${column + 1} is ${value}`;
      values[at++] = value;
    }
  }
  if (areWhole && beyond)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: ${beyond}, expected bytes from 0 to 255 where all pixels are whole numbers; correct it, or give floats.`,
    );
  return { rows, labels, values: areBytes ? Uint8Array.from(values) : values };
}

/** Begin and end of each line that is not blank, without its line break. */
function linesOf(bytes: Uint8Array): [number, number][] {
  const lines: [number, number][] = [];
  let begin = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (begin < bytes.length) {
    const found = bytes.indexOf(NEWLINE, begin);
    const end = found < 0 ? bytes.length : found;
    const trimmed = end > begin && bytes[end - 1] === 13 ? end - 1 : end;
    if (trimmed > begin) lines.push([begin, trimmed]);
    begin = end + 1;
  }
  return lines;
}

const unquoted = (cell: string): string => cell.trim().replace(/^"(.*)"$/, '$1');
const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell));

function labelIndex(header: readonly string[], hasHeader: boolean, path: string, wanted?: string): number {
  if (wanted === undefined) {
    const at = hasHeader ? header.findIndex((name) => LABEL_NAMES.includes(name.toLowerCase())) : 0;
    return Math.max(at, 0);
  }
  const at = hasHeader ? header.indexOf(wanted) : -1;
  if (at >= 0) return at;
  throw new LimbeckError(
    'ERR_OPTION',
    `labelColumn is ${JSON.stringify(wanted)}, but ${path} ${hasHeader ? `has the columns ${header.slice(0, 10).join(', ').slice(0, 200)}` : 'has no header'}; ` +
      'name one of them, or leave it out for the first column.',
  );
}

/** In order; undefined where the labels are class numbers. */
function namesOf(labels: readonly string[], path: string): string[] | undefined {
  const names = [...new Set(labels)];
  if (names.includes(''))
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: row ${labels.indexOf('')} has no label, expected a class in every row: fill it in or remove the row.`,
    );
  if (names.every((name) => /^\d+(\.0*)?$/.test(name))) return undefined;
  return names.sort(byName);
}

function splitOf(
  { rows, values, labels }: Table,
  classNames: readonly string[] | undefined,
  options: CsvOptions,
  path: string,
): { imageShape: [number, number, number]; split: Split } {
  const { imageShape, images } = toImages(
    { shape: [rows, values.length / rows], data: values },
    options,
    path,
  );
  const numbers = classNames && new Map(classNames.map((name, number) => [name, number]));
  const bytes = Uint8Array.from(labels, (label, row) => {
    const number = numbers ? numbers.get(label)! : Number(label);
    if (number <= 255) return number;
    throw new LimbeckError('ERR_DATA', `${path}: row ${row} has class ${number}, expected 0 to 255.`);
  });
  return { imageShape, split: { images, labels: bytes, count: rows } };
}
