import type { Normalisation } from '../data/normalisation.js';
import { readPixelScale } from '../data/pixel-scale.js';
import type { TextEncoding } from '../data/text/encoding.js';
import { readText, textRecord, textTensors } from '../data/text/stored.js';
import { createNetwork, type Network, type NetworkOptions } from '../networks/index.js';
import { storedNetwork } from '../networks/stored.js';
import { type LossName, lossNames } from '../train/loss.js';
import { LimbeckError } from '../util/errors.js';
import { expectArgument } from '../util/expect.js';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
  type WritableData,
} from '../util/safetensors.js';
import { asGiven, checkFinite, damaged, StoredFields } from '../util/stored-fields.js';
import { version } from '../util/version.js';
import type { Accuracy } from './statistics.js';

/** A trained network, or several that answer together, with everything that is needed to use it. */
export interface Model {
  /** Its architecture. */
  readonly network: NetworkOptions;
  /** `[networks, count]`, in the order and layouts of `createNetwork(network).parameters`. */
  readonly parameters: Float32Array;
  /**
   * `[networks, statisticsCount]`: what batch norm normalises by, for every such layer the means and then the biased variances of
   * its channels. Left out for networks without batch norm.
   */
  readonly statistics?: Float32Array;
  /** What it was trained to minimise, which says how its outputs are read. */
  readonly loss: LossName;
  /** Names of the classes, `[K]`. */
  readonly classNames: readonly string[];
  /** How pixels become what it takes. */
  readonly normalisation: Normalisation;
  /** Where it comes from. */
  readonly notes: ModelNotes;
}

/** Where a network comes from: for people. */
export interface ModelNotes {
  /** Name of the data set. */
  readonly dataset: string;
  /** What it was trained on: `10 distilled images (unrolled)`, `all 60000 training images`. */
  readonly trainedOn: string;
  /** How, in words. */
  readonly protocol: string;
  /** On the test split, percent, where it was measured. */
  readonly testAccuracy?: Accuracy;
}

const format = 'limbeck-network-1';
const file = 'network file';

/** How many networks a model is made of. */
export const networksIn = ({ parameters }: Pick<Model, 'parameters'>, { count }: Network): number =>
  parameters.length / count;

/**
 * The bytes of `network.safetensors`: one tensor per parameter in PyTorch's layouts, `[networks, ...shape]`, or `shape` for a single
 * network, with `batch_statistics` where there is batch norm, `zca_mean` and `zca_transform` where images are whitened, and `words` and `embeddings` where it takes texts; all else
 * that is needed to use it is in its metadata.
 */
export function encodeModel(model: Model): Uint8Array {
  expectModel('encodeModel', model);
  const { network: options, parameters, statistics, loss, classNames, normalisation, notes } = model;
  const network = createNetwork(options);
  const { count, statisticsCount } = network;
  const networks = networksIn(model, network);
  const several = networks === 1 ? [] : [networks];
  const tensors: Record<string, { shape: readonly number[]; data: WritableData }> = {};
  for (const { name, offset, shape } of network.parameters) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(networks * size);
    for (let p = 0; p < networks; p++)
      data.set(parameters.subarray(p * count + offset, p * count + offset + size), p * size);
    tensors[name] = { shape: [...several, ...shape], data };
  }
  if (statistics) tensors.batch_statistics = { shape: [...several, statisticsCount], data: statistics };
  const { mean, std, zca, text, range, divisor, background } = normalisation;
  if (zca) {
    const n = zca.mean.length;
    tensors.zca_mean = { shape: [n], data: zca.mean };
    tensors.zca_transform = { shape: [n, n], data: zca.transform };
  }
  if (text) Object.assign(tensors, textTensors(text));
  return encodeSafetensors(tensors, {
    format,
    version,
    protocol: notes.protocol,
    model: JSON.stringify({
      network: options,
      networks,
      loss,
      classNames,
      mean,
      std,
      range,
      divisor,
      background,
      zca: zca !== undefined,
      text: text && textRecord(text),
    }),
    notes: JSON.stringify(notes),
  });
}

