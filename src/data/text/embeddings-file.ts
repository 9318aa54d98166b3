import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { LimbeckError } from '../../util/errors.js';
import { messageOf, unreadable } from '../bytes.js';
import { isGzip } from '../unpack.js';
import { type Embeddings, MOST_WIDTH, noRow, vectorOf } from './embeddings.js';

const NEWLINE = 10;
/** Of a line: 4096 numbers with many digits. */
const MOST_LINE = 2 ** 17;
/** Times its own size that a gzipped file may become. */
const MOST_TIMES = 32;

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
  for await (const piece of piecesOf(path)) {
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

/** The file as it streams by, without its gzip compression if it has one. */
async function* piecesOf(path: string): AsyncGenerator<Uint8Array> {
  try {
    await using handle = await open(path);
    const found = await handle.stat();
    // A pipe might never end.
    if (!found.isFile()) throw new Error('it is no file');
    const { buffer, bytesRead } = await handle.read(new Uint8Array(2), 0, 2, 0);
    const packed = isGzip(buffer.subarray(0, bytesRead));
    const source = createReadStream(path, { highWaterMark: 2 ** 20 });
    const stream: Readable = packed ? source.pipe(createGunzip({ chunkSize: 2 ** 20 })) : source;
    source.on('error', (error) => stream.destroy(error));
    let length = 0;
    for await (const piece of stream) {
      length += piece.length;
      if (packed && length > Math.max(2 ** 23, MOST_TIMES * found.size))
        throw new LimbeckError(
          'ERR_DATA',
          `${path} is too large: more than ${MOST_TIMES} times its size come out of its compression; unpack it and give that.`,
        );
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof LimbeckError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code?.startsWith('Z_'))
      throw unreadable(path, 'gzip file', `its compression is damaged (${messageOf(cause)})`, cause);
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${messageOf(cause)}; --embeddings names a file of vectors (GloVe, word2vec in text form, .vec of fastText), or wink.`,
      { cause },
    );
  }
}
