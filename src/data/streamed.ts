import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { fileReason, LimbeckError } from '../util/errors.js';
import { bytesText } from '../util/words.js';
import { messageOf, unreadable } from './bytes.js';
import { isGzip, mostOf, tooLarge } from './unpack.js';

const PIECE = 2 ** 20;

/** A file that is read as it streams by: little of it is held, so that it may be of any size. */
export interface Streamed {
  /** Bytes of the file. */
  readonly size: number;
  /** Whether it is compressed by gzip: the content decides, not the name. */
  readonly packed: boolean;
  /**
   * Its bytes, without the compression.
   *
   * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT where the compression is damaged; ERR_DATA where more comes out of it than `mostOf` allows
   */
  readonly pieces: AsyncGenerator<Uint8Array>;
}

/** @throws ERR_FILE_MISSING */
export async function streamed(path: string): Promise<Streamed> {
  const { size, packed } = await reading(path, async () => {
    await using handle = await open(path);
    const found = await handle.stat();
    // A pipe might never end, and a device never begin.
    if (!found.isFile())
      throw new Error(`it is ${found.isDirectory() ? 'a folder' : 'a pipe or device'}, not a file`);
    const { buffer, bytesRead } = await handle.read(new Uint8Array(2), 0, 2, 0);
    return { size: found.size, packed: isGzip(buffer.subarray(0, bytesRead)) };
  });
  return { size, packed, pieces: piecesOf(path, size, packed) };
}

async function* piecesOf(path: string, size: number, packed: boolean): AsyncGenerator<Uint8Array> {
  const source = createReadStream(path, { highWaterMark: PIECE });
  // Its callback is there to take errors, which come out of the stream as well.
  const stream: Readable = packed ? pipeline(source, createGunzip({ chunkSize: PIECE }), () => {}) : source;
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reading(path, () => pieces.next());
      if (done) return;
      length += value.length;
      if (packed && length > mostOf(size))
        throw tooLarge(path, `more than ${bytesText(mostOf(size))}`, mostOf(size));
      yield value;
    }
  } finally {
    stream.destroy();
  }
}

async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code?.startsWith('Z_'))
      throw unreadable(path, 'gzip file', `its compression is damaged (${messageOf(cause)})`, cause);
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${fileReason(cause)}. Check the path and its permissions.`,
      { cause },
    );
  }
}
