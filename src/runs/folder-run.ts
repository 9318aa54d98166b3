import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { platform, release } from 'node:os';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expertFileName } from '../data/experts/format.js';
import type { Device } from '../engine/device.js';
import { decodeArtefact } from '../eval/artefact.js';
import { type EvaluateOptions, type Evaluation, evaluate } from '../eval/evaluate.js';
import { findProtocol } from '../eval/find-protocol.js';
import { protocolName } from '../eval/protocol-name.js';
import type { DistillOptions } from '../methods/index.js';
import { LimbeckError } from '../util/errors.js';
import { expectOptions } from '../util/expect.js';
import { version } from '../util/version.js';
import { encodeCheckpoint } from './checkpoint.js';
import type { CheckpointExtra } from './checkpoint-extra.js';
import { describeData } from './describe-data.js';
import { distill } from './distill.js';
import type { Checkpoint, Distillation, DistillControl } from './distillation.js';
import { engineRecord } from './engine-record.js';
import { extended } from './extend.js';
import { LiveFiles } from './live-files.js';
import { openNamed } from './named.js';
import { type ResolvedOptions, resolveFor, type Taken } from './options.js';
import { testFlops } from './plan/measure.js';
import { type DistillationPlan, planDistillation, refuseUnlessItFits } from './plan/plan.js';
import { type DatasetRecord, type RunConfig, type RunOrigin, type RunRecord, runFormat } from './record.js';
import type { RunFiles } from './run-files.js';
import { isSameRecord } from './same-run.js';
import { type Named, planFor } from './setting.js';

/** How to follow a run in a folder, and stop it. */
export interface RunControl {
  /**
   * Stops after the current piece of work, or in the middle of the test. What there is is written, the record says `stopped`,
   * and `resumeFolder` goes on. Before the run begins, while it is planned, its reason is thrown, and nothing is written.
   */
  readonly signal?: AbortSignal | undefined;
  /** Before the first outer step, when nothing that can be known to be wrong is left. */
  readonly onBegin?: ((run: BegunRun) => void) | undefined;
  /** While it distils. */
  readonly onProgress?: DistillControl['onProgress'] | undefined;
  /** When it goes back because its numbers are no longer finite. */
  readonly onRollback?: DistillControl['onRollback'] | undefined;
  /** While the result is tested, after the last outer step. */
  readonly onTest?: EvaluateOptions['onProgress'] | undefined;
  /** Why it is this engine, for the record. */
  readonly reason?: string;
}

const controls = {
  signal: true,
  onBegin: true,
  onProgress: true,
  onRollback: true,
  onTest: true,
  reason: true,
} satisfies Record<keyof RunControl, true>;

/** What is about to be done. */
export interface BegunRun extends Pick<RunRecord, 'config' | 'engine' | 'dataset'> {
  /** Outer steps done by earlier pieces of the run. */
  readonly iteration: number;
  /** What is wrong with the newest checkpoint, where it goes on from the one before. */
  readonly damage?: string;
  /** What it takes, with the operations of the test at the end where these are soon found out; nothing has been timed. A run that is resumed goes on whatever it `lacks`. */
  readonly plan: DistillationPlan;
}

/** How to begin a run in a folder. */
export interface DistillToFolderControl extends RunControl {
  /** Whether to replace a run that lies in the folder; refused otherwise. */
  readonly force?: boolean;
  /** What `limbeck resume` and `limbeck evaluate` need to open the data and the engine by themselves. */
  readonly origin?: RunOrigin;
}

/** What a run in a folder came to. */
export interface FolderRun {
  /** As in `run.json`. */
  readonly record: RunRecord;
  /** As in `distilled.safetensors`. */
  readonly set: DistilledSet;
}

/** What a run was begun with, and how far it is. */
export interface StoredRun extends CheckpointExtra {
  /** Outer steps done. */
  readonly iteration: number;
}

/** Distils into the folder of `run`; see `distillToFolder`. */
export async function distillInto(
  run: RunFiles,
  device: Device,
  dataset: Dataset,
  given: DistillOptions = {},
  control: DistillToFolderControl = {},
): Promise<FolderRun> {
  expectOptions('distillToFolder', control, { ...controls, force: true, origin: true });
  const { force, origin, reason, signal } = control;
  const { options, taken, fitted } = resolveFor('distillToFolder', given, dataset);
  // Everything that can be wrong is found before the folder is made.
  planFor(options, dataset);
  const unlessEmpty = (some: Taken) => (Object.keys(some).length ? some : undefined);
  const config: RunConfig = {
    ...{ ...origin, device: origin?.device ?? device.engine, options },
    ...{ preset: unlessEmpty(taken), fitted: unlessEmpty(fitted) },
  };
  const record = describeData(dataset);
  await using named = await openNamed(options, record);
  const plan = await planWithin(run, device, dataset, options, { named, signal });
  refuseUnlessItFits(plan);
  // Awaited here, where what the options name is still open.
  return await inside(run, { force }, async () => {
    run.refuseToOverwrite();
    const extra = { config, engine: engineRecord(device, reason), sha256: record.sha256 };
    return distillAndTest(device, dataset, run, { extra, dataset: record, control, named, plan });
  });
}

