import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { messageOf, readBytes, unreadable } from './bytes.js';
import { piecesOf } from './unpack.js';

/** The text of a table, in UTF-8 without a byte order mark, and what stands between its cells. */
export interface TableText {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly delimiter: string | RegExp;
  /** Whether quotes in the middle of a cell are part of it, as in prose. */
  readonly prose?: boolean;
}

export type Encoding = 'utf8' | 'latin1' | 'utf16';

const NEWLINE = 10;
const QUOTE = 34;
const COMMA = 44;
/** Bytes, and rows, between which other work of this thread may run. */
const PIECE = 2 ** 18;
const ROWS = 2 ** 13;
/** Of a row: images of 512 x 512 pixels in colour, or of 256 x 256 with many digits. */
const MOST_ROW = 2 ** 22;
/** Of the first line, in which separators are counted. */
const FIRST = 2 ** 16;

/**
 * A table of any encoding and separator: the first line tells whether commas, semicolons, tabs or blanks stand between
 * cells.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT for an empty table, or naming the first line that is no text in the encoding
 */
export async function openTable(given: Uint8Array, path: string, encoding?: Encoding): Promise<TableText> {
  const bytes = await toUtf8(given, path, encoding);
  const begin = bytes.findIndex((byte) => byte > 32);
  if (begin < 0) throw unreadable(path, 'table', 'it is empty');
  const end = bytes.indexOf(NEWLINE, begin);
  const first = new TextDecoder()
    .decode(bytes.subarray(begin, end < 0 ? bytes.length : end).subarray(0, FIRST))
    .replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => first.split(delimiter).length - 1;
  const [most] = [',', ';', '\t'].sort((a, b) => count(b) - count(a));
  // Blanks alone: the form of the USPS digits.
  return { path, bytes, delimiter: count(most) > 0 ? most : /\s+/ };
}

/** The table in a file, gzipped or not. @throws as `openTable`, ERR_FILE_MISSING, and where its compression is damaged */
export async function openTableFile(path: string, encoding?: Encoding): Promise<TableText> {
  return openTable(await bytesOf(path), path, encoding);
}

/** The bytes of a file, without its gzip compression if it has one. @throws as `piecesOf`; ERR_FILE_MISSING */
export async function bytesOf(path: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(await readBytes(path), path)) pieces.push(piece);
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

/** Rows and bytes that are looked at to tell what the columns are. */
const HEAD = { rows: 20, bytes: 2 ** 22 } as const;

/** The first rows of a table, as many as it takes to tell what its columns are. */
export async function headOf(text: TableText): Promise<string[][]> {
  const head: string[][] = [];
  for await (const { cells, end } of rowsOf(text)) {
    head.push(cells);
    if (head.length === HEAD.rows || end > HEAD.bytes) break;
  }
  return head;
}

/** A row that is not blank. */
interface Row {
  readonly cells: string[];
  /** The line it ends in, from 1 on. */
  readonly line: number;
  /** Where it ends, bytes. */
  readonly end: number;
}

/**
 * The rows that are not blank, while other work of this thread may run. Where no comma stands between cells, one inside a number is a
 * decimal comma, and becomes a point.
 *
 * @throws ERR_FILE_FORMAT naming the line of a quote that does not end; ERR_DATA naming a row of more than 4 MiB
 */
export async function* rowsOf(text: TableText): AsyncGenerator<Row> {
  // Large tables of numbers have no quotes, and splitting lines is ten times as fast.
  const rows = text.bytes.includes(QUOTE) ? quotedRows(text) : plainRows(text);
  if (text.prose || text.delimiter === ',' || !text.bytes.includes(COMMA)) yield* rows;
  else for await (const row of rows) yield { ...row, cells: row.cells.map(withPoint) };
}

const withPoint = (cell: string): string =>
  /^[+-]?\d*,\d+(e[+-]?\d+)?$/i.test(cell) ? cell.replace(',', '.') : cell;

async function* plainRows({ path, bytes, delimiter }: TableText): AsyncGenerator<Row> {
  const text = new TextDecoder();
  let breath = PIECE;
  for (let begin = 0, line = 1; begin < bytes.length; line++) {
    const found = bytes.indexOf(NEWLINE, begin);
    const end = found < 0 ? bytes.length : found;
    if (end - begin > MOST_ROW) throw tooLong(path, line);
    const whole = text.decode(bytes.subarray(begin, end));
    const content = whole.trim();
    begin = end + 1;
    if (begin > breath || line % ROWS === 0) {
      await breathe();
      breath = begin + PIECE;
    }
    if (content === '') continue;
    // A tab at an end stands beside an empty cell.
    const cells = (delimiter === '\t' ? whole : content).split(delimiter);
    yield { cells: cells.map((cell) => cell.trim()), line, end };
  }
}

