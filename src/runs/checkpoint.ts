import { readSet, setHeader, setTensors } from '../eval/set-file.js';
import { expectArgument } from '../util/expect.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
  type WritableData,
} from '../util/safetensors.js';
import { checkFinite, damaged, StoredFields } from '../util/stored-fields.js';
import type { Checkpoint } from './distillation.js';
import { type ResolvedOptions, storedOptions } from './options.js';
import type { Rollback, SavedState } from './rollback.js';

const format = 'limbeck-checkpoint-1';
const file = 'checkpoint';

/** Bytes of a checkpoint; `extra` travels along (where the data came from, the engine). */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  extra: Readonly<Record<string, unknown>>,
): Uint8Array {
  const expected = 'a checkpoint, as `onCheckpoint` of `distill` or `decodeCheckpoint` gives it';
  for (const property of ['options', 'state', 'best'])
    expectArgument('encodeCheckpoint', 'checkpoint', checkpoint, property, expected);
  const { options, iteration, loss, curve, seconds, rollbacks, state, sound, best } = checkpoint;
  expectArgument('encodeCheckpoint', 'checkpoint.best', best, 'set', 'the best set so far');
  const tensors: Record<string, { shape: readonly number[]; data: WritableData }> = setTensors(
    best.set,
    'best.',
  );
  const add = (prefix: string, state: SavedState['state']) => {
    for (const [name, data] of Object.entries(state)) tensors[prefix + name] = { shape: [data.length], data };
  };
  add('state.', state);
  if (sound) add('sound.', sound.state);
  const run = {
    options,
    iteration,
    loss,
    curve,
    seconds,
    rollbacks,
    sound: sound && { iteration: sound.iteration, loss: sound.loss },
    best: { ...best, set: setHeader(best.set) },
    extra,
  };
  return encodeSafetensors(tensors, { format, run: JSON.stringify(run) });
}

/** What the bytes of a checkpoint hold. */
export interface StoredCheckpoint {
  /** What `distill` takes as `resume`. */
  checkpoint: Checkpoint;
  /** What travelled along. */
  extra: Record<string, unknown>;
}

/** Reads and checks what `encodeCheckpoint` wrote; ERR_FILE_FORMAT for anything else. `extra` is its writer's to check. */
export function decodeCheckpoint(bytes: Uint8Array): StoredCheckpoint {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw damaged(file, `format is ${JSON.stringify(metadata.format)}, expected ${format}`);
  const run = StoredFields.parse(file, 'run', metadata.run);
  const best = run.object('best');
  const set = readSet(file, best.object('set'), tensors, 'best.');
  const rates = set.use.kind === 'learned-steps' ? set.use.learningRates.length : undefined;
  const checkpoint: Checkpoint = {
    options: storedOptionsOf(run.object('options')),
    ...savedState(run, tensors, 'state.'),
    curve: run.objects('curve').map((point) => ({
      iteration: point.whole('iteration', 0),
      loss: point.number('loss'),
      validationAccuracy: point.number('validationAccuracy'),
      learningRates: rates === undefined ? undefined : point.numbers('learningRates', rates),
    })),
    seconds: run.number('seconds'),
    rollbacks: run.optional('rollbacks', () => readRollbacks(run)),
    sound: run.optional('sound', (name) => savedState(run.object(name), tensors, 'sound.')),
    best: {
      iteration: best.whole('iteration', 0),
      validationAccuracy: best.number('validationAccuracy'),
      set,
    },
  };
  return { checkpoint, extra: run.object('extra').all() };
}

/** The options of a run, as its files have them. */
export function storedOptionsOf(fields: StoredFields): ResolvedOptions {
  try {
    return storedOptions(fields.all());
  } catch (cause) {
    throw damaged(fields.file, `${fields.name}: ${(cause as Error).message}`, cause);
  }
}

/** Where a run went back to, as its files have it. */
export const readRollbacks = (run: StoredFields): Rollback[] =>
  run.objects('rollbacks').map((rollback) => ({
    iteration: rollback.whole('iteration', 0),
    factor: rollback.positive('factor'),
  }));

/** A state with the tensors of the process; who takes them back checks their names and sizes. */
function savedState(
  fields: StoredFields,
  tensors: Readonly<Record<string, StoredTensor>>,
  prefix: string,
): SavedState {
  const state = Object.entries(tensors).flatMap(([name, { data }]) => {
    if (!name.startsWith(prefix)) return [];
    checkFinite(file, name, data);
    return [[name.slice(prefix.length), data] as const];
  });
  if (!state.length) throw damaged(file, 'it holds no state to go on from');
  return {
    iteration: fields.whole('iteration', 0),
    loss: fields.optional('loss', (name) => fields.number(name)),
    state: Object.fromEntries(state) as SavedState['state'],
  };
}
