import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason, LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import { damaged } from '../../util/stored-fields.js';
import type { Experts } from './experts.js';
import { decodeRecord, differenceOf, expertFileName, expertNumber, recordBytes } from './format.js';
import { type ExpertStart, readBytes, readFinishedHeader } from './read.js';

interface ExpertFile extends ExpertStart {
  readonly path: string;
  readonly handle: FileHandle;
}

/**
 * Opens the finished experts of a folder that `limbeck experts` made. Their headers are read and compared at once. A snapshot is read
 * when it is asked for.
 *
 *     await using experts = await openExperts('runs/experts');
 *     const theta = await experts.parametersOf(0, 10);
 *
 * @throws ERR_OPTION for what is no path; ERR_FILE_MISSING for a folder that cannot be read or holds no finished expert;
 * ERR_FILE_FORMAT, naming the file, for one that is damaged, cut off or something else; ERR_DATA where they are not all of one
 * network, one data set and one training
 */
export async function openExperts(folder: string): Promise<Experts> {
  if (typeof folder !== 'string' || !folder)
    throw new LimbeckError(
      'ERR_OPTION',
      `openExperts: folder is ${shown(folder)}, expected the path of a folder that limbeck experts made`,
    );
  const files: ExpertFile[] = [];
  try {
    for (const name of await expertFiles(folder)) files.push(await openExpert(join(folder, name)));
    checkTogether(files);
  } catch (error) {
    await closeAll(files);
    throw error;
  }
  return expertsIn(folder, files);
}

/** Names of the finished experts in a folder, by their numbers. */
async function expertFiles(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} cannot be read: ${fileReason(cause)}; expected a folder that limbeck experts --out made`,
      { cause },
    );
  }
  const numbers = names.flatMap((name) => expertNumber(name) ?? []).sort((a, b) => a - b);
  if (numbers.length) return numbers.map(expertFileName);
  throw new LimbeckError(
    'ERR_FILE_MISSING',
    `${folder} holds no finished expert, expected ${expertFileName(0)} and so on: limbeck experts --out ${folder} trains them, and goes on where it was stopped`,
  );
}

async function openExpert(path: string): Promise<ExpertFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw unreadable(path, cause);
  }
  try {
    return { path, handle, ...(await readFinishedHeader(path, handle)) };
  } catch (error) {
    await handle.close();
    throw error instanceof LimbeckError ? error : unreadable(path, error);
  }
}

const unreadable = (path: string, cause: unknown) =>
  new LimbeckError(
    'ERR_FILE_MISSING',
    `${path} cannot be read: ${fileReason(cause)}; expected an expert that limbeck experts trained`,
    { cause },
  );

/** Two folders in one are told apart. */
function checkTogether([first, ...others]: readonly ExpertFile[]): void {
  for (const { path, header } of others) {
    const difference = differenceOf(header.description, first.header.description);
    if (difference)
      throw new LimbeckError(
        'ERR_DATA',
        `${path} has ${difference} as ${first.path} has it: keep experts that were trained differently in folders of their own`,
      );
  }
}

const closeAll = (files: readonly ExpertFile[]) => Promise.all(files.map(({ handle }) => handle.close()));

function expertsIn(folder: string, files: readonly ExpertFile[]): Experts {
  const { description, network } = files[0].header;
  const { epochs } = description.training;
  let closed = false;
  const check = (name: string, value: number, end: number) => {
    if (!(Number.isInteger(value) && value >= 0 && value <= end))
      throw new LimbeckError(
        'ERR_OPTION',
        `${folder}: ${name} is ${shown(value)}, expected a whole number from 0 to ${end}`,
      );
  };
  return {
    ...description,
    folder,
    network,
    count: files.length,
    epochs,
    async parametersOf(expert, epoch) {
      if (closed)
        throw new LimbeckError('ERR_OPTION', `${folder}: its experts are closed, expected to be open`);
      check('expert', expert, files.length - 1);
      check('epoch', epoch, epochs);
      const { path, handle, dataStart } = files[expert];
      const size = recordBytes(network.count);
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = await readBytes(handle, dataStart + epoch * size, size);
      } catch (cause) {
        throw unreadable(path, cause);
      }
      const theta = bytes.length === size ? decodeRecord(bytes) : undefined;
      if (!theta) throw damaged(path, `the snapshot of epoch ${epoch} is not what its checksum says`);
      return theta;
    },
    async close() {
      if (closed) return;
      closed = true;
      await closeAll(files);
    },
    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}
