import { isUtf8 } from 'node:buffer';
import { CsvError, parse } from 'csv-parse/sync';
import { LimbeckError } from '../util/errors.js';
import { messageOf, unreadable } from './bytes.js';

/** The text of a table, in UTF-8 without a byte order mark, and what stands between its cells. */
export interface TableText {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly delimiter: string | RegExp;
}

export type Encoding = 'utf8' | 'latin1' | 'utf16';

const NEWLINE = 10;
const QUOTE = 34;
const CHUNK = 1 << 24;

/**
 * A table of any encoding and separator: the first line tells whether commas, semicolons, tabs or blanks stand between
 * cells.
 *
 * @param path for messages
 * @throws ERR_FILE_FORMAT for an empty table, or naming the first line that is no text in the encoding
 */
export function openTable(given: Uint8Array, path: string, encoding?: Encoding): TableText {
  const bytes = toUtf8(given, path, encoding);
  const begin = bytes.findIndex((byte) => byte > 32);
  if (begin < 0) throw unreadable(path, 'table', 'it is empty');
  const end = bytes.indexOf(NEWLINE, begin);
  const first = new TextDecoder()
    .decode(bytes.subarray(begin, end < 0 ? bytes.length : end))
    .replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => first.split(delimiter).length - 1;
  const [most] = [',', ';', '\t'].sort((a, b) => count(b) - count(a));
  // Blanks alone: the form of the USPS digits.
  return { path, bytes, delimiter: count(most) > 0 ? most : /\s+/ };
}

/**
 * Calls `visit` with the cells of every row that is not blank, and the line it is in, up to `most` rows.
 *
 * @throws ERR_FILE_FORMAT naming the line of a quote that does not end
 */
export function eachRow(
  { path, bytes, delimiter }: TableText,
  visit: (cells: string[], line: number) => void,
  most = Number.POSITIVE_INFINITY,
): void {
  // Large tables of numbers have no quotes, and splitting lines is ten times as fast.
  if (typeof delimiter === 'string' && bytes.includes(QUOTE)) {
    let thrown: unknown;
    try {
      parse(bytes, {
        delimiter,
        trim: delimiter !== '\t',
        skip_empty_lines: true,
        relax_column_count: true,
        ...(Number.isFinite(most) && { to: most }),
        on_record: (cells: string[], { lines }) => {
          try {
            visit(cells, lines);
          } catch (error) {
            thrown = error;
            throw error;
          }
          return null;
        },
      });
    } catch (error) {
      if (thrown) throw thrown;
      const where = error instanceof CsvError ? ` (${error.code})` : '';
      throw unreadable(path, 'table', `${messageOf(error)}${where}`, error);
    }
    return;
  }
  const text = new TextDecoder();
  let line = 0;
  let rows = 0;
  for (let begin = 0; begin < bytes.length && rows < most; ) {
    const found = bytes.indexOf(NEWLINE, begin);
    const end = found < 0 ? bytes.length : found;
    line++;
    const content = text.decode(bytes.subarray(begin, end)).trim();
    begin = end + 1;
    if (content === '') continue;
    rows++;
    visit(
      content.split(delimiter).map((cell) => cell.trim()),
      line,
    );
  }
}

function toUtf8(bytes: Uint8Array, path: string, encoding: Encoding | undefined): Uint8Array {
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
function recode(bytes: Uint8Array, from: string, path: string): Uint8Array {
  const decoder = new TextDecoder(from, { fatal: true });
  const pieces: Uint8Array[] = [];
  try {
    for (let at = 0; at < bytes.length; at += CHUNK)
      pieces.push(Buffer.from(decoder.decode(bytes.subarray(at, at + CHUNK), { stream: true })));
    pieces.push(Buffer.from(decoder.decode()));
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${path}: it is no text in ${from}; leave --encoding out, or name another.`,
      { cause },
    );
  }
  return Buffer.concat(pieces);
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
    `${path}: line ${line} holds bytes that are no UTF-8; if the table is in Latin-1, as spreadsheets often write it, ` +
      'say --encoding latin1.',
  );
}
