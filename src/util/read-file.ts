import { readFile } from 'node:fs/promises';
import { fileReason, LimbeckError } from './errors.js';

/** The bytes of a file that somebody named. @throws ERR_FILE_MISSING, in the words of `message`, which is given the reason */
export async function readNamedFile(path: string, message: (reason: string) => string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new LimbeckError('ERR_FILE_MISSING', message(fileReason(cause)), { cause });
  }
}
