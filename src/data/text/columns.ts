import { LimbeckError } from '../../util/errors.js';
import {
  type Columns,
  columnsText,
  isNamedIn,
  isNumber,
  isRowNumber,
  type LabelColumnOption,
  namedColumn,
  usualColumn,
  labelNames as usualLabelNames,
} from '../label-column.js';

/** Which columns of a table, or properties of a line of JSON, hold texts and classes. */
export interface TextColumns extends LabelColumnOption {
  /** The column of texts, given as that of labels is. */
  readonly textColumn?: string;
}

const TEXT_NAMES =
  'text sentence review question content comment tweet message body document utterance description headline title query phrase'.split(
    ' ',
  );
const labelNames = [
  ...usualLabelNames,
  ...'sentiment rating stars polarity topic intent score coarse_label'.split(' '),
];
/** A longer cell is no name of a column. */
const LONGEST_NAME = 40;

/** Whether most cells hold several words. */
export const areTexts = (cells: readonly string[]): boolean =>
  cells.length > 0 && 2 * cells.filter((cell) => /\p{L}\s+\S*\p{L}/u.test(cell)).length >= cells.length;

/** Where texts and classes stand. */
export interface TextLayout {
  /** Names of the columns; undefined without a header. */
  readonly header?: readonly string[];
  readonly columns: number;
  readonly text: number;
  /** Undefined where a table to test on has none. */
  readonly label?: number;
  readonly notes: readonly string[];
}

/** Words of a cell from which on it can be no name of a class. */
const MANY_WORDS = 4;

/** Whether a table is one of texts: a column has the name of one, or most cells in it are longer than the names of classes. */
export function isTextHead(rows: readonly (readonly string[])[]): boolean {
  const [first, ...others] = rows;
  const below = others.length ? others : rows;
  return first.some((name, i) => {
    const cells = below.map((row) => row[i] ?? '');
    const words = cells.reduce((sum, cell) => sum + cell.trim().split(/\s+/).length, 0) / cells.length;
    const least = TEXT_NAMES.includes(name.toLowerCase()) ? 1 : MANY_WORDS;
    return areTexts(cells) && words >= least;
  });
}

/**
 * @param rows the first rows
 * @param train the layout of the table to train on, where this is another
 * @throws ERR_OPTION where a column that was named is not there, or nothing tells which column is meant
 */
export function textLayoutOf(
  path: string,
  rows: readonly (readonly string[])[],
  options: TextColumns & { readonly header?: 'yes' | 'no' },
  train?: TextLayout,
): TextLayout {
  const [first] = rows;
  const columns = first.length;
  const notes: string[] = [];
  const header = hasHeader(path, rows, options, notes) ? first : undefined;
  const found = { header, columns, notes };
  if (train) {
    const at = (place: number | undefined): number | undefined => {
      if (place === undefined) return undefined;
      if (!train.header || !header) return columns === train.columns ? place : undefined;
      return usualColumn(header, [train.header[place].trim().toLowerCase()]);
    };
    const text = at(train.text) ?? columnOf(path, found, options.textColumn, 'text', TEXT_NAMES);
    return { ...found, text, label: at(train.label) };
  }
  const body = header ? rows.slice(1) : rows;
  const texts = [...first.keys()].filter((i) => areTexts(body.map((row) => row[i] ?? '')));
  const text =
    options.textColumn === undefined && texts.length === 1
      ? texts[0]
      : columnOf(path, found, options.textColumn, 'text', TEXT_NAMES);
  const others = [...first.keys()].filter((i) => i !== text && !(header && isRowNumber(header[i])));
  const label =
    options.labelColumn === undefined && others.length === 1
      ? others[0]
      : columnOf(path, found, options.labelColumn, 'label', labelNames);
  if (options.labelColumn === undefined && others.length > 1)
    notes.push(
      `${path}: the classes were taken from its column ${header![label]}; --label-column says otherwise`,
    );
  if (label === text)
    throw new LimbeckError(
      'ERR_OPTION',
      `${path}: column ${header ? JSON.stringify(header[text]) : text + 1} cannot hold texts and classes at once; name two columns (--text-column, --label-column).`,
    );
  return { ...found, text, label };
}

function columnOf(
  path: string,
  table: Columns,
  wanted: string | undefined,
  what: 'text' | 'label',
  usual: readonly string[],
): number {
  if (wanted !== undefined) return namedColumn(path, table, wanted, what);
  const at = usualColumn(table.header, usual);
  if (at !== undefined) return at;
  throw new LimbeckError(
    'ERR_OPTION',
    `${path} does not tell which column holds the ${what === 'text' ? 'texts' : 'classes'}: it has ${columnsText(table)}; name one with --${what}-column${table.header ? '' : ', by its number from 1 on'}.`,
  );
}

/** A header has a usual name, or names that are shorter than the texts below them; the latter is said. */
function hasHeader(
  path: string,
  rows: readonly (readonly string[])[],
  { header, textColumn, labelColumn }: TextColumns & { readonly header?: 'yes' | 'no' },
  notes: string[],
): boolean {
  if (header !== undefined) return header === 'yes';
  const [first, ...others] = rows;
  if (isNamedIn(first, textColumn) || isNamedIn(first, labelColumn)) return true;
  if (
    first.some((cell) => cell.length > LONGEST_NAME || isNumber(cell)) ||
    new Set(first).size < first.length
  )
    return false;
  if ([TEXT_NAMES, labelNames].some((usual) => usualColumn(first, usual) !== undefined)) return true;
  const lengths = others.map((row) => Math.max(0, ...row.map((cell) => cell.length)));
  const usual = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, lengths.length);
  const isHeader = usual > 2 * Math.max(...first.map((cell) => cell.length));
  notes.push(
    `${path}: its first line was taken as ${isHeader ? 'a header' : 'a text'}; --header ${isHeader ? 'no' : 'yes'} says otherwise`,
  );
  return isHeader;
}

/**
 * The properties of lines of JSON that hold texts and classes, from the first of them.
 *
 * @throws ERR_OPTION as for columns
 */
export function propertiesOf(
  path: string,
  first: object,
  { textColumn, labelColumn }: TextColumns,
): { text: string; label: string | undefined } {
  const names = Object.keys(first);
  const named = (usual: readonly string[]): string | undefined => names[usualColumn(names, usual) ?? -1];
  const texts = names.filter((name) => areTexts([String((first as Record<string, unknown>)[name])]));
  const text = textColumn ?? named(TEXT_NAMES) ?? (texts.length === 1 ? texts[0] : undefined);
  if (text === undefined || (textColumn !== undefined && !names.includes(textColumn)))
    throw missing(path, names, 'text', textColumn);
  const others = names.filter((name) => name !== text && !isRowNumber(name));
  const label = labelColumn ?? named(labelNames) ?? (others.length === 1 ? others[0] : undefined);
  return { text, label: label !== undefined && names.includes(label) && label !== text ? label : undefined };
}

/** ERR_OPTION: lines of JSON have no property for texts, or for classes. */
export const missing = (
  path: string,
  names: readonly string[],
  what: 'text' | 'label',
  wanted?: string,
): LimbeckError =>
  new LimbeckError(
    'ERR_OPTION',
    `${path}: ${wanted === undefined ? `it is open which property holds the ${what === 'text' ? 'texts' : 'classes'}` : `no property is called ${JSON.stringify(wanted)}`}; ` +
      `its first line has ${names.length ? names.slice(0, 10).join(', ').slice(0, 200) : 'none'}: name one with --${what}-column.`,
  );
