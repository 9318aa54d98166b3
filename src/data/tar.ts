import type { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { readBytes, unreadable } from './bytes.js';
import { isGzip, piecesOf, roomFor, tooLarge } from './unpack.js';

const BLOCK = 512;

/**
 * The regular files of a tar archive, gzipped or not, by the last part of their names.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA where more comes out of its compression than `roomFor` allows
 */
export async function readTar(path: string): Promise<Map<string, Uint8Array>> {
  const bytes = await readBytes(path);
  const room = isGzip(bytes) ? roomFor(bytes.length) : bytes.length;
  const source = new Source(piecesOf(bytes, path));
  const files = new Map<string, Uint8Array>();
  for (;;) {
    const at = source.taken;
    const header = await source.take(BLOCK);
    if (header.length < BLOCK || header[0] === 0) break;
    // The checksum counts itself as eight spaces.
    let sum = 8 * 0x20;
    for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i];
    if (sum !== octal(header, 148, 8)) throw broken(path, `the header at byte ${at} is damaged`);
    const size = octal(header, 124, 12);
    if (isGzip(bytes) && source.taken + size > room) throw tooLarge(path, bytesText(size), room);
    const content = size <= room ? await source.take(size) : undefined;
    if (content?.length !== size)
      throw broken(path, `the file at byte ${at} reaches beyond its end; it is cut short`);
    const regular = header[156] === 0x30 || header[156] === 0;
    if (regular) files.set(text(header, 0, 100).split('/').at(-1)!, content);
    await source.take((BLOCK - (size % BLOCK)) % BLOCK);
  }
  if (files.size === 0) throw broken(path, 'it holds no files');
  return files;
}

/** Bytes that come in pieces, taken in others. */
class Source {
  taken = 0;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(readonly pieces: AsyncGenerator<Uint8Array>) {}

  /** The next bytes, fewer where they end. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let length = 0;
    while (length < count) {
      if (this.#piece.length === 0) {
        const { done, value } = await this.pieces.next();
        if (done) break;
        this.#piece = value;
      }
      const part = this.#piece.subarray(0, count - length);
      bytes.set(part, length);
      this.#piece = this.#piece.subarray(part.length);
      length += part.length;
    }
    this.taken += length;
    return bytes.subarray(0, length);
  }
}

function text(header: Uint8Array, begin: number, length: number): string {
  const field = header.subarray(begin, begin + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** NaN for what is no number. */
function octal(header: Uint8Array, begin: number, length: number): number {
  const digits = text(header, begin, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

const broken = (path: string, what: string): LimbeckError => unreadable(path, 'tar archive', what);