/** ERR_OPTION unless `value`, given to `where`, is a model; ERR_DATA, by what `decodeModel` asks for, for one that no file could hold. */
export function expectModel(where: string, value: unknown): asserts value is Model {
  const expected = 'a network: `model` of `trainOn`, or what `decodeModel` gives';
  expectArgument(where, 'model', value, 'parameters', expected);
  const { parameters, statistics, normalisation, notes } = value as Model;
  asGiven(() => {
    const fields = new StoredFields(where, 'model', value);
    const { network } = storedNetwork(fields);
    const { count, statisticsCount, inputShape, classes } = network;
    const networks = Math.max(1, Math.floor((parameters?.length ?? 0) / count));
    takenOf(where, 'parameters', parameters, networks * count);
    if (statisticsCount) takenOf(where, 'statistics', statistics, networks * statisticsCount);
    fields.word('loss', lossNames);
    fields.texts('classNames', classes);
    const { zca, text } = normalisation ?? {};
    const normalised = new StoredFields(where, 'model.normalisation', normalisation);
    scalesOf(normalised, inputShape[0]);
    const pixels = inputShape.reduce((a, b) => a * b, 1);
    if (zca) {
      takenOf(where, 'normalisation.zca.mean', zca.mean, pixels);
      takenOf(where, 'normalisation.zca.transform', zca.transform, pixels * pixels);
    }
    if (text) {
      checkText(where, text, inputShape);
      const words = normalised.object('text').texts('words');
      takenOf(where, 'normalisation.text.table', text.table, words.length * text.width);
    }
    readNotes(new StoredFields(where, 'model.notes', notes));
  });
}

/** The numbers of the channels. */
const scalesOf = (fields: StoredFields, channels: number): Pick<Normalisation, 'mean' | 'std'> => ({
  mean: fields.numbers('mean', channels),
  std: fields.numbers('std', channels, { expected: 'numbers above 0', test: (value) => value > 0 }),
});

function checkText(file: string, { length, width }: TextEncoding, inputShape: readonly number[]): void {
  if (`${[1, length, width]}` !== `${inputShape}`)
    throw damaged(
      file,
      `its texts are of ${length} x ${width}, expected ${inputShape.join(' x ')} as its network takes`,
    );
}

const readNotes = (notes: StoredFields): ModelNotes => ({
  dataset: notes.text('dataset'),
  trainedOn: notes.text('trainedOn'),
  protocol: notes.text('protocol'),
  testAccuracy: notes.optional('testAccuracy', (name) => accuracyOf(notes.object(name))),
});

/** Reads and checks what `encodeModel` wrote; ERR_FILE_FORMAT for anything else. */
export function decodeModel(bytes: Uint8Array): Model {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata.format !== format)
    throw new LimbeckError(
      'ERR_FILE_FORMAT',
      `${file}: format is ${JSON.stringify(metadata.format)}, expected ${format}: give a network.safetensors, as limbeck train writes it` +
        (metadata.format?.startsWith('limbeck-distilled')
          ? ' (limbeck train --on FILE makes one of a distilled set)'
          : ''),
    );
  const fields = StoredFields.parse(file, 'model', metadata.model);
  const { network, options } = storedNetwork(fields);
  const networks = fields.whole('networks', 1);
  const take = (name: string, size: number) => taken(tensors, name, size);
  const { count, statisticsCount, inputShape, classes } = network;
  // All are there before there is room for them: the number of networks may be any.
  const pieces = network.parameters.map(({ name, offset, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return { offset, size, data: take(name, networks * size) };
  });
  const parameters = new Float32Array(networks * count);
  for (const { offset, size, data } of pieces)
    for (let p = 0; p < networks; p++)
      parameters.set(data.subarray(p * size, (p + 1) * size), p * count + offset);
  const pixels = inputShape.reduce((a, b) => a * b, 1);
  const text = fields.optional('text', (name) => readText(file, fields.object(name), tensors));
  if (text) checkText(file, text, inputShape);
  return {
    network: options,
    parameters,
    ...(statisticsCount && { statistics: take('batch_statistics', networks * statisticsCount) }),
    loss: fields.word('loss', lossNames),
    classNames: fields.texts('classNames', classes),
    normalisation: {
      ...scalesOf(fields, inputShape[0]),
      ...readPixelScale(fields),
      ...(fields.truth('zca') && {
        zca: { mean: take('zca_mean', pixels), transform: take('zca_transform', pixels * pixels) },
      }),
      ...(text && { text }),
    },
    notes: readNotes(StoredFields.parse(file, 'notes', metadata.notes)),
  };
}

const taken = (tensors: Readonly<Record<string, StoredTensor>>, name: string, size: number): Float32Array =>
  takenOf(file, name, tensors[name]?.data, size);

function takenOf(
  file: string,
  name: string,
  data: StoredTensor['data'] | undefined,
  size: number,
): Float32Array {
  if (!(data instanceof Float32Array) || data.length !== size)
    throw damaged(
      file,
      `tensor ${name} is ${data ? `of type ${data.constructor.name} with ${data.length} elements` : 'missing'}, expected F32 of ${size}`,
    );
  checkFinite(file, name, data);
  return data;
}

const accuracyOf = (fields: StoredFields): Accuracy => ({
  mean: fields.number('mean'),
  std: fields.number('std'),
  networks: fields.whole('networks', 1),
});
