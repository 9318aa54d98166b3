import { LimbeckError } from '../util/errors.js';

/** How to read a table that leaves something open. */
export interface TableOptions {
  /** The header's name of the column of labels, or its number from 1 on; 'label', 'class', 'target' or 'y', else the first, when missing. */
  readonly labelColumn?: string;
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
  /** The columns that number the rows. */
  readonly skipped: readonly number[];
  /** What was decided where the table leaves it open: for people. */
  readonly notes: readonly string[];
}

const LABEL_NAMES = ['label', 'class', 'target', 'y'];
const ROW_NUMBER = /^(unnamed: 0|index|id|image_?id)?$/i;

export const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell));

/**
 * @param rows the first rows, as many as it takes to tell a header from an image
 * @param train the layout of the table to train on, where this is one to test on
 * @throws ERR_OPTION for a column of labels that is not there
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
  const skipped =
    header?.flatMap((name, i) => (ROW_NUMBER.test(name) && name !== options.labelColumn ? [i] : [])) ?? [];
  if (skipped.length && train === undefined)
    notes.push(
      `${path}: left out as numbers of rows: ${skipped.map((i) => (header![i] === '' ? 'a column without a name' : header![i])).join(', ')}`,
    );
  const label = labelOf(path, { columns, header, skipped, notes }, options, train);
  return { columns, header, skipped, label, notes };
}

function labelOf(
  path: string,
  { columns, header, skipped, notes }: Omit<TableLayout, 'notes'> & { notes: string[] },
  { labelColumn }: TableOptions,
  train: TableLayout | undefined,
): number | undefined {
  const named = (name: string) =>
    header?.findIndex((other) => other.toLowerCase() === name.toLowerCase()) ?? -1;
  if (labelColumn !== undefined) {
    const byName = header?.indexOf(labelColumn) ?? -1;
    const at = byName >= 0 ? byName : /^\d+$/.test(labelColumn) ? Number(labelColumn) - 1 : -1;
    if (at >= 0 && at < columns && !(train?.header && byName < 0)) return at;
    if (train) return undefined;
    throw new LimbeckError(
      'ERR_OPTION',
      `labelColumn is ${JSON.stringify(labelColumn)}, but ${path} has ${header ? `the columns ${header.slice(0, 10).join(', ').slice(0, 200)}` : `${columns} columns and no header`}; ` +
        'name one of them (--label-column), by its number from 1 on where there is no header.',
    );
  }
  if (train) {
    if (train.header && header) {
      const at = named(train.header[train.label!]);
      return at < 0 ? undefined : at;
    }
    return columns === train.columns - 1 ? undefined : train.label;
  }
  if (!header) return 0;
  const at = LABEL_NAMES.map(named).find((found) => found >= 0);
  if (at !== undefined) return at;
  const usual = Math.max(
    header.findIndex((_, i) => !skipped.includes(i)),
    0,
  );
  notes.push(
    `${path}: no column is called ${LABEL_NAMES.join(', ')}, so the first, ${JSON.stringify(header[usual])}, was taken for the classes; ` +
      '--label-column names another',
  );
  return usual;
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
  if (labelColumn !== undefined && first.includes(labelColumn)) return true;
  const words = [...first.keys()].filter((i) => !isNumber(first[i]));
  const say = (what: string, otherwise: string) =>
    notes.push(`${path}: its first line was taken as ${what}; --header ${otherwise} says otherwise`);
  if (words.length > 1) return true;
  if (words.length === 0) {
    // 0, 1, 2, …: what tools write above columns that have no names.
    const counts = first.length > 4 && first.every((cell, i) => Number(cell) === i);
    if (counts) say('a header of numbers', 'no');
    return counts;
  }
  const [word] = words;
  if (LABEL_NAMES.includes(first[word].toLowerCase()) || first[word] === '') return true;
  const below = others.map((row) => row[word] ?? '');
  if (below.length === 0 || below.includes(first[word])) return false;
  const numbers = first.filter((_, i) => i !== word).map(Number);
  const isHeader = below.every(isNumber) || numbers.every((value, i) => value === numbers[0] + i);
  if (isHeader) say('a header', 'no');
  else say(`an image of class ${JSON.stringify(first[word])}`, 'yes');
  return isHeader;
}
