import type { Reading } from '../data/load.js';
import { createNetwork, type Network, type NetworkOptions } from '../networks/index.js';
import type { ResolvedOptions } from '../runs/options.js';
import { lossNames } from '../train/loss.js';
import { plainTraining, resolveOptimizer, type Training } from '../train/training.js';
import { LimbeckError } from '../util/errors.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../util/safetensors.js';
import { checkFinite, damaged, readingOf, StoredFields } from '../util/stored-fields.js';
import { version } from '../util/version.js';
import { type DistilledSet, protocolName } from './evaluate.js';

/** What `distilled.safetensors` says about itself besides the set. */
export interface ArtefactNotes {
  /** Name of the data set. */
  readonly dataset: string;
  /** Where the data came from: the generated digits, or a file or folder that whoever evaluates must name. */
  readonly source?: 'digits' | 'folder';
  /** Training images, where `source` is `digits`. */
  readonly digitsSize?: number;
  /** How the files were read, where they leave something open. */
  readonly reading?: Reading;
  /** SHA-256, in hexadecimal, of all images and labels: tells whether an evaluation uses the same data. */
  readonly dataSha256?: string;
  /** Names of the classes, `[K]`. */
  readonly classNames: readonly string[];
  /** Per channel; images are stored as `(pixel - mean) / std` of pixels in 0..1. */
  readonly mean: readonly number[];
  /** As `mean`. */
  readonly std: readonly number[];
  /** What it was made on, in words. */
  readonly engine: string;
  /** What it was made with. */
  readonly options: ResolvedOptions;
  /** Percent. */
  readonly validationAccuracy: number;
}

/** What `distilled.safetensors` holds. */
export interface Artefact {
  /** The distilled set. */
  readonly set: DistilledSet;
  /** Where it comes from. */
  readonly notes: ArtefactNotes;
  /** Of whitened images: what they look like, pixels mostly in 0..1; written for others to look at. */
  readonly shown?: Float32Array;
}

const format = 'limbeck-distilled-1';
const file = 'distilled file';

/** `distilled.safetensors`: images, labels, learning rates, initial parameters, and everything needed to use them. */
export function encodeArtefact({ set, notes, shown }: Artefact): Uint8Array {
  const { network, steps, epochs, ipc, init, seed, training = plainTraining } = set;
  const n = ipc * network.classes;
  const tensors: Record<string, { shape: number[]; data: WritableData }> = {
    images: { shape: [steps, n, ...network.inputShape], data: set.images },
    labels: { shape: [steps, n, network.classes], data: set.labels },
    learning_rates: { shape: [set.learningRates.length], data: set.learningRates },
  };
  if (shown) tensors.images_shown = { shape: [steps, n, ...network.inputShape], data: shown };
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
    protocol: protocolName(set, { whitened: Boolean(notes.reading?.zca) }),
    set: JSON.stringify({ network, init, steps, epochs, ipc, seed, training }),
    notes: JSON.stringify(notes),
  });
}

/** Reads and checks what `encodeArtefact` wrote; ERR_FILE_FORMAT for anything else. */
export function decodeArtefact(bytes: Uint8Array): Artefact {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${file}: format is ${JSON.stringify(metadata.format)}, expected ${format}: give a distilled.safetensors written by limbeck`,
    );
  const header = headerOf(StoredFields.parse(file, 'set', metadata.set));
  const network = networkOf(header.network);
  const notes = notesOf(StoredFields.parse(file, 'notes', metadata.notes), network);
  const { steps, epochs, ipc, init } = header;
  const n = ipc * network.classes;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const take = (name: string, length?: number): Float32Array => {
    const tensor = tensors[name];
    if (!(tensor?.data instanceof Float32Array) || (length !== undefined && tensor.data.length !== length))
      throw damaged(
        file,
        `tensor ${name} is ${tensor ? `of type ${tensor.data.constructor.name} with ${tensor.data.length} elements` : 'missing'}, expected F32${length === undefined ? '' : ` of ${length}`}`,
      );
    checkFinite(file, name, tensor.data);
    return tensor.data;
  };
  const set: DistilledSet = {
    ...header,
    images: take('images', steps * n * pixels),
    labels: take('labels', steps * n * network.classes),
    // One for every inner step, or one that they share.
    learningRates: take('learning_rates', tensors.learning_rates?.data.length === 1 ? 1 : steps * epochs),
    initialParameters: init === 'fixed' ? take('initial_parameters') : undefined,
  };
  const parameters = set.initialParameters?.length;
  if (parameters === 0 || (parameters !== undefined && parameters % network.count !== 0))
    throw damaged(
      file,
      `initial_parameters has ${parameters} elements, expected a multiple of ${network.count}`,
    );
  return { set, notes };
}

function headerOf(fields: StoredFields): Omit<DistilledSet, 'images' | 'labels' | 'learningRates'> {
  const network = fields.object('network');
  return {
    network: {
      ...network.all(),
      name: network.text('name'),
      inputShape: network.numbers('inputShape', 3) as [number, number, number],
      classes: network.whole('classes', 2),
    },
    init: fields.word('init', ['fixed', 'random']),
    steps: fields.whole('steps', 1),
    epochs: fields.whole('epochs', 1),
    ipc: fields.whole('ipc', 1),
    seed: fields.whole('seed', 0),
    training: fields.optional('training', (name) => trainingOf(fields.object(name))) ?? plainTraining,
  };
}

/** Files from before there was a choice do not name it. */
function trainingOf(fields: StoredFields): Training {
  const optimizer = fields.object('optimizer').all() as unknown as Training['optimizer'];
  try {
    resolveOptimizer(optimizer);
  } catch (cause) {
    throw damaged(file, `set.training: ${(cause as Error).message}`, cause);
  }
  return { optimizer, loss: fields.word('loss', lossNames) };
}

function networkOf(options: NetworkOptions): Network {
  try {
    return createNetwork(options);
  } catch (cause) {
    throw damaged(file, `set.network: ${(cause as Error).message}`, cause);
  }
}

function notesOf(fields: StoredFields, { inputShape: [channels], classes }: Network): ArtefactNotes {
  return {
    dataset: fields.text('dataset'),
    source: fields.optional('source', (name) => fields.word(name, ['digits', 'folder'])),
    digitsSize: fields.optional('digitsSize', (name) => fields.whole(name, 1)),
    reading: fields.optional('reading', (name) => readingOf(fields.object(name))),
    dataSha256: fields.optional('dataSha256', (name) => fields.text(name)),
    classNames: fields.texts('classNames', classes),
    mean: fields.numbers('mean', channels),
    std: fields.numbers('std', channels, { expected: 'numbers above 0', test: (value) => value > 0 }),
    engine: fields.text('engine'),
    options: fields.options('options'),
    validationAccuracy: fields.number('validationAccuracy'),
  };
}
