import type { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { unreadable } from './bytes.js';
import { streamed } from './streamed.js';
import { roomFor, tooLarge } from './unpack.js';

const BLOCK = 512;

/** A regular file in an archive. */
export interface TarMember {
  /** The last part of its name. */
  readonly name: string;
  /** Its content, until the next member is asked for; whoever does not ask has it passed over. */
  read(): Promise<Uint8Array>;
}

/** Whether a name is that of a tar archive, gzipped or not. */
export const isTarName = (name: string): boolean => /\.(tar\.gz|tgz|tar)$/i.test(name);

/**
 * The regular files of a tar archive, gzipped or not, as it streams by: what is passed over takes no memory, whatever its size.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA where more comes out of its compression than `roomFor` allows
 */
export async function* tarMembers(path: string): AsyncGenerator<TarMember> {
  const { size: packedSize, packed, pieces } = await streamed(path);
  const source = new Source(pieces);
  let room = packed ? roomFor(packedSize) : packedSize;
  try {
    for (;;) {
      const at = source.taken;
      const header = await source.take(BLOCK);
      if (header.length < BLOCK || header[0] === 0) return;
      // The checksum counts itself as eight spaces.
      let sum = 8 * 0x20;
      for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i];
      if (sum !== octal(header, 148, 8)) throw broken(path, `the header at byte ${at} is damaged`);
      const size = octal(header, 124, 12);
      const cutShort = () => broken(path, `the file at byte ${at} reaches beyond its end; it is cut short`);
      if (!(size >= 0)) throw cutShort();
      const end = source.taken + size;
      const read = async () => {
        if (size > room) throw packed ? tooLarge(path, bytesText(size), roomFor(packedSize)) : cutShort();
        room -= size;
        const content = await source.take(size);
        if (content.length < size) throw cutShort();
        return content;
      };
      const regular = header[156] === 0x30 || header[156] === 0;
      if (regular) yield { name: text(header, 0, 100).split('/').at(-1)!, read };
      await source.skip(end - source.taken);
      if (source.taken < end) throw cutShort();
      await source.skip((BLOCK - (size % BLOCK)) % BLOCK);
    }
  } finally {
    await pieces.return(undefined);
  }
}

/** What a tar archive holds of the files that are wanted, by the last part of their names. @throws as `tarMembers` */
export async function readTar(
  path: string,
  wanted: (name: string) => boolean = () => true,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let empty = true;
  for await (const { name, read } of tarMembers(path)) {
    empty = false;
    if (wanted(name)) files.set(name, await read());
  }
  if (empty) throw broken(path, 'it holds no files');
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
    for await (const part of this.#next(count)) {
      bytes.set(part, length);
      length += part.length;
    }
    return bytes.subarray(0, length);
  }

  /** Passes over the next bytes, or over what is left. */
  async skip(count: number): Promise<void> {
    for await (const _ of this.#next(count));
  }

  async *#next(count: number): AsyncGenerator<Uint8Array> {
    const end = this.taken + count;
    while (this.taken < end) {
      if (this.#piece.length === 0) {
        const { done, value } = await this.pieces.next();
        if (done) return;
        this.#piece = value;
      }
      const part = this.#piece.subarray(0, end - this.taken);
      this.#piece = this.#piece.subarray(part.length);
      this.taken += part.length;
      yield part;
    }
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
