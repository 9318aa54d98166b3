import { basename } from 'node:path';
import { LimbeckError } from '../../util/errors.js';
import { unreadable } from '../bytes.js';
import { type Streamed, streamed } from '../streamed.js';
import { type Embeddings, MOST_WIDTH, noRow, vectorOf } from './embeddings.js';

const NEWLINE = 10;
/** Of a line: 4096 numbers with many digits. */
const MOST_LINE = 2 ** 17;

/**
 * Reads the vectors of some words from a file in the text format of GloVe, of word2vec or of fastText (`.vec`), gzipped or not. It is
 * read as it streams by: only vectors of `wanted` words stay in memory. Of a word that occurs twice the first vector counts.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT naming the line that is no word with numbers; ERR_DATA for a line or a file that is too large
 */
export async function readEmbeddingsFile(path: string, wanted: ReadonlySet<string>): Promise<Embeddings> {
  const vectors = new Map<string, Float32Array>();
  let width: number | undefined;
  for await (const { bytes, line } of linesOf(path)) {
    const blank = blankIn(bytes);
    if (line === 1) {
      const cells = cellsOf(bytes);
      const header = cells.length === 2 && cells.every((cell) => /^\d+$/.test(cell));
      width = header ? Number(cells[1]) : cells.length - 1;
      if (!(width >= 1 && width <= MOST_WIDTH))
        throw noRow(path, line, `says that a word has ${width} numbers, of at most ${MOST_WIDTH}`);
      if (header) continue;
    }
    // Most words are not wanted: only those that may be are looked at further.
    if (blank < 0) throw noRow(path, line, 'has no numbers');
    const first = text(bytes.subarray(0, blank));
    if (!wanted.has(first) || vectors.has(first)) {
      if (line > 2) continue;
    }
    const [word, ...cells] = cellsOf(bytes);
    const vector = vectorOf(cells, width!);
    // A few rows of GloVe's have words with blanks in them, which none of ours has.
    if (!vector && cells.length > width! && vectorOf(cells.slice(-width!), width!)) continue;
    if (!vector)
      throw noRow(
        path,
        line,
        `has ${cells.length} values after ${JSON.stringify(word.slice(0, 40))} that are not ${width} finite numbers`,
      );
    if (wanted.has(word) && !vectors.has(word)) vectors.set(word, vector);
  }
  if (width === undefined) throw unreadable(path, 'file of embeddings', 'it is empty');
  return { width, vectors, source: basename(path) };
}

/** Where the first blank or tabulator is; -1 without one. */
function blankIn(bytes: Uint8Array): number {
  const [blank, tab] = [bytes.indexOf(32), bytes.indexOf(9)];
  return tab < 0 || (blank >= 0 && blank < tab) ? blank : tab;
}

const decoder = new TextDecoder();
const text = (bytes: Uint8Array): string => decoder.decode(bytes);
const cellsOf = (bytes: Uint8Array): string[] =>
  text(bytes)
    .trim()
    .split(/[ \t]+/);

async function* linesOf(path: string): AsyncGenerator<{ bytes: Uint8Array; line: number }> {
  let rest: Uint8Array = new Uint8Array(0);
  let line = 0;
  const long = () =>
    new LimbeckError('ERR_DATA', `${path}: line ${line + 1} is too large, expected a word and its numbers.`);
  for await (const piece of (await opened(path)).pieces) {
    const bytes = rest.length ? Buffer.concat([rest, piece]) : piece;
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      if (end - begin > MOST_LINE) throw long();
      if (end > begin) yield { bytes: bytes.subarray(begin, end), line: line + 1 };
      line++;
      begin = end + 1;
    }
    rest = bytes.subarray(begin);
    if (rest.length > MOST_LINE) throw long();
  }
  if (rest.length) yield { bytes: rest, line: line + 1 };
}

/** ERR_FILE_MISSING says what else may be named. */
async function opened(path: string): Promise<Streamed> {
  try {
    return await streamed(path);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${(cause as Error).message} --embeddings names a file of vectors (GloVe, word2vec in text form, .vec of fastText), or wink.`,
      { cause },
    );
  }
}
