import { createNetwork, type NetworkOptions } from '../networks/index.js';
import { LimbeckError } from '../util/errors.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../util/safetensors.js';
import { version } from '../util/version.js';
import { type DistilledSet, protocolName } from './evaluate.js';
import type { ResolvedOptions } from './options.js';

/** What `distilled.safetensors` says about itself besides the set. */
export interface ArtefactNotes {
  readonly dataset: string;
  readonly classNames: readonly string[];
  /** Per channel; images are stored as `(pixel - mean) / std` of pixels in 0..1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly engine: string;
  readonly options: ResolvedOptions;
  /** Percent. */
  readonly validationAccuracy: number;
}

export interface Artefact {
  readonly set: DistilledSet;
  readonly notes: ArtefactNotes;
}

const format = 'limbeck-distilled-1';

/** `distilled.safetensors`: images, labels, learning rates, initial parameters, and everything needed to use them. */
export function encodeArtefact({ set, notes }: Artefact): Uint8Array {
  const { network, steps, epochs, ipc, init, seed } = set;
  const n = ipc * network.classes;
  const tensors: Record<string, { shape: number[]; data: WritableData }> = {
    images: { shape: [steps, n, ...network.inputShape], data: set.images },
    labels: { shape: [steps, n, network.classes], data: set.labels },
    learning_rates: { shape: [steps * epochs], data: set.learningRates },
  };
  if (set.initialParameters) {
    const { count } = createNetwork(network);
    tensors.initial_parameters = {
      shape: [set.initialParameters.length / count, count],
      data: set.initialParameters,
    };
  }
  return encodeSafetensors(tensors, {
    format,
    version,
    protocol: protocolName(set),
    set: JSON.stringify({ network, init, steps, epochs, ipc, seed }),
    notes: JSON.stringify(notes),
  });
}

function parse<T>(text: string | undefined, name: string): T {
  try {
    return JSON.parse(text ?? '') as T;
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `distilled file: metadata ${name} is not JSON; the file is damaged`,
      { cause },
    );
  }
}

/** Reads and checks what `encodeArtefact` wrote; ERR_FILE_FORMAT for anything else. */
export function decodeArtefact(bytes: Uint8Array): Artefact {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `distilled file: format is ${JSON.stringify(metadata.format)}, expected ${format}: give a distilled.safetensors written by limbeck`,
    );
  const header = parse<Omit<DistilledSet, 'images' | 'labels' | 'learningRates'>>(metadata.set, 'set');
  const notes = parse<ArtefactNotes>(metadata.notes, 'notes');
  const { steps, epochs, ipc, init } = header;
  if (
    ![steps, epochs, ipc].every((size) => Number.isInteger(size) && size > 0) ||
    !['fixed', 'random'].includes(init)
  )
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      'distilled file: steps, epochs, ipc or init in its metadata are not usable',
    );
  const network = createNetwork(header.network as NetworkOptions);
  const n = ipc * network.classes;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const take = (name: string, length?: number): Float32Array => {
    const tensor = tensors[name];
    if (!(tensor?.data instanceof Float32Array) || (length !== undefined && tensor.data.length !== length))
      throw new LimbeckError(
        'ERR_FILE_FORMAT',
        `distilled file: tensor ${name} is ${tensor ? `of type ${tensor.data.constructor.name} with ${tensor.data.length} elements` : 'missing'}, expected F32${length === undefined ? '' : ` of ${length}`}`,
      );
    if (!tensor.data.every(Number.isFinite))
      throw new LimbeckError('ERR_DATA', `distilled file: tensor ${name} holds numbers that are not finite`);
    return tensor.data;
  };
  const set: DistilledSet = {
    ...header,
    images: take('images', steps * n * pixels),
    labels: take('labels', steps * n * network.classes),
    learningRates: take('learning_rates', steps * epochs),
    initialParameters: init === 'fixed' ? take('initial_parameters') : undefined,
  };
  if (set.initialParameters && set.initialParameters.length % network.count !== 0)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `distilled file: initial_parameters has ${set.initialParameters.length} elements, expected a multiple of ${network.count}`,
    );
  return { set, notes };
}
