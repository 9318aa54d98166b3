import { open, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExpertsDescription } from '../../data/experts/experts.js';
import { differenceOf, expertFileName, type ReadHeader } from '../../data/experts/format.js';
import { readFinishedHeader } from '../../data/experts/read.js';
import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import { WorkFolder } from '../work-folder.js';
import { type PartContent, PartFile, readPart } from './part-file.js';
import { stateFileName, stateOf } from './state-file.js';

/** How far an expert is. */
export interface Found {
  readonly number: number;
  /** What its file says; undefined where there is none yet. */
  readonly header?: ReadHeader;
  readonly finished: boolean;
  /** Its file under way. */
  readonly part?: PartContent;
  /** Epochs after which its optimiser's state was kept. */
  readonly states: readonly number[];
}

/** The files of a folder of experts that one process trains. */
export class ExpertFolder {
  readonly #work: WorkFolder;

  /** Touches nothing yet. */
  constructor(readonly path: string) {
    if (typeof path !== 'string' || !path)
      throw new LimbeckError('ERR_OPTION', `the folder of experts is ${shown(path)}, expected its path`);
    this.#work = new WorkFolder(path);
  }

  /** Makes the folder and keeps other processes out until `close`; ERR_FILE_WRITE. */
  open(): Promise<void> {
    return this.#work.open(this.finished(0));
  }

  /** Lets others in again. */
  close(): Promise<void> {
    return this.#work.close();
  }

  finished(number: number): string {
    return join(this.path, expertFileName(number));
  }

  part(number: number): string {
    return `${this.finished(number)}.part`;
  }

  state(number: number, epoch: number): string {
    return join(this.path, stateFileName(expertFileName(number), epoch));
  }

  /** Bytes that can still be written there. */
  async free(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path);
    return bavail * bsize;
  }

  /** Removes the states of an expert but that of `keep`. */
  async dropStates(number: number, keep?: number): Promise<void> {
    for (const name of await readdir(this.path)) {
      const state = stateOf(name);
      if (state?.expertFile === expertFileName(number) && state.epoch !== keep)
        await rm(join(this.path, name), { force: true });
    }
  }

  /**
   * How far experts 0 .. count - 1 are. A file that had all its snapshots when a process was killed is finished now.
   *
   * @throws ERR_OPTION, naming the file, for one of other experts than those described; ERR_FILE_FORMAT for one that was damaged
   */
  async scan(
    description: ExpertsDescription,
    { count, seed }: { count: number; seed: number },
  ): Promise<Found[]> {
    const names = new Set(await readdir(this.path));
    const kept = [...names].flatMap((name) => stateOf(name) ?? []);
    const found: Found[] = [];
    for (let number = 0; number < count; number++) {
      const own = expertFileName(number);
      const one = names.has(own)
        ? { header: await this.#finishedHeader(number), finished: true }
        : names.has(`${own}.part`)
          ? await this.#underWay(number)
          : { finished: false };
      if (one.header) checkHeader(this.path, one.header, description, { number, seed });
      const states = kept.filter(({ expertFile }) => expertFile === own).map(({ epoch }) => epoch);
      if (one.finished && states.length) await this.dropStates(number);
      found.push({ number, states, ...one });
    }
    return found;
  }

  async #finishedHeader(number: number): Promise<ReadHeader> {
    const path = this.finished(number);
    const handle = await open(path, 'r');
    try {
      return (await again(path, readFinishedHeader(path, handle))).header;
    } finally {
      await handle.close();
    }
  }

  async #underWay(number: number): Promise<Pick<Found, 'header' | 'finished' | 'part'>> {
    const path = this.part(number);
    const part = await again(path, readPart(path));
    const { header, snapshots } = part;
    const all = header.description.training.epochs + 1;
    if (snapshots < all) return { header, part, finished: false };
    await (await PartFile.goOn(path, part, all)).finish(this.finished(number));
    return { header, finished: true };
  }
}

/** Adds to what is wrong with a file what can be done. */
async function again<T>(path: string, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof LimbeckError)) throw error;
    throw new LimbeckError(error.code, `${error.message}; remove ${path} to train this expert again`, {
      cause: error,
    });
  }
}

function checkHeader(
  folder: string,
  { description: given, identity }: ReadHeader,
  expected: ExpertsDescription,
  { number, seed }: { number: number; seed: number },
): void {
  const difference =
    differenceOf(given, expected) ??
    (identity.seed === seed ? undefined : `another seed: ${identity.seed}, expected ${seed}`) ??
    (identity.number === number ? undefined : `another number: ${identity.number}, expected ${number}`);
  if (!difference) return;
  throw new LimbeckError(
    'ERR_OPTION',
    `${join(folder, expertFileName(number))} has ${difference}: go on with the options it was begun with, or name another folder`,
  );
}
