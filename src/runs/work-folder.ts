import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkWritable, sweepTemporaryFiles } from '../util/atomic-file.js';
import { fileReason, LimbeckError } from '../util/errors.js';
import { RunLock } from './run-lock.js';

/** A folder for results that one process at a time works in. */
export class WorkFolder {
  /** Folders that `open` made, outermost first. */
  readonly #created: string[] = [];
  #lock: RunLock | undefined;

  /** Touches nothing yet. */
  constructor(readonly path: string) {}

  /**
   * Makes the folder, keeps other processes out until `close`, does `prepare` and clears it of what killed processes left there.
   * After a failure it is as it was.
   *
   * @param probe a file that will be written: whether it can be is found out now
   * @throws ERR_FILE_WRITE where the folder cannot be made or changed, or another process is at work in it
   */
  async open(probe: string, prepare: () => Promise<void> = async () => {}): Promise<void> {
    try {
      await this.#open(prepare);
      await sweepTemporaryFiles(this.path);
      await checkWritable(probe);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #open(prepare: () => Promise<void>): Promise<void> {
    try {
      await makeFolders(resolve(this.path), this.#created);
      this.#lock = await RunLock.take(this.path);
      await prepare();
    } catch (cause) {
      if (cause instanceof LimbeckError) throw cause;
      throw new LimbeckError(
        'ERR_FILE_WRITE',
        `the folder ${this.path} cannot be made or changed: ${fileReason(cause)}; choose another with --out`,
        { cause },
      );
    }
  }

  /** Lets others in again, and takes back the folders that `open` made when nothing was written into them. */
  async close(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
    for (const folder of this.#created.splice(0).reverse()) {
      try {
        if ((await readdir(folder)).length > 0) return;
        await rmdir(folder);
      } catch {
        return; // someone else uses it, or has removed it
      }
    }
  }
}

/**
 * Makes a folder and those above it, and notes which. Not `mkdir` with `recursive`: where a parent exists but takes
 * no folders (`/proc`), Node's loops until memory is gone.
 */
async function makeFolders(path: string, made: string[]): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) return;
  } catch {
    if (dirname(path) !== path) await makeFolders(dirname(path), made);
  }
  await mkdir(path);
  made.push(path);
}
