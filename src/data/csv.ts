import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { unreadable } from './bytes.js';
import { type ClassNames, classNamesOf } from './class-names.js';
import { isLabel, labelsOf, MAX_CLASSES } from './classes.js';
import type { Dataset, Split, SplitName } from './dataset.js';
import { isMissing, isNumber, missingLabel } from './label-column.js';
import { type PixelLayout, toImages } from './pixels.js';
import { filesOfSplits } from './split-names.js';
import { isByte, LabelColumn, Values } from './table-columns.js';
import { layoutOf, type TableLayout, type TableOptions } from './table-layout.js';
import { type Encoding, headOf, openTableFile, rowsOf, type TableText } from './table-text.js';

export interface CsvOptions extends SplitOptions, PixelLayout, TableOptions {
  /** Of the text; UTF-8, or what a byte order mark says, when missing. */
  readonly encoding?: Encoding;
}

interface Table {
  readonly path: string;
  readonly layout: TableLayout;
  readonly rows: number;
  /** Values of all columns but the labels' and the row numbers. */
  readonly values: Uint8Array | Float32Array;
  readonly labels: LabelColumn;
  /** The first line whose label looks as if there were none. */
  readonly unlabelled?: number;
}

/**
 * Loads a table, or a folder with `train.csv` and possibly `test.csv` and `val.csv` (`.tsv` and `.gz`, too): one image per row, its
 * class and its pixels, separated by commas, semicolons, tabs or blanks. A header is optional; USPS comes as
 * `zip.train.gz` and `zip.test.gz`; classes are numbers, or names. Pixels that are all bytes are taken as such. A table to
 * test on that has no classes is left out.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the line of a cell that is no number or a row of another length;
 * ERR_DATA; ERR_SHAPE; ERR_OPTION
 */
export async function loadCsv(path: string, options: CsvOptions = {}): Promise<Dataset> {
  const notes: string[] = [];
  const files: Files = /\.[ct]sv(\.gz)?$/i.test(path) ? { train: path } : await findFiles(path, notes);
  const train = await readTable(files.train, options);
  const others: Partial<Record<'validation' | 'test', Table>> = {};
  for (const part of ['validation', 'test'] as const) {
    const file = files[part];
    if (file === undefined) continue;
    const table = await readTable(file, options, train.layout);
    if (table.layout.label !== undefined) others[part] = table;
    else notes.push(`${file} names no classes and is left out`);
  }
  const tables = { train, ...others };
  const all = Object.values(tables);
  for (const { layout } of all) notes.push(...layout.notes);
  const classes = classesOf(all);
  const splits: Record<string, Awaited<ReturnType<typeof splitOf>>> = {};
  for (const [part, table] of Object.entries(tables)) splits[part] = await splitOf(table, classes, options);
  for (const { imageShape } of Object.values(splits))
    if (imageShape.join() !== splits.train.imageShape.join())
      throw new LimbeckError(
        'ERR_SHAPE',
        `${path}: its tables have images of ${splits.train.imageShape.join('x')} and ${imageShape.join('x')} pixels; all must come from one data set.`,
      );
  return assembleDataset(
    {
      name: basename(resolve(path)).replace(/\.[ct]sv(\.gz)?$/i, ''),
      path,
      imageShape: splits.train.imageShape,
      classNames: classes?.names,
      remedy: remedyFor(train.layout, options),
      train: splits.train.split,
      validation: splits.validation?.split,
      test: splits.test?.split,
      notes: [...notes, ...(classes?.notes ?? [])],
    },
    options,
  );
}

/** Numbers in a column that nobody called labels may be something else. */
function remedyFor({ columns, label }: TableLayout, { labelColumn }: CsvOptions): string {
  const usual = 'correct the labels, or say how many classes there are (--classes)';
  return labelColumn === undefined
    ? `column ${label! + 1} of ${columns} was taken for the labels: if another holds them, say --label-column; else ${usual}`
    : usual;
}

type Files = { readonly train: string } & Readonly<Partial<Record<SplitName, string>>>;

/** Tables, or the files of USPS, which have names of their own. */
function tablesIn(names: readonly string[], notes?: string[]): Partial<Files> {
  const tables = filesOfSplits(names, '[ct]sv', notes);
  if (tables.train !== undefined) return tables;
  const usps = (part: string) => names.find((name) => new RegExp(`^zip\\.${part}(\\.gz)?$`, 'i').test(name));
  return { train: usps('train'), test: usps('test') };
}

/** Whether a folder holds a table to train on. */
export const isCsvFolder = (names: readonly string[]): boolean => tablesIn(names).train !== undefined;

