import type { DistilledArrays } from '../methods/outer-loop.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
  type WritableData,
} from '../util/safetensors.js';
import { checkFinite, damaged, StoredFields } from '../util/stored-fields.js';
import type { Checkpoint } from './distill.js';
import { type ResolvedOptions, rateCount } from './options.js';

const format = 'limbeck-checkpoint-1';
const file = 'checkpoint';

/** Bytes of a checkpoint; `extra` travels along (where the data came from, the engine). */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  extra: Readonly<Record<string, unknown>>,
): Uint8Array {
  const { options, iteration, curve, seconds, state, best } = checkpoint;
  const tensors: Record<string, { shape: number[]; data: WritableData }> = {};
  for (const [name, data] of Object.entries(state)) tensors[`state.${name}`] = { shape: [data.length], data };
  for (const [name, data] of Object.entries(best.distilled))
    tensors[`best.${name}`] = { shape: [data.length], data };
  const run = { options, iteration, curve, seconds, best: { ...best, distilled: undefined }, extra };
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
  const options = run.options('options');
  const best = run.object('best');
  const checkpoint: Checkpoint = {
    options,
    iteration: run.whole('iteration', 0),
    curve: run.objects('curve').map((point) => ({
      iteration: point.whole('iteration', 0),
      loss: point.number('loss'),
      validationAccuracy: point.number('validationAccuracy'),
      learningRates: point.numbers('learningRates', rateCount(options)),
    })),
    seconds: run.number('seconds'),
    best: {
      iteration: best.whole('iteration', 0),
      validationAccuracy: best.number('validationAccuracy'),
      distilled: distilledOf(tensors, options),
    },
    state: stateOf(tensors),
  };
  return { checkpoint, extra: run.object('extra').all() };
}

/** The best distilled data so far; its sizes must agree with the options. */
function distilledOf(
  tensors: Readonly<Record<string, StoredTensor>>,
  options: ResolvedOptions,
): DistilledArrays {
  const { steps, ipc } = options;
  const take = (name: string): Float32Array => {
    const data = tensors[`best.${name}`]?.data;
    if (!(data instanceof Float32Array)) throw damaged(file, `tensor best.${name} is missing or not F32`);
    checkFinite(file, `best.${name}`, data);
    return data;
  };
  const images = take('images');
  const labels = take('labels');
  const learningRates = take('learningRates');
  // Labels are [steps, ipc * K, K], and the images' pixels are known to the data set alone.
  const classes = Math.sqrt(labels.length / (steps * ipc));
  const count = steps * ipc * classes;
  if (!Number.isInteger(classes) || classes < 2 || images.length === 0 || images.length % count !== 0)
    throw damaged(
      file,
      `best.images has ${images.length} elements and best.labels ${labels.length}, which make no set of ` +
        `${steps} x ${ipc} images per class`,
    );
  if (learningRates.length !== rateCount(options))
    throw damaged(
      file,
      `best.learningRates has ${learningRates.length} elements, expected ${rateCount(options)} (steps x epochs, or one shared)`,
    );
  return { images, labels, learningRates };
}

/** The outer loop's tensors; it checks their names and sizes itself when it takes them back. */
function stateOf(tensors: Readonly<Record<string, StoredTensor>>): Checkpoint['state'] {
  const prefix = 'state.';
  const state = Object.entries(tensors).flatMap(([name, { data }]) => {
    if (!name.startsWith(prefix)) return [];
    checkFinite(file, name, data);
    return [[name.slice(prefix.length), data] as const];
  });
  if (!state.length) throw damaged(file, 'it holds no state to go on from');
  return Object.fromEntries(state) as Checkpoint['state'];
}
