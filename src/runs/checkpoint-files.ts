import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { readNamedFile } from '../util/read-file.js';
import { decodeCheckpoint } from './checkpoint.js';
import { readExtra } from './checkpoint-extra.js';
import type { Saved } from './extend.js';

/** What a run can go on from, and, where it is not the newest checkpoint, why not that one. */
export interface Found extends Saved {
  readonly damage?: string;
}

/** The checkpoint of a run and the one before it, which is used where the newer one is damaged or gone. */
export class CheckpointFiles {
  /** The newer one is not worth keeping. */
  #damaged = false;

  /** Touches nothing yet. */
  constructor(private readonly paths: { readonly checkpoint: string; readonly olderCheckpoint: string }) {}

  exist(): boolean {
    return existsSync(this.paths.checkpoint) || existsSync(this.paths.olderCheckpoint);
  }

  /** @throws what is wrong with the newer one, where the older one is of no use either */
  async read(): Promise<Found> {
    const { checkpoint, olderCheckpoint } = this.paths;
    this.#damaged = false;
    try {
      return await readCheckpoint(checkpoint);
    } catch (error) {
      if (!(error instanceof LimbeckError)) throw error;
      // A file that cannot be read now may be whole: nothing is to be written over it.
      if (error.code === 'ERR_FILE_MISSING' && existsSync(checkpoint)) throw error;
      if (!existsSync(olderCheckpoint)) throw withRemedy(error);
      this.#damaged = true;
      const older = await readCheckpoint(olderCheckpoint).catch((worse: Error) => worse);
      if (older instanceof Error)
        throw withRemedy(error, ` Nor is the one before it of use: ${older.message}`);
      return { ...older, damage: error.message };
    }
  }

  /** What was the newer one becomes the older one, unless it is damaged. */
  async write(bytes: Uint8Array): Promise<void> {
    await writeFileAtomic(this.paths.checkpoint, bytes, {
      keep: this.#damaged ? undefined : this.paths.olderCheckpoint,
    });
    this.#damaged = false;
  }

  /** Of a finished run, the newer one is enough: to go on to more outer steps. */
  async dropOlder(): Promise<void> {
    // It hides no result that it cannot be removed.
    await rm(this.paths.olderCheckpoint, { force: true }).catch(() => {});
  }
}

const withRemedy = (error: LimbeckError, more = ''): LimbeckError =>
  new LimbeckError(error.code, `${error.message}${more} If there is no copy, begin again with --force.`, {
    cause: error,
  });

async function readCheckpoint(path: string): Promise<Saved> {
  const bytes = await readNamedFile(
    path,
    (reason) => `${path} cannot be read: ${reason}; expected the checkpoint of a run.`,
  );
  try {
    const { checkpoint, extra } = decodeCheckpoint(bytes);
    return { checkpoint, extra: readExtra(extra, checkpoint.options) };
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    const end = /[.?]$/.test(error.message) ? '' : '.';
    throw new LimbeckError(error.code, `${path} cannot be resumed from: ${error.message}${end}`, {
      cause: error,
    });
  }
}