async function findFiles(folder: string, notes: string[]): Promise<Files> {
  const { train, validation, test } = tablesIn((await readdir(folder)).sort(), notes);
  const at = (name: string | undefined) => (name === undefined ? undefined : join(folder, name));
  return { train: at(train)!, validation: at(validation), test: at(test) };
}

async function readTable(path: string, options: CsvOptions, train?: TableLayout): Promise<Table> {
  const text = await openTableFile(path, options.encoding);
  const head = await headOf(text);
  const layout = layoutOf(path, head, options, train);
  if (layout.label === undefined)
    return { path, layout, rows: 0, values: new Uint8Array(0), labels: new LabelColumn(path) };
  return readRows(text, layout);
}

async function readRows(text: TableText, layout: TableLayout): Promise<Table> {
  const { path } = text;
  const { columns, header, label, pixels } = layout;
  if (pixels.length === 0)
    throw unreadable(path, 'table', `it has ${columns} columns, expected a class and pixels`);
  const labels = new LabelColumn(path);
  const values = new Values();
  let areWhole = true;
  /** The first whole number that is no byte: an error where all are whole. */
  let beyond: string | undefined;
  let unlabelled: number | undefined;
  let isHeader = header !== undefined;
  for await (const { cells, line } of rowsOf(text)) {
    if (isHeader) {
      isHeader = false;
      continue;
    }
    if (cells.length !== columns)
      throw unreadable(path, 'table', `line ${line} has ${cells.length} columns, expected ${columns}`);
    if (cells[label!] === '')
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: line ${line} has no label, expected a class in every row: fill it in or remove the row.`,
      );
    labels.add(cells[label!]);
    if (isMissing(cells[label!])) unlabelled ??= line;
    for (const column of pixels) {
      const value = Number(cells[column]);
      if (!isNumber(cells[column]) || !Number.isFinite(Math.fround(value)))
        throw noNumber(path, line, column, cells[column], header);
      areWhole &&= Number.isInteger(value);
      if (areWhole && !isByte(value)) beyond ??= `line ${line}, column ${column + 1} is ${value}`;
      values.add(value);
    }
  }
  if (labels.length === 0)
    throw unreadable(path, 'table', 'it has a header and no rows (or say --header no)');
  if (areWhole && beyond)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: ${beyond}, expected bytes from 0 to 255 where all pixels are whole numbers; correct it, or give floats.`,
    );
  return { path, layout, rows: labels.length, labels, unlabelled, values: values.all() };
}

function noNumber(
  path: string,
  line: number,
  column: number,
  cell: string,
  header: readonly string[] | undefined,
): LimbeckError {
  const name = header === undefined ? '' : ` (${header[column].slice(0, 40)})`;
  const option = header === undefined ? column + 1 : JSON.stringify(header[column].slice(0, 40));
  return new LimbeckError(
    'ERR_FILE_FORMAT',
    `${path}: line ${line}, column ${column + 1}${name} is ${JSON.stringify(cell.slice(0, 40))}, expected a number; if this column ` +
      `holds the classes, say --label-column ${option}, if line 1 is a header, --header yes.`,
  );
}

/** Undefined where the labels are class numbers. @throws ERR_DATA where one stands for none among numbers */
function classesOf(tables: readonly Table[]): ClassNames | undefined {
  const names = tables.flatMap(({ labels }) => labels.names);
  const missing = missingLabel(names);
  const table = missing === undefined ? undefined : tables.find(({ unlabelled }) => unlabelled !== undefined);
  if (table)
    throw new LimbeckError(
      'ERR_DATA',
      `${table.path}: line ${table.unlabelled} has the label ${missing}, expected a class in every row, and all others are numbers: fill it in or remove the row.`,
    );
  return names.every((name) => /^\d+(\.0*)?$/.test(name)) ? undefined : classNamesOf(namesOf(tables));
}

function* namesOf(tables: readonly Table[]): Generator<string> {
  for (const { labels } of tables) for (const row of labels.rows()) yield labels.names[row];
}

async function splitOf(
  { path, rows, values, labels }: Table,
  classes: ClassNames | undefined,
  options: CsvOptions,
): Promise<{ imageShape: [number, number, number]; split: Split }> {
  const { imageShape, images } = await toImages(
    { shape: [rows, values.length / rows], data: values },
    options,
    path,
  );
  const numbers = labels.names.map((name) => (classes ? classes.numbers.get(name)! : Number(name)));
  const wrong = labels.rows().findIndex((name) => !isLabel(numbers[name]));
  if (wrong >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: row ${wrong + 1} has class ${labels.names[labels.rows()[wrong]]}, expected at most ${MAX_CLASSES} classes, numbered from 0; if another column holds the ` +
        'classes, say --label-column.',
    );
  const ofRows = labels.rows().map((name) => numbers[name]);
  return { imageShape, split: { images, labels: labelsOf(ofRows), count: rows } };
}
