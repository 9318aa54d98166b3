import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readBytes } from './bytes.js';
import { isTarName, readTar } from './tar.js';

/** Files by name, each read when it is asked for. */
export type Files = ReadonlyMap<string, () => Uint8Array | Promise<Uint8Array>>;

/** The files of a folder or of a tar archive, of which only those that are wanted are held. @throws as `readTar` */
export async function openFiles(path: string, wanted: (name: string) => boolean): Promise<Files> {
  if (isTarName(path))
    return new Map([...(await readTar(path, wanted))].map(([name, bytes]) => [name, () => bytes]));
  const names = (await readdir(path)).filter(wanted);
  return new Map(names.map((name) => [name, () => readBytes(join(path, name))]));
}