async function* quotedRows({ path, bytes, delimiter, prose = false }: TableText): AsyncGenerator<Row> {
  await checkLines(path, bytes);
  const parser = parse({
    // Where cells are quoted, one blank is between them.
    delimiter: typeof delimiter === 'string' ? delimiter : ' ',
    trim: delimiter === ',' || delimiter === ';',
    skip_empty_lines: true,
    relax_column_count: true,
    relax_quotes: prose,
    max_record_size: MOST_ROW,
    info: true,
  });
  try {
    for await (const { record, info } of Readable.from(pieces(bytes)).pipe(parser))
      yield { cells: record, line: info.lines, end: info.bytes };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    if (error.code === 'CSV_MAX_RECORD_SIZE') throw tooLong(path, parser.info.lines);
    throw unreadable(path, 'table', `${messageOf(error)} (${error.code})`, error);
  }
}

/** The parser looks at the length of cells alone. */
async function checkLines(path: string, bytes: Uint8Array): Promise<void> {
  let line = 1;
  let length = 0;
  for await (const piece of pieces(bytes)) {
    const first = piece.indexOf(NEWLINE);
    length += first < 0 ? piece.length : first;
    if (length > MOST_ROW) throw tooLong(path, line);
    if (first < 0) continue;
    for (let at = first; at >= 0; at = piece.indexOf(NEWLINE, at + 1)) line++;
    length = piece.length - piece.lastIndexOf(NEWLINE) - 1;
  }
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    yield bytes.subarray(at, at + PIECE);
    await breathe();
  }
}

const tooLong = (path: string, line: number): LimbeckError =>
  new LimbeckError(
    'ERR_DATA',
    `${path}: line ${line} is too large, expected rows of at most ${bytesText(MOST_ROW)}, an image or a text each; larger ones are given as files.`,
  );

/** Bytes of a text in UTF-8 without a byte order mark. @throws ERR_FILE_FORMAT naming the first line that is no text in the encoding */
export async function toUtf8(
  bytes: Uint8Array,
  path: string,
  encoding: Encoding | undefined,
): Promise<Uint8Array> {
  const [a, b, c] = bytes;
  const wide = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
  if (encoding === 'utf16' || (encoding === undefined && wide))
    return recode(bytes, wide ?? 'utf-16le', path);
  if (encoding === 'latin1') return recode(bytes, 'windows-1252', path);
  if (!isUtf8(bytes)) throw noUtf8(bytes, path);
  if (bytes.subarray(0, 1000).includes(0))
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${path}: its text has zero bytes, expected UTF-8; if it is in UTF-16, say --encoding utf16.`,
    );
  return a === 0xef && b === 0xbb && c === 0xbf ? bytes.subarray(3) : bytes;
}

/** In pieces: a string cannot hold what a file can. */
async function recode(bytes: Uint8Array, from: string, path: string): Promise<Uint8Array> {
  const decoder = new TextDecoder(from, { fatal: true });
  const recoded: Uint8Array[] = [];
  try {
    for await (const piece of pieces(bytes))
      recoded.push(Buffer.from(decoder.decode(piece, { stream: true })));
    recoded.push(Buffer.from(decoder.decode()));
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${path}: it is no text in ${from}; leave --encoding out, or name another.`,
      { cause },
    );
  }
  return Buffer.concat(recoded);
}

function noUtf8(bytes: Uint8Array, path: string): LimbeckError {
  let line = 0;
  for (let begin = 0; begin < bytes.length; ) {
    const found = bytes.indexOf(NEWLINE, begin);
    const end = found < 0 ? bytes.length : found;
    line++;
    if (!isUtf8(bytes.subarray(begin, end))) break;
    begin = end + 1;
  }
  return new LimbeckError(
    'ERR_FILE_FORMAT',
    `${path}: line ${line} holds bytes that are no UTF-8; if it is in Latin-1, as spreadsheets often write it, ` +
      'say --encoding latin1.',
  );
}
