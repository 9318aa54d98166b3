import { readingOf } from '../data/reading.js';
import { precisions } from '../engine/precision.js';
import { StoredFields } from '../util/stored-fields.js';
import type { ResolvedOptions } from './options.js';
import type { RunConfig, RunRecord } from './record.js';

/** What travels with a checkpoint, so that it can be resumed by itself. */
export interface CheckpointExtra {
  /** What was asked for. */
  readonly config: RunConfig;
  /** What computed it so far. */
  readonly engine: RunRecord['engine'];
  /** Of the data. */
  readonly sha256: string;
  /** When it went on from the older of two checkpoints; left out where it never did. */
  readonly recoveries?: readonly Recovery[];
}

/** A time when a run went on from the checkpoint before the newest. */
export interface Recovery {
  /** Outer steps done then. */
  readonly iteration: number;
  /** What was wrong with the newest. */
  readonly reason: string;
}

const engines = ['webgpu', 'cpu', 'reference'] as const;

function deviceOf(config: StoredFields): RunConfig['device'] {
  const text = config.text('device');
  return text.startsWith('webgpu:')
    ? (text as `webgpu:${string}`)
    : config.word('device', ['auto', ...engines]);
}

/** Reads and checks what came with a checkpoint; ERR_FILE_FORMAT when it is not that of a run in a folder. */
export function readExtra(extra: Record<string, unknown>, options: ResolvedOptions): CheckpointExtra {
  const fields = new StoredFields('checkpoint', 'run.extra', extra);
  return {
    // The options as the checkpoint has them: those it goes on with.
    config: readConfig(fields.object('config'), options),
    engine: readEngine(fields.object('engine')),
    sha256: fields.text('sha256'),
    recoveries: fields.optional('recoveries', () => readRecoveries(fields)),
  };
}

/** When a run went on from an older checkpoint, as its files have it. */
export const readRecoveries = (run: StoredFields): Recovery[] =>
  run.objects('recoveries').map((recovery) => ({
    iteration: recovery.whole('iteration', 0),
    reason: recovery.text('reason'),
  }));

/** What was asked for, as the files of a run have it. */
export function readConfig(config: StoredFields, options: ResolvedOptions): RunConfig {
  return {
    dataset: config.optional('dataset', (name) => config.text(name)),
    digitsSize: config.optional('digitsSize', (name) => config.whole(name, 1)),
    reading: config.optional('reading', (name) => readingOf(config.object(name))),
    device: deviceOf(config),
    threads: config.optional('threads', (name) => config.whole(name, 1)),
    precision: config.optional('precision', (name) => config.word(name, precisions)),
    preset: config.optional('preset', (name) => config.object(name).all()),
    fitted: config.optional('fitted', (name) => config.object(name).all()),
    continued: config.optional('continued', (name) =>
      config.objects(name).map((one) => ({
        iteration: one.whole('iteration', 0),
        iterations: one.whole('iterations', 1),
      })),
    ),
    options,
  };
}

/** What computed it, as the files of a run have it. */
export function readEngine(engine: StoredFields): RunRecord['engine'] {
  return {
    name: engine.word('name', engines),
    description: engine.text('description'),
    reason: engine.optional('reason', (name) => engine.text(name)),
    processor: engine.optional('processor', (name) => engine.text(name)),
    earlierProcessors: engine.optional('earlierProcessors', (name) => engine.texts(name)),
  };
}
