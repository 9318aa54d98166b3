import { existsSync } from 'node:fs';
import { platform, release } from 'node:os';
import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import { encodeCheckpoint } from '../eval/checkpoint.js';
import { type Checkpoint, type Distillation, distill } from '../eval/distill.js';
import { type Evaluation, evaluate, protocolName } from '../eval/evaluate.js';
import type { ResolvedOptions } from '../eval/options.js';
import {
  count,
  counted,
  type DatasetRecord,
  duration,
  imageCount,
  type RunConfig,
  type RunRecord,
} from '../report/record.js';
import type { RunFolder } from '../report/run-folder.js';
import { writeFileAtomic } from '../util/atomic-file.js';
import { LimbeckError } from '../util/errors.js';
import { version } from '../util/version.js';
import type { CheckpointExtra } from './checkpoint-extra.js';
import { listenForStop, stoppedStatus } from './interrupt.js';
import { Terminal } from './progress.js';
import { resultLine } from './result.js';
import { accuracyTable } from './table.js';

export interface Run {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly data: Dataset;
  readonly dataRecord: DatasetRecord;
  readonly device: Device;
  readonly engine: RunRecord['engine'];
  readonly resume?: Checkpoint;
  readonly json: boolean;
}

/** Distils, evaluates once on the test split, writes everything; what `distill` and `resume` have in common. */
export async function carryOut(run: Run): Promise<number> {
  try {
    return await pursue(run);
  } catch (error) {
    throw withRemedy(error, run);
  }
}

/** What to do when the device was lost or has no room: nothing that was saved is gone. */
function withRemedy(error: unknown, { folder, engine }: Run): unknown {
  if (!(error instanceof LimbeckError) || engine.name !== 'webgpu') return error;
  if (error.code !== 'ERR_DEVICE' && error.code !== 'ERR_OUT_OF_MEMORY') return error;
  const what = existsSync(folder.paths.checkpoint)
    ? `the checkpoint is whole: go on with limbeck resume ${folder.folder}, or, if that fails too, with --device cpu`
    : 'nothing was saved yet: begin again, if that fails too with --device cpu';
  return new LimbeckError(error.code, `${error.message}; ${what}`, { cause: error });
}

async function pursue(run: Run): Promise<number> {
  const { folder, config, data, device, engine, json, resume } = run;
  const terminal = new Terminal(json);
  announce(terminal, run);
  using stop = listenForStop(() => terminal.say('Stopping after this piece; once more to quit at once.'));
  const { signal } = stop;

  const extra: CheckpointExtra = { config, engine, sha256: run.dataRecord.sha256 };
  const result = await distill(device, data, config.options, {
    signal,
    resume,
    onProgress: (event) => terminal.progress(event),
    onCheckpoint: (checkpoint) =>
      writeFileAtomic(folder.paths.checkpoint, encodeCheckpoint(checkpoint, { ...extra })),
  });
  terminal.clear();
  let record = recordOf(run, result, await folder.testOpened());
  let evaluation: Evaluation | undefined;
  // Numbers may stop being finite at the very last step, too.
  if (!result.stopped && result.diverged === undefined) {
    // Written before the test split is opened: a test that is cut off is counted too, and loses nothing.
    record = { ...record, testOpened: record.testOpened + 1 };
    await folder.write(record, result.set, data.zca);
    const before = performance.now();
    evaluation = await evaluateUnlessStopped(run, result, signal, terminal);
    terminal.clear();
    const evaluationSeconds = (performance.now() - before) / 1000;
    const testOpened = Math.max(record.testOpened, await folder.testOpened());
    record = withTest({ ...record, testOpened }, evaluation, evaluationSeconds);
  }
  await folder.write(record, result.set, data.zca);
  if (json) process.stdout.write(resultLine(record, folder.folder));
  else conclude(terminal, run, record, evaluation);
  if (result.diverged !== undefined) throw new LimbeckError('ERR_DIVERGED', result.diverged);
  return evaluation ? 0 : stoppedStatus;
}

function announce(terminal: Terminal, { engine, data, dataRecord, config, resume }: Run): void {
  const { name, splits, imageShape } = dataRecord;
  const source = config.dataset === 'digits' ? 'generated' : config.dataset;
  terminal.say(`Engine: ${engine.description}${engine.reason ? `: ${engine.reason}` : ''}`);
  terminal.say(
    `Data: ${name} (${source}), ${count(splits.train)} training, ${count(splits.validation)} validation and ` +
      `${count(splits.test)} test images of ${imageShape.join(' x ')}`,
  );
  if (data.splitNote) terminal.say(`      ${data.splitNote}`);
  terminal.say(`Plan: ${planText(config.options, dataRecord.classNames.length)}`);
  if (resume) terminal.say(`Going on after outer step ${count(resume.iteration)}`);
}

function planText(options: ResolvedOptions, classes: number): string {
  const { ipc, steps, epochs, init, population, iterations, batch, labels } = options;
  const networks = population > 1 ? ` of ${population} networks` : '';
  return (
    `${counted(imageCount(options, classes), 'distilled image')} (${ipc * steps} per class, ${labels} labels), ` +
    `${counted(steps, 'step')} x ${counted(epochs, 'epoch')}, ${init} initialisation${networks}, ` +
    `${counted(iterations, 'outer step')} of ${counted(batch, 'real image')}`
  );
}

/** Undefined when it was interrupted. */
async function evaluateUnlessStopped(
  { data, device, config }: Run,
  { set }: Distillation,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<Evaluation | undefined> {
  try {
    return await evaluate(device, data, set, {
      networks: config.options.networks,
      signal,
      onProgress: ({ stage, done, total }) => terminal.passing(`Testing ${stage} (${done}/${total})`),
    });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** The record of a run that is not tested. */
function recordOf({ config, dataRecord, engine }: Run, result: Distillation, testOpened: number): RunRecord {
  const { median, min } = result.stepMilliseconds;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  return {
    format: 'limbeck-run-1',
    config,
    seed: config.options.seed,
    versions: { limbeck: version, node: process.version },
    platform: `${platform()} ${process.arch} ${release()}`,
    engine,
    dataset: dataRecord,
    protocol: protocolName(result.set, { whitened: Boolean(dataRecord.zca) }),
    stopped: true,
    diverged: result.diverged,
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
  const { accuracy: testAccuracy, baselines, perClass } = evaluation;
  const timings = { ...record.timings, evaluationSeconds };
  return { ...record, stopped: false, testAccuracy, baselines, perClass, timings };
}

function conclude(
  terminal: Terminal,
  { folder, config }: Run,
  record: RunRecord,
  evaluation: Evaluation | undefined,
): void {
  const { paths } = folder;
  const images = imageCount(config.options, record.dataset.classNames.length);
  const { outerSteps, timings, best } = record;
  terminal.say(
    `${counted(outerSteps, 'outer step')} in ${duration(timings.seconds)}; best validation accuracy ` +
      `${best.validationAccuracy.toFixed(1)} % after step ${count(best.iteration)}`,
  );
  if (evaluation) {
    terminal.say(`\n${evaluation.protocol}\n${accuracyTable(images, evaluation)}\n`);
  } else if (record.diverged === undefined) {
    terminal.say(
      `Stopped before the end, so there is no test accuracy. To go on: limbeck resume ${folder.folder}`,
    );
  }
  for (const path of [paths.artefact, paths.sheet, paths.record, paths.report]) terminal.say(`Wrote ${path}`);
}
