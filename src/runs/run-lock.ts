import { rmSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { unwritten } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';

/** A moment in which a process that has just made the file has surely written its number into it. */
const settleMilliseconds = 50;

/**
 * One process in a run folder: a file that only one can make, with its number in it. A killed process leaves the file
 * behind; the next one sees that there is no such process and takes its place.
 */
export class RunLock {
  readonly #path: string;
  readonly #removeAtExit = () => {
    try {
      rmSync(this.#path, { force: true });
    } catch {
      // As in `release`.
    }
  };

  private constructor(path: string) {
    this.#path = path;
    // A second Ctrl-C ends the process at once.
    process.once('exit', this.#removeAtExit);
  }

  /**
   * Throws ERR_FILE_WRITE naming the process that holds the folder, or what of it has a lock of its own, for longer than
   * `patience` milliseconds.
   */
  static async take(folder: string, { name = '.limbeck-lock', patience = 0 } = {}): Promise<RunLock> {
    const path = join(folder, name);
    const last = performance.now() + patience;
    while (!(await create(path))) {
      const holder = await holderOf(path);
      const isHeld = holder !== undefined && (await isOtherLiveProcess(holder));
      if (isHeld && performance.now() < last) {
        await wait(settleMilliseconds);
        continue;
      }
      if (isHeld)
        throw new LimbeckError(
          'ERR_FILE_WRITE',
          `process ${holder} is at work in ${folder}, expected to be alone there: wait for it, stop it, or name ` +
            `another folder (if it is no limbeck process, remove ${path})`,
        );
      await rm(path, { force: true });
      // Another process may have found the same leftover, and removed and made the file just now as well.
      if (!(await create(path))) continue;
      await wait(settleMilliseconds);
      if ((await holderOf(path)) === process.pid) break;
    }
    return new RunLock(path);
  }

  /** A file that cannot be removed hides no other error: once the process is gone, it keeps nobody out. */
  async release(): Promise<void> {
    process.off('exit', this.#removeAtExit);
    await rm(this.#path, { force: true }).catch(() => {});
  }
}

/** False when there is one already. */
async function create(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(`${process.pid}\n`);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw unwritten(path, error);
  }
}

/** The process that made the file; undefined when it is gone, or its maker died before it wrote its number. */
async function holderOf(path: string): Promise<number | undefined> {
  for (const last of [false, true]) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (/^[1-9]\d*\n$/.test(text)) return Number(text);
    if (!last) await wait(settleMilliseconds);
  }
  return undefined;
}

/** Not this process: then the file is left from an earlier one that had the same number, as happens in containers. */
async function isOtherLiveProcess(pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0); // asks only whether there is one
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false; // EPERM: there is, and it is someone else's
  }
  // Killed, but not yet taken note of by its parent: such a process does nothing any more.
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/^\d+ \(.*\) [ZX] /s.test(stat);
}