/** How to go on with a run in a folder. */
export interface ResumeControl extends RunControl {
  /** Outer steps of the whole run, where it is to go on to others than it was begun with; a finished run goes on, too. */
  readonly iterations?: number;
}

/** Goes on with the run in the folder of `run`; see `resumeFolder`. */
export async function resumeIn(
  run: RunFiles,
  device: Device,
  dataset: Dataset,
  control: ResumeControl = {},
): Promise<FolderRun> {
  expectOptions('resumeFolder', control, { ...controls, iterations: true });
  const { iterations, signal } = control;
  const finished = await run.readRecord();
  const asked = describeData(dataset);
  if (finished && !isSameRecord(finished.dataset, asked)) throw otherData(finished, asked);
  if (finished && isFinished(finished) && iterations === undefined)
    return { record: finished, set: decodeArtefact(await readFile(run.paths.artefact)).set };
  checkHoldsCheckpoint(run);
  return inside(run, {}, async () => {
    // Read when no other process can be writing it.
    const saved = await run.checkpoints.read();
    const { checkpoint, extra } = iterations === undefined ? saved : extended(saved, iterations, dataset);
    if (asked.sha256 !== extra.sha256)
      throw otherData({ config: extra.config, dataset: { ...asked, sha256: extra.sha256 } }, asked);
    const engine = engineRecord(device, control.reason, extra.engine);
    const { damage } = saved;
    const recoveries =
      damage === undefined
        ? extra.recoveries
        : [...(extra.recoveries ?? []), { iteration: checkpoint.iteration, reason: damage }];
    const { options } = checkpoint;
    await using named = await openNamed(options, { goesOn: true, sha256: asked.sha256 });
    // Not refused: memory may be short for a moment, and other options are not to be had.
    const plan = await planWithin(run, device, dataset, options, { named, signal, remedies: false });
    return await distillAndTest(device, dataset, run, {
      ...{ extra: { ...extra, engine, recoveries }, dataset: asked, control, named, plan },
      ...{ resume: checkpoint, damage },
    });
  });
}

function otherData(
  { config, dataset: begun }: Pick<RunRecord, 'config' | 'dataset'>,
  asked: DatasetRecord,
): LimbeckError {
  const differs =
    asked.sha256 === begun.sha256
      ? 'read in another way'
      : `checksum ${asked.sha256.slice(0, 12)}…, expected ${begun.sha256.slice(0, 12)}…`;
  return new LimbeckError(
    'ERR_DATA',
    `the data in ${config.dataset ?? asked.name} is not what this run was begun with (${differs}): restore it, or begin a new run`,
  );
}

/** What `resumeIn` needs a data set and an engine for. */
export async function readRunIn(run: RunFiles): Promise<StoredRun> {
  checkHoldsCheckpoint(run);
  const { checkpoint, extra } = await run.checkpoints.read();
  return { ...extra, iteration: checkpoint.iteration };
}

/** Values of a test split that are gone through to find out what the test takes, at most: a second or two, those of CIFAR-10 among them. */
const mostTestValues = 2 ** 25;

/** What a run takes, before anything of its size is allocated. */
async function planWithin(
  { folder }: RunFiles,
  device: Device,
  dataset: Dataset,
  options: ResolvedOptions,
  { named, signal, remedies }: { named: Named; signal?: AbortSignal | undefined; remedies?: boolean },
): Promise<DistillationPlan> {
  const { experts, pretrained, teacher } = named;
  const given = { experts, pretrained, teacher, signal };
  const control = { ...given, folder, remedies, timed: false, test: false };
  const plan = await planDistillation(device, dataset, options as DistillOptions, control);
  if (plan.lacks.length || dataset.test.images.length > mostTestValues) return plan;
  return { ...plan, flops: { ...plan.flops, test: await testFlops(device, dataset, options, given) } };
}

/** Whether a run needs no resuming: it was tested after its last step. */
export const isFinished = ({ stopped, testAccuracy }: RunRecord): boolean =>
  !stopped && testAccuracy !== null;

/** Does the work while other processes are kept out of the folder. */
async function inside<T>(run: RunFiles, options: { force?: boolean }, work: () => Promise<T>): Promise<T> {
  await run.open(options);
  try {
    return await work();
  } finally {
    await run.close();
  }
}

