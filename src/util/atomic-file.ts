import { appendFile, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileReason, LimbeckError } from './errors.js';

/** The last write under way for each temporary file of this process. */
const underWay = new Map<string, Promise<void>>();

/**
 * Writes a file so that a reader, or a machine that loses power, finds the old content or the new, never a part:
 * a temporary file `.name.pid.tmp` in the same folder, fsync, rename, fsync of the folder. Writes of one path
 * from one process happen one after the other, in the order of the calls.
 *
 * @param bytes text is written as UTF-8
 * @param keep the name that the old file gets; killed between the two renames, a process leaves it under that name alone
 * @throws ERR_FILE_WRITE with the cause; the temporary file is gone and the old file as it was
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  { keep }: { keep?: string } = {},
): Promise<void> {
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
  const previous = underWay.get(temporary) ?? Promise.resolve();
  const write = () => writeThrough(temporary, target, bytes, keep);
  const current = previous.then(write, write);
  underWay.set(temporary, current);
  try {
    await current;
  } catch (cause) {
    throw unwritten(path, cause, '; an older file of that name is untouched');
  } finally {
    if (underWay.get(temporary) === current) underWay.delete(temporary);
  }
}

/**
 * Adds text to the end of a file, which is not synchronised: for what can be made again.
 *
 * @throws ERR_FILE_WRITE with the cause
 */
export async function addToFile(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text);
  } catch (cause) {
    throw unwritten(path, cause);
  }
}

/** An ERR_FILE_WRITE that says what to look at. */
export const unwritten = (path: string, cause: unknown, more = ''): LimbeckError =>
  new LimbeckError(
    'ERR_FILE_WRITE',
    `${path} could not be written: ${fileReason(cause)}. Check that its folder exists, may be written to and has space left${more}.`,
    { cause },
  );

/**
 * Gives a file that is whole and synchronised its name, durably.
 *
 * @throws ERR_FILE_WRITE with the cause
 */
export async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    await syncFolder(dirname(resolve(to)));
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${from} could not be renamed to ${to}: ${fileReason(cause)}. Check that its folder may be written to.`,
      { cause },
    );
  }
}

/**
 * Finds out whether a file could be written, before the work that is to fill it.
 *
 * @throws ERR_FILE_WRITE with the cause
 */
export async function checkWritable(path: string): Promise<void> {
  const probe = join(dirname(path), `.${basename(path)}.writable`);
  try {
    await writeFileAtomic(probe, '');
  } catch (error) {
    await rm(probe, { force: true }).catch(() => {}); // the first failure is the one to report
    const { cause } = error as LimbeckError;
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${path} could not be written: ${fileReason(cause)}. Check that its folder exists, may be written to and has space left.`,
      { cause },
    );
  }
  try {
    await rm(probe, { force: true });
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${probe} could not be removed: ${fileReason(cause)}. Check that its folder may be written to.`,
      { cause },
    );
  }
}

async function writeThrough(
  temporary: string,
  target: string,
  bytes: Uint8Array | string,
  keep?: string,
): Promise<void> {
  try {
    const file = await open(temporary, 'w');
    await syncAndClose(file, () => file.writeFile(bytes));
    const kept = keep !== undefined && (await renamedIfThere(target, keep));
    try {
      await rename(temporary, target);
    } catch (error) {
      if (kept) await rename(keep, target).catch(() => {});
      throw error;
    }
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first failure is the one to report
    throw error;
  }
  await syncFolder(dirname(target));
}

async function renamedIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

async function syncAndClose(file: FileHandle, write: () => Promise<void>): Promise<void> {
  try {
    await write();
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the rename itself durable, where the platform lets a folder be opened and synchronised. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await syncAndClose(handle, async () => {});
  } catch (error) {
    // Windows and some network file systems cannot do it; the new file is complete either way.
    if (!['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP'].includes(errnoOf(error))) throw error;
  }
}

/**
 * Removes what killed processes left behind in a folder: every `.name.pid.tmp` whose process is gone, and those of
 * this process that no write is using. A folder that does not exist holds none.
 *
 * @returns the names of the removed files
 * @throws ERR_FILE_WRITE when the folder cannot be read or a file not be removed
 */
export async function sweepTemporaryFiles(folder: string): Promise<string[]> {
  const removed: string[] = [];
  try {
    for (const name of await readdir(folder)) {
      const owner = /^\..+\.(\d+)\.tmp$/.exec(name)?.[1];
      const path = join(resolve(folder), name);
      if (owner === undefined || underWay.has(path) || isOtherLiveProcess(Number(owner))) continue;
      await rm(path, { force: true });
      removed.push(name);
    }
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return removed;
    throw new LimbeckError(
      'ERR_FILE_WRITE',
      `${folder}: old temporary files could not be removed: ${fileReason(cause)}. Remove the files named ` +
        '.*.tmp by hand, or make the folder writable.',
      { cause },
    );
  }
  return removed;
}

function isOtherLiveProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0); // signal 0 only asks whether the process exists
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM'; // it exists and belongs to someone else
  }
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
