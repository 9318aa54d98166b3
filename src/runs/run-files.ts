import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Dataset, Whitening } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { classExamples } from '../data/examples.js';
import type { Reading } from '../data/reading.js';
import { type ShownTexts, shownTexts } from '../data/text/shown.js';
import { unwhiten } from '../data/zca.js';
import { type ArtefactNotes, encodeArtefact } from '../eval/artefact.js';
import { addToFile, writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import type { PngImage } from '../util/png.js';
import { CheckpointFiles } from './checkpoint-files.js';
import type { CurvePoint, RunLook } from './distillation.js';
import { Film, type Frame } from './film.js';
import type { DatasetRecord, EvaluationRecord, RunRecord } from './record.js';
import { parseRecord } from './record-file.js';
import { RunLock } from './run-lock.js';
import { WorkFolder } from './work-folder.js';

/** A real picture of each class that has one. */
type Examples = readonly (PngImage | undefined)[];

/** What makes the pictures and the page of a run. */
export interface RunPages {
  /** The bytes of `distilled.png`. */
  sheet(set: DistilledSet, dataset: DatasetRecord, examples: Examples): Uint8Array;
  /** The text of `report.html`. */
  report(
    record: RunRecord,
    set: DistilledSet,
    more: { examples?: Examples; film?: readonly Frame[]; texts?: ShownTexts },
  ): string;
  /** What a frame of the film shows. */
  frame(set: DistilledSet, dataset: Dataset): Pick<Frame, 'black' | 'white' | 'png'>;
}

/** The names of the files of a run. */
export const runFileNames = {
  checkpoint: 'checkpoint.safetensors',
  olderCheckpoint: 'checkpoint.older.safetensors',
  artefact: 'distilled.safetensors',
  sheet: 'distilled.png',
  record: 'run.json',
  report: 'report.html',
  progress: 'progress.jsonl',
  film: 'film.jsonl',
} as const satisfies Record<keyof RunFiles['paths'], string>;

/** The last change under way to each record, in this process. */
const changing = new Map<string, Promise<void>>();

/** The files of a run in a folder; each is whole or absent at any moment. */
export class RunFiles {
  /** Where each file lies, or will. */
  readonly paths: Readonly<
    Record<
      'checkpoint' | 'olderCheckpoint' | 'artefact' | 'sheet' | 'record' | 'report' | 'progress' | 'film',
      string
    >
  >;
  /** @internal What it can go on from. */
  readonly checkpoints: CheckpointFiles;
  /** What the images were at its looks. */
  readonly film: Film;
  readonly #work: WorkFolder;

  /** Touches nothing yet. */
  constructor(
    /** Its path. */
    readonly folder: string,
    private readonly pages: RunPages,
  ) {
    if (typeof folder !== 'string' || !folder)
      throw new LimbeckError('ERR_OPTION', `the folder of a run is ${String(folder)}, expected its path`);
    this.paths = Object.fromEntries(
      Object.entries(runFileNames).map(([key, name]) => [key, join(folder, name)]),
    ) as RunFiles['paths'];
    this.checkpoints = new CheckpointFiles(this.paths);
    this.film = new Film(this.paths.film);
    this.#work = new WorkFolder(folder);
  }

  /** Whether a run lies in the folder, finished or not. */
  holdsRun(): boolean {
    return existsSync(this.paths.record) || this.checkpoints.exist();
  }

  /** Throws ERR_OPTION where a run lies in the folder already. */
  refuseToOverwrite(): void {
    if (!this.holdsRun()) return;
    const { folder } = this;
    throw new LimbeckError(
      'ERR_OPTION',
      `the folder ${folder} already holds a run: go on with it by limbeck resume ${folder}, name another folder, or replace it with --force`,
    );
  }

  /**
   * Makes the folder, keeps other processes out until `close`, and clears it of what killed processes and, with
   * `force`, an older run left there. After a failure it is as it was.
   */
  open({ force = false }: { force?: boolean } = {}): Promise<void> {
    return this.#work.open(this.paths.checkpoint, async () => {
      if (force) for (const path of Object.values(this.paths)) await rm(path, { force: true });
    });
  }

  /** Lets others in again, and takes back the folders that `open` made when nothing was written into them. */
  close(): Promise<void> {
    return this.#work.close();
  }

  /** `run.json`; undefined where there is none, ERR_FILE_FORMAT where it is something else. */
  async readRecord(): Promise<RunRecord | undefined> {
    const { record } = this.paths;
    if (!existsSync(record)) return undefined;
    try {
      return parseRecord(record, await readFile(record, 'utf8'));
    } catch (cause) {
      if (!(cause instanceof LimbeckError)) throw cause;
      throw new LimbeckError(cause.code, `${cause.message}; remove it to go on from the checkpoint`, {
        cause,
      });
    }
  }

  /** Whether a file is this run's distilled set, not another one that lies beside it. */
  owns(path: string): boolean {
    return resolve(path) === resolve(this.paths.artefact);
  }

  /** How often the test split was opened for this run, as far as its record can be read. */
  async testOpened(): Promise<number> {
    const record = await this.readRecord().catch(() => undefined);
    return record?.testOpened ?? 0;
  }

  /** Counts one more look at the test split, where there is a record; returns why it could not be counted, if so. */
  countTest(): Promise<string | undefined> {
    return this.#change((record) => ({ ...record, testOpened: record.testOpened + 1 }));
  }

  /**
   * Adds a later evaluation to the record and to the page, where there is a record; one under the same protocol of the same networks
   * and baselines takes the place of the earlier one. `data` as in `write`. Returns why it could not be added, if so.
   */
  async addEvaluation(
    evaluation: EvaluationRecord,
    set: DistilledSet,
    data: Dataset,
  ): Promise<string | undefined> {
    if (evaluation.sameData === false) return undefined;
    const asked = ({ protocol, accuracy, baselines, others }: EvaluationRecord) =>
      JSON.stringify([
        protocol,
        accuracy.networks,
        Object.entries(baselines).map(([name, { teacher }]) => [name, teacher]),
        others.map(({ network }) => network),
      ]);
    const same = (other: EvaluationRecord) => asked(other) === asked(evaluation);
    return this.#change(async (record) => {
      const earlier = (record.evaluations ?? []).filter((other) => !same(other));
      const changed = { ...record, evaluations: [...earlier, evaluation] };
      await this.#writePage(changed, asPictures(set, data.zca), data);
      return changed;
    });
  }

  /**
   * Changes the record, where there is one, and returns why it could not be, if so: it may be read-only or damaged, and whoever
   * evaluates may read the distilled file all the same.
   */
  async #change(change: (record: RunRecord) => RunRecord | Promise<RunRecord>): Promise<string | undefined> {
    if (!existsSync(this.paths.record)) return undefined;
    try {
      await this.#alone(async () => {
        const record = await this.readRecord();
        if (record) await this.#writeRecord(await change(record));
      });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Does what reads the record and writes it again while nobody else does, in this thread or another process. */
  async #alone(work: () => Promise<void>): Promise<void> {
    const key = resolve(this.paths.record);
    const before = changing.get(key);
    const mine = (async () => {
      await before?.catch(() => {});
      const lock = await RunLock.take(this.folder, { name: '.limbeck-record-lock', patience: 10_000 });
      try {
        await work();
      } finally {
        await lock.release();
      }
    })();
    changing.set(key, mine);
    try {
      await mine;
    } finally {
      if (changing.get(key) === mine) changing.delete(key);
    }
  }

  #writeRecord(record: RunRecord): Promise<void> {
    return writeFileAtomic(this.paths.record, `${recordText(record)}\n`);
  }

  /** `progress.jsonl` with these points of the curve, a line each. */
  beginProgress(points: readonly CurvePoint[]): Promise<void> {
    return writeFileAtomic(this.paths.progress, linesOf(points));
  }

  /** Adds further points. A run that is killed before leaves a file that its resumption begins anew. */
  addProgress(points: readonly CurvePoint[]): Promise<void> {
    return addToFile(this.paths.progress, linesOf(points));
  }

  /** Adds a look to the film, where it is one of those that are kept. */
  async addFrame({ set, look, iteration, validationAccuracy }: RunLook, data: Dataset): Promise<void> {
    if (data.text || !this.film.keeps(look)) return;
    const frame = this.pages.frame(set, data);
    await this.film.add({ look, iteration, validationAccuracy, ...frame });
  }

  /** Pictures and page alone, of a run under way; `data` as in `write`. */
  draw(record: RunRecord, set: DistilledSet, data: Dataset): Promise<void> {
    return this.#draw(record, asPictures(set, data.zca), data);
  }

  async #draw(
    record: RunRecord,
    shown: DistilledSet,
    data: Dataset,
    texts = shownTexts(data, shown.images),
  ): Promise<void> {
    if (!texts)
      await writeFileAtomic(this.paths.sheet, this.pages.sheet(shown, record.dataset, classExamples(data)));
    await this.#writePage(record, shown, data, texts);
  }

  async #writePage(
    record: RunRecord,
    shown: DistilledSet,
    data: Dataset,
    texts = shownTexts(data, shown.images),
  ): Promise<void> {
    const more = texts ? { texts } : { examples: classExamples(data), film: await this.film.frames() };
    await writeFileAtomic(this.paths.report, this.pages.report(record, shown, more));
  }

  /**
   * The results, the record last: where it says finished, everything is there. `data` is what the set was made from.
   */
  async write(record: RunRecord, set: DistilledSet, data: Dataset): Promise<void> {
    const { zca } = data;
    const shown = asPictures(set, zca);
    const { dataset, config, engine, best } = record;
    const notes: ArtefactNotes = {
      dataset: dataset.name,
      source: config.dataset === undefined ? undefined : config.dataset === 'digits' ? 'digits' : 'folder',
      digitsSize: config.dataset === 'digits' ? dataset.splits.train : undefined,
      reading: withoutPath(config.reading),
      dataSha256: dataset.sha256,
      classNames: dataset.classNames,
      mean: dataset.mean,
      std: dataset.std,
      range: dataset.range,
      divisor: dataset.divisor,
      background: dataset.background,
      text: dataset.text,
      // Not the number of threads: the file's bits do not depend on it.
      engine: engine.processor ?? engine.description,
      options: config.options,
      validationAccuracy: best.validationAccuracy,
    };
    const texts = shownTexts(data, set.images);
    const bytes = encodeArtefact({ set, notes, shown: zca && shown.images, nearest: texts?.nearest });
    await writeFileAtomic(this.paths.artefact, bytes);
    await this.#draw(record, shown, data, texts);
    await this.#alone(async () => {
      // Looks that others took meanwhile are not forgotten.
      const testOpened = Math.max(record.testOpened, await this.testOpened());
      await this.#writeRecord({ ...record, testOpened });
    });
  }
}

/** The file may be passed on: where somebody keeps their embeddings is nobody's business. */
const withoutPath = (reading?: Reading): Reading | undefined =>
  reading?.embeddings === undefined ? reading : { ...reading, embeddings: basename(reading.embeddings) };

/** A list of numbers stands on one line: the rows of a matrix can be read. */
const recordText = (record: RunRecord): string =>
  JSON.stringify(record, null, 1).replace(/\[\n[-+.,\deE\s]*\]/g, (list) => list.replace(/\s+/g, ' '));

/** Lines of JSON, one for each point. */
const linesOf = (points: readonly CurvePoint[]): string =>
  points.map((point) => `${JSON.stringify(point)}\n`).join('');

/** A set as pictures. */
const asPictures = (set: DistilledSet, zca?: Whitening): DistilledSet =>
  zca ? { ...set, images: unwhiten(zca, set.images) } : set;