function checkHoldsCheckpoint({ folder, checkpoints }: RunFiles): void {
  if (checkpoints.exist()) return;
  const expert = join(folder, expertFileName(0));
  if (existsSync(expert) || existsSync(`${expert}.part`))
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} holds experts, expected a run: the same limbeck experts command goes on with them`,
    );
  const what = existsSync(folder) ? `${folder} holds no checkpoint` : `the folder ${folder} does not exist`;
  throw new LimbeckError(
    'ERR_FILE_MISSING',
    `${what}, expected ${join(folder, 'checkpoint.safetensors')}: name the --out folder of a run`,
  );
}

interface Piece {
  readonly extra: CheckpointExtra;
  readonly dataset: DatasetRecord;
  readonly control: RunControl;
  readonly named: Named;
  readonly plan: DistillationPlan;
  readonly resume?: Checkpoint;
  /** Why it goes on from the older of two checkpoints. */
  readonly damage?: string;
}

/** Distils, evaluates once on the test split, writes everything. */
async function distillAndTest(
  device: Device,
  data: Dataset,
  run: RunFiles,
  piece: Piece,
): Promise<FolderRun> {
  const { extra, control, named, plan, resume, damage } = piece;
  const { signal, onProgress, onRollback } = control;
  const { config, engine } = extra;
  const { options } = config;
  const iteration = resume?.iteration ?? 0;
  control.onBegin?.({ config, engine, dataset: piece.dataset, iteration, damage, plan });
  const opened = await run.testOpened();
  const live = new LiveFiles(run, data, (checkpoint) => recordOf(piece, soFar(checkpoint), opened));
  if (resume) await live.goOn(resume.curve);
  const result = await distill(device, data, options as DistillOptions, {
    ...{ signal, resume, onProgress, onRollback },
    ...{ first: named.first, weights: named.weights, experts: named.experts, pretrained: named.pretrained },
    ...{ teacher: named.teacher, firstLabels: named.firstLabels },
    onLook: (look) => live.look(look),
    onCheckpoint: async (checkpoint) => {
      await run.checkpoints.write(encodeCheckpoint(checkpoint, { ...extra }));
      await live.renew(checkpoint);
    },
  });
  const { set } = result;
  let record = recordOf(piece, result, await run.testOpened());
  // Numbers may stop being finite at the very last step, too.
  if (!result.stopped && result.diverged === undefined) {
    // Written before the test split is opened: a test that is cut off is counted too, and loses nothing.
    record = { ...record, testOpened: record.testOpened + 1 };
    await run.write(record, set, data);
    const before = performance.now();
    const evaluation = await evaluateUnlessStopped(device, data, set, {
      ...{ networks: options.networks, protocol: options.protocol, signal, onProgress: control.onTest },
      ...{ pretrained: named.pretrained, teacher: named.teacher },
    });
    const evaluationSeconds = (performance.now() - before) / 1000;
    const testOpened = Math.max(record.testOpened, await run.testOpened());
    record = withTest({ ...record, testOpened }, evaluation, evaluationSeconds);
  }
  await run.write(record, set, data);
  if (isFinished(record)) await run.checkpoints.dropOlder();
  return { record, set };
}

/** Undefined when it was interrupted. */
async function evaluateUnlessStopped(...given: Parameters<typeof evaluate>): Promise<Evaluation | undefined> {
  try {
    return await evaluate(...given);
  } catch (error) {
    if (given[3]?.signal?.aborted) return undefined;
    throw error;
  }
}

/** What a record needs to know of how a run went. */
type Course = Omit<Distillation, 'options' | 'preset' | 'stopped'>;

/** The course of a run up to a checkpoint. */
const soFar = ({ best, curve, iteration, seconds, rollbacks = [] }: Checkpoint): Course => ({
  ...{ set: best.set, curve, best, outerSteps: iteration, seconds, rollbacks },
  stepMilliseconds: { median: Number.NaN, min: Number.NaN },
});

/** The record of a run that is not tested. */
function recordOf({ extra, dataset }: Piece, result: Course, testOpened: number): RunRecord {
  const { config, engine } = extra;
  const { median, min } = result.stepMilliseconds;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    format: runFormat,
    config,
    seed: config.options.seed,
    versions: { limbeck: version, node: process.version },
    platform: `${platform()} ${process.arch} ${release()}`,
    engine,
    dataset,
    protocol: protocolName(
      result.set,
      findProtocol(config.options.protocol),
      Boolean(dataset.zca),
      dataset.text,
    ),
    stopped: true,
    rollbacks: result.rollbacks.length ? result.rollbacks : undefined,
    recoveries: extra.recoveries,
    diverged: result.diverged,
    ...(result.set.pretrained && { pretrained: result.set.pretrained }),
    outerSteps: result.outerSteps,
    curve: result.curve,
    best: result.best,
    testAccuracy: null,
    baselines: {},
    testOpened,
    timings: {
      seconds: result.seconds,
      evaluationSeconds: 0,
      stepMilliseconds: { median: finite(median), min: finite(min) },
    },
  };
}

function withTest(
  record: RunRecord,
  evaluation: Evaluation | undefined,
  evaluationSeconds: number,
): RunRecord {
  if (!evaluation) return record;
  const { accuracy: testAccuracy, baselines, perClass, confusion, learningRate, attack } = evaluation;
  const misled = attack && { attack };
  const timings = { ...record.timings, evaluationSeconds };
  return {
    ...record,
    stopped: false,
    testAccuracy,
    baselines,
    perClass,
    confusion,
    learningRate,
    ...misled,
    timings,
  };
}
