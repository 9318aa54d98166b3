import { createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { MAX_BYTES, messageOf, unreadable } from './bytes.js';

/** A small file may become as much. */
const LEAST_ROOM = 8 * 2 ** 20;
/** Times its own size that a file may become: more than twice as much as comes out of MNIST in float32. */
const MOST_TIMES = 32;
const PIECE = 2 ** 18;

/** Bytes that may come out of the compression of a file of `size` bytes. */
export const mostOf = (size: number): number => Math.max(LEAST_ROOM, MOST_TIMES * size);

/** Bytes of them that may be held; else a few kilobytes could fill the memory. */
export const roomFor = (size: number): number => Math.min(MAX_BYTES, mostOf(size));

const streams = { gzip: createGunzip, zlib: createInflate, deflate: createInflateRaw } as const;

/** What is unpacked, and how much may come out of it. */
export interface Packed {
  readonly bytes: Uint8Array;
  readonly compression: keyof typeof streams;
  /** For messages: the file, and what it should be. */
  readonly path: string;
  readonly kind: string;
  /** Bytes that may come out. */
  readonly most: number;
}

/**
 * The pieces that come out of a compression, unpacked by another thread while this one does other work.
 *
 * @throws ERR_FILE_FORMAT where it is damaged; ERR_DATA where more than `most` bytes come out
 */
export async function* unpackedPieces(packed: Packed): AsyncGenerator<Uint8Array> {
  const { bytes, compression, path, kind, most } = packed;
  const stream = streams[compression]({ chunkSize: PIECE });
  stream.end(bytes);
  let length = 0;
  try {
    for await (const piece of stream) {
      length += piece.length;
      if (length > most) throw tooLarge(path, `more than ${bytesText(most)}`, most);
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof LimbeckError) throw cause;
    throw unreadable(path, kind, `its compression is damaged (${messageOf(cause)})`, cause);
  }
}

/**
 * The same in one array. `promised` says by the first bytes how many there should be, undefined where it takes more of them to say; an
 * array of that length is filled, and one byte more where there are more.
 *
 * @throws as `unpackedPieces`, and ERR_DATA where more than `most` bytes are promised
 */
export async function unpack(
  packed: Packed,
  promised: (start: Uint8Array) => number | undefined,
): Promise<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  let all: Uint8Array | undefined;
  let length = 0;
  for await (const piece of unpackedPieces(packed)) {
    if (all === undefined) {
      start = start.length ? Buffer.concat([start, piece]) : piece;
      const expected = promised(start);
      if (expected === undefined) continue;
      if (expected > packed.most) throw tooLarge(packed.path, bytesText(expected), packed.most);
      all = new Uint8Array(expected + 1);
    }
    const next = length ? piece : start;
    all.set(next.subarray(0, all.length - length), length);
    length = Math.min(length + next.length, all.length);
    if (length === all.length) break;
  }
  return all?.subarray(0, length) ?? start;
}

/** ERR_DATA: so many bytes come out of the compression of a file, of which `most` may. */
export const tooLarge = (path: string, come: string, most: number): LimbeckError =>
  new LimbeckError(
    'ERR_DATA',
    `${path} is too large: ${come} come out of its compression, expected ${bytesText(most)} at most (the larger of ` +
      `${bytesText(LEAST_ROOM)} and ${MOST_TIMES} times what the file has): write it without compression and give that.`,
  );

/** Whether bytes are compressed by gzip: the content decides, not the name. */
export const isGzip = (bytes: Uint8Array): boolean =>
  bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;

/** The bytes of a file in pieces, without their gzip compression if they have one. @throws as `unpackedPieces` */
export async function* piecesOf(bytes: Uint8Array, path: string): AsyncGenerator<Uint8Array> {
  if (!isGzip(bytes)) yield bytes;
  else yield* unpackedPieces({ ...gzipped(bytes, path), kind: 'gzip file' });
}

/** What a gzipped file is unpacked by. */
export const gzipped = (bytes: Uint8Array, path: string): Omit<Packed, 'kind'> => ({
  bytes,
  compression: 'gzip',
  path,
  most: roomFor(bytes.length),
});
