import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LimbeckError } from '../util/errors.js';

/** Typed arrays and file reads of Node 20 both reach at least this far. */
export const MAX_BYTES = 2 ** 31 - 1;

/** @throws ERR_FILE_MISSING when a file cannot be read */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    // A pipe might never end, and a device never begin.
    const found = await stat(path);
    if (!found.isFile())
      throw new Error(`it is ${found.isDirectory() ? 'a folder' : 'a pipe or device'}, not a file`);
    return await readFile(path);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${messageOf(cause)}. Check the path and its permissions.`,
      { cause },
    );
  }
}

/**
 * Bytes without their gzip compression, if they have one: the content decides, not the name.
 *
 * @throws ERR_FILE_FORMAT when the compression is damaged; ERR_DATA when more than 2 GiB come out
 */
export async function decompressed(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  if (bytes.length < 2 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw undecompressed(path, 'gzip file', cause);
  }
}

/** What to say where decompression failed: that more came out than there is room for is no damage. */
export function undecompressed(path: string, kind: string, cause: unknown): LimbeckError {
  if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
    return new LimbeckError(
      'ERR_DATA',
      `${path} is too large: more bytes come out of the compression of this ${kind} than fit; expected a smaller one`,
      { cause },
    );
  return unreadable(path, kind, `its compression is damaged (${messageOf(cause)})`, cause);
}

/** ERR_FILE_FORMAT: `path` is not a readable `kind`. */
export function unreadable(path: string, kind: string, what: string, cause?: unknown): LimbeckError {
  return new LimbeckError(
    'ERR_FILE_FORMAT',
    `${path} is not a readable ${kind}: ${what}. Fetch or export the file again.`,
    { cause },
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
