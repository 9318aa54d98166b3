import { LimbeckError } from '../util/errors.js';
import {
  isMissing,
  isNamedIn,
  isNumber,
  isRowNumber,
  type LabelColumnOption,
  labelNames,
  namedColumn,
  usualColumn,
} from './label-column.js';

/** How to read a table that leaves something open. */
export interface TableOptions extends LabelColumnOption {
  /** Whether the first line is a header; its cells decide when missing. */
  readonly header?: 'yes' | 'no';
}

/** What the columns of a table are. */
export interface TableLayout {
  readonly columns: number;
  /** Names of the columns; undefined without a header. */
  readonly header?: readonly string[];
  /** The column of labels; undefined where a table to test on has none. */
  readonly label?: number;
  /** The columns of pixels, in the order of those of the table to train on. */
  readonly pixels: readonly number[];
  /** What was decided where the table leaves it open: for people. */
  readonly notes: readonly string[];
}

/**
 * @param rows the first rows, as many as it takes to tell a header from an image
 * @param train the layout of the table to train on, where this is one to test on
 * @throws ERR_OPTION for a column of labels that is not there; ERR_DATA where the table to train on names other pixels
 */
export function layoutOf(
  path: string,
  rows: readonly (readonly string[])[],
  options: TableOptions,
  train?: TableLayout,
): TableLayout {
  const [first] = rows;
  const columns = first.length;
  const notes: string[] = [];
  const header = hasHeader(path, rows, options, notes) ? first : undefined;
  const label = train
    ? labelAsIn(train, { header, columns })
    : labelOf(path, { header, columns }, options, notes);
  const isSkipped = (i: number) => i !== label && header !== undefined && isRowNumber(header[i]);
  const skipped = [...first.keys()].filter(isSkipped);
  if (skipped.length && train === undefined)
    notes.push(
      `${path}: left out as numbers of rows: ${skipped.map((i) => (header![i] === '' ? 'a column without a name' : header![i])).join(', ')}`,
    );
  const own = [...first.keys()].filter((i) => i !== label && !isSkipped(i));
  const pixels = train && label !== undefined ? pixelsAsIn(path, train, header, own) : own;
  return { columns, header, label, pixels, notes };
}

/** The column of the table to train on, by its name where both have names. */
function labelAsIn(
  train: TableLayout,
  { header, columns }: Pick<TableLayout, 'header' | 'columns'>,
): number | undefined {
  if (train.header && header) return usualColumn(header, [train.header[train.label!].trim().toLowerCase()]);
  return columns === train.columns - 1 ? undefined : train.label;
}

function labelOf(
  path: string,
  table: Pick<TableLayout, 'header' | 'columns'>,
  { labelColumn }: TableOptions,
  notes: string[],
): number {
  if (labelColumn !== undefined) return namedColumn(path, table, labelColumn, 'label');
  const { header } = table;
  if (!header) return 0;
  const at = usualColumn(header, labelNames);
  if (at !== undefined) return at;
  const usual = Math.max(
    header.findIndex((name) => !isRowNumber(name)),
    0,
  );
  notes.push(
    `${path}: no column is called ${labelNames.slice(0, 5).join(', ')} or the like, so the first, ${JSON.stringify(header[usual])}, was taken for the classes; ` +
      '--label-column names another',
  );
  return usual;
}

/** The columns that have the names of those to train on, in their order; those that are there where a table has no names. */
function pixelsAsIn(
  path: string,
  train: TableLayout,
  header: readonly string[] | undefined,
  own: readonly number[],
): readonly number[] {
  // Another number of them is another shape, and refused as such.
  if (!train.header || !header || own.length !== train.pixels.length) return own;
  const nameOf = (name: string) => name.trim().toLowerCase();
  const places = new Map<string, number[]>();
  for (const i of [...own].reverse())
    places.set(nameOf(header[i]), [...(places.get(nameOf(header[i])) ?? []), i]);
  return train.pixels.map((i) => {
    const at = places.get(nameOf(train.header![i]))?.pop();
    if (at !== undefined) return at;
    throw new LimbeckError(
      'ERR_DATA',
      `${path} has no column ${JSON.stringify(train.header![i].slice(0, 40))}, expected the columns of the table to train on, in any order: ` +
        'give both the same names, or no header (--header no says that there is none).',
    );
  });
}

/** A header has names where the other rows have numbers; where names are numbers, more is looked at, and it is said. */
function hasHeader(
  path: string,
  rows: readonly (readonly string[])[],
  { header, labelColumn }: TableOptions,
  notes: string[],
): boolean {
  if (header !== undefined) return header === 'yes';
  const [first, ...others] = rows;
  if (isNamedIn(first, labelColumn)) return true;
  const words = [...first.keys()].filter((i) => !isNumber(first[i]) && !isMissing(first[i]));
  const say = (what: string, otherwise: string) =>
    notes.push(`${path}: its first line was taken as ${what}; --header ${otherwise} says otherwise`);
  if (words.length === 0) {
    // 0, 1, 2, …: what tools write above columns that have no names, some with a corner that is empty.
    const names = first[0] === '' ? first.slice(1) : first;
    const counts =
      first.length > 4 && isNumber(names[0]) && count(names) && (names !== first || Number(names[0]) === 0);
    if (counts) say('a header of numbers', 'no');
    return counts;
  }
  const isKnown = (i: number) => labelNames.includes(first[i].toLowerCase()) || isRowNumber(first[i]);
  const numbers = first.filter((_, i) => !words.includes(i));
  if (words.length > 1) {
    if (numbers.length > 0 && !count(numbers) && !words.some(isKnown)) say('a header', 'no');
    return true;
  }
  const [word] = words;
  if (labelNames.includes(first[word].toLowerCase())) return true;
  const below = others.map((row) => row[word] ?? '');
  if (below.length === 0 || below.includes(first[word])) return false;
  const isHeader = below.every(isNumber) || count(numbers);
  if (isHeader) say('a header', 'no');
  else say(`an image of class ${JSON.stringify(first[word])}`, 'yes');
  return isHeader;
}

/** Whether every cell is one more than that before it. */
const count = (cells: readonly string[]): boolean =>
  cells.every((cell, i) => isNumber(cell) && Number(cell) === Number(cells[0]) + i);
