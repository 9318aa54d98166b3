import { suggestion } from '../util/closest.js';
import { LimbeckError } from '../util/errors.js';

/** Which column of a table has the labels, and what its cells can be. */

/** What every reader of tables takes. */
export interface LabelColumnOption {
  /** The column of labels in a table: its name, or its number from 1 on; the property of lines of JSON. The usual names decide when missing. */
  readonly labelColumn?: string;
}

/** What a column of labels is called, the most usual first. */
export const labelNames: readonly string[] =
  'label labels class target y category class_name label_name classname labelname'.split(' ');

/** A column that numbers the rows. */
export const isRowNumber = (name: string): boolean => /^(unnamed: 0|index|idx|id|image_?id)?$/i.test(name);

/** Names of the columns, where a table has a header, and how many there are. */
export interface Columns {
  readonly header?: readonly string[];
  readonly columns: number;
}

/** The column that has one of some names, whatever their case; undefined where none has. */
export function usualColumn(
  names: readonly string[] | undefined,
  usual: readonly string[],
): number | undefined {
  const lower = names?.map((name) => name.trim().toLowerCase()) ?? [];
  const found = usual.find((name) => lower.includes(name));
  return found === undefined ? undefined : lower.indexOf(found);
}

/**
 * The column that somebody named, or gave the number of.
 *
 * @param what is in it
 * @throws ERR_OPTION where there is none
 */
export function namedColumn(path: string, table: Columns, wanted: string, what: 'label' | 'text'): number {
  const byName = table.header?.indexOf(wanted) ?? -1;
  const at = byName >= 0 ? byName : /^\d+$/.test(wanted) ? Number(wanted) - 1 : -1;
  if (at >= 0 && at < table.columns) return at;
  throw new LimbeckError(
    'ERR_OPTION',
    `${what}Column is ${JSON.stringify(wanted)}, but ${path} has ${columnsText(table)}; ` +
      `${suggestion(wanted, table.header ?? [], 'name one of them')} (--${what}-column), by its number from 1 on where there is no header`,
  );
}

export const columnsText = ({ header, columns }: Columns): string =>
  header
    ? `the columns ${header.slice(0, 10).join(', ').slice(0, 200)}${header.length > 10 ? `, …, ${header[header.length - 1].slice(0, 40)}` : ''}`
    : `${columns} columns and no header`;

/** Whether the first line names this column: a number may as well be a value. */
export const isNamedIn = (first: readonly string[], wanted: string | undefined): boolean =>
  wanted !== undefined && !isNumber(wanted) && first.includes(wanted);

export const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell));

/** Whether a cell is what programs write where they have no number. */
export const isMissing = (cell: string): boolean => /^(n\/?a|<na>|#n\/a|nan|null|none)?$/i.test(cell);

/** The label that stands for none among labels that are numbers; undefined where there is none. Among names it may be one. */
export function missingLabel(labels: Iterable<string>): string | undefined {
  let missing: string | undefined;
  for (const label of labels)
    if (isMissing(label)) missing ??= label;
    else if (!isNumber(label)) return undefined;
  return missing;
}
