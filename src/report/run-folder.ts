import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type ArtefactNotes, encodeArtefact } from '../eval/artefact.js';
import type { DistilledSet } from '../eval/evaluate.js';
import { sweepTemporaryFiles, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { encodePng } from '../util/png.js';
import { contactSheet } from './contact-sheet.js';
import { reportHtml } from './html.js';
import type { RunRecord } from './record.js';

/** The files of a run; each is whole or absent at any moment. */
const names = {
  checkpoint: 'checkpoint.safetensors',
  artefact: 'distilled.safetensors',
  sheet: 'distilled.png',
  record: 'run.json',
  report: 'report.html',
} as const;

export class RunFolder {
  readonly paths: Readonly<Record<keyof typeof names, string>>;
  /** Folders that `create` made, outermost first. */
  #created: string[] = [];

  constructor(readonly folder: string) {
    this.paths = Object.fromEntries(
      Object.entries(names).map(([key, name]) => [key, join(folder, name)]),
    ) as RunFolder['paths'];
  }

  holdsRun(): boolean {
    return existsSync(this.paths.record) || existsSync(this.paths.checkpoint);
  }

  /** Makes the folder and clears it of what killed processes and, with `force`, an older run left there. */
  async create({ force = false }: { force?: boolean } = {}): Promise<void> {
    try {
      await makeFolders(resolve(this.folder), this.#created);
      if (force) for (const path of Object.values(this.paths)) await rm(path, { force: true });
    } catch (cause) {
      throw new LimbeckError(
        'ERR_FILE_WRITE',
        `the folder ${this.folder} cannot be made or changed: ${(cause as Error).message}; choose another with --out`,
        { cause },
      );
    }
    await sweepTemporaryFiles(this.folder);
    // Found out now rather than at the first checkpoint.
    const probe = join(this.folder, '.limbeck-writable');
    await writeFileAtomic(probe, '').finally(() => rm(probe, { force: true }));
  }

  /** Takes back the folders that `create` made, after a run that failed before it wrote anything. */
  async removeIfEmpty(): Promise<void> {
    for (const folder of this.#created.reverse()) {
      if ((await readdir(folder)).length > 0) return;
      await rmdir(folder);
    }
  }

  async readRecord(): Promise<RunRecord | undefined> {
    if (!existsSync(this.paths.record)) return undefined;
    try {
      const record = JSON.parse(await readFile(this.paths.record, 'utf8')) as RunRecord;
      if (record.format === 'limbeck-run-1') return record;
    } catch {
      // Said below.
    }
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${this.paths.record} is not the record of a run; remove it to go on from the checkpoint`,
    );
  }

  /** The results, the record last: where it says finished, everything is there. */
  async write(record: RunRecord, set: DistilledSet): Promise<void> {
    const { dataset, config, engine, best } = record;
    const notes: ArtefactNotes = {
      dataset: dataset.name,
      classNames: dataset.classNames,
      mean: dataset.mean,
      std: dataset.std,
      engine: engine.description,
      options: config.options,
      validationAccuracy: best.validationAccuracy,
    };
    await writeFileAtomic(this.paths.artefact, encodeArtefact({ set, notes }));
    await writeFileAtomic(this.paths.sheet, encodePng(contactSheet(set, dataset)));
    await writeFileAtomic(this.paths.report, reportHtml(record, set));
    await writeFileAtomic(this.paths.record, `${JSON.stringify(record, null, 1)}\n`);
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
