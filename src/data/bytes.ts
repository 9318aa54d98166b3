import { readFile, stat } from 'node:fs/promises';
import { fileReason, LimbeckError } from '../util/errors.js';

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
      `${path} cannot be read: ${fileReason(cause)}. Check the path and its permissions.`,
      { cause },
    );
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
