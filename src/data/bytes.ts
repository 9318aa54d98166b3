import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LimbeckError } from '../util/errors.js';

/** Typed arrays and file reads of Node 20 both reach at least this far. */
export const MAX_BYTES = 2 ** 31 - 1;

/** @throws ERR_FILE_MISSING when a file cannot be read */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
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
 * @throws ERR_FILE_FORMAT when the compression is damaged, or more than 2 GiB come out
 */
export async function decompressed(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  if (bytes.length < 2 || bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw unreadable(path, 'gzip file', `its compression is damaged (${messageOf(cause)})`, cause);
  }
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
