import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeModel, encodeModel, type Model } from '../eval/model.js';
import { checkWritable, writeFileAtomic } from '../util/atomic-file.js';
import { fileReason, LimbeckError } from '../util/errors.js';

const fileIn = (folder: string) => join(folder, 'network.safetensors');

/** Makes the folder, and finds out before the training whether it can be written to. What is returned takes it back. */
export async function makeFolder(folder: string): Promise<() => Promise<void>> {
  let made: string | undefined;
  const discard = async () => {
    if (made !== undefined) await rm(made, { recursive: true, force: true });
  };
  try {
    made = await mkdir(folder, { recursive: true });
    await checkWritable(fileIn(folder));
  } catch (cause) {
    await discard();
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `the folder ${folder} cannot be made or changed: ${fileReason(cause)}; choose another with --out`,
      { cause },
    );
  }
  return discard;
}

/** Returns the path of the file. */
export async function saveModel(folder: string, model: Model): Promise<string> {
  await writeFileAtomic(fileIn(folder), encodeModel(model));
  return fileIn(folder);
}

/** The network in a file, or in a folder that `limbeck train --out` wrote. */
export async function readModel(path: string): Promise<Model> {
  let bytes: Uint8Array;
  try {
    const folder = (await stat(path)).isDirectory();
    bytes = await readFile(folder ? fileIn(path) : path);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${fileReason(cause)}; expected a network, such as limbeck train --on runs/first/distilled.safetensors --out ${path} writes`,
      { cause },
    );
  }
  try {
    return decodeModel(bytes);
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}
