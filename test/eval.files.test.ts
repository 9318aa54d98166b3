/** Distilled files and checkpoints: what is damaged or not ours gives an error that says so, never anything else. */
import { describe, expect, test } from 'vitest';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { type Artefact, decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { protocolName, protocolOf } from '../src/eval/protocol-name.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import type { Checkpoint } from '../src/runs/distillation.js';
import { resolveOptions } from '../src/runs/options.js';
import type { Training } from '../src/train/training.js';
import { crc32 } from '../src/util/crc32.js';
import { LimbeckError } from '../src/util/errors.js';
import { Stream } from '../src/util/random.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../src/util/safetensors.js';
import { learnedSet, stepsOf } from './harness/distilled-set.js';

const options = resolveOptions({ network: 'mlp', init: 'random', steps: 2, epochs: 1 });
const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
const network = { name: 'mlp', inputShape: [1, 2, 2], classes: 3 } as const;
const numbers = { network, images: noise(2 * 3 * 4), labels: noise(2 * 3 * 3), seed: 5 };
const set = learnedSet({ ...numbers, steps: 2, learningRates: noise(2) });

const artefact: Artefact = {
  set,
  notes: {
    dataset: 'squares',
    source: 'folder',
    dataSha256: 'abc',
    classNames: ['one', 'two', 'three'],
    mean: [0.5],
    std: [0.25],
    engine: 'cpu (avx7)',
    options,
    validationAccuracy: 40,
  },
};
const checkpoint: Checkpoint = {
  options,
  iteration: 4,
  curve: [{ iteration: 4, loss: 2.5, validationAccuracy: 40, learningRates: [0.1, 0.2] }],
  seconds: 1.5,
  state: { pixels: set.images, 'pixels.m': new Float64Array([1, 2]) },
  best: { iteration: 4, validationAccuracy: 40, set },
};

const kinds = {
  artefact: {
    bytes: encodeArtefact(artefact),
    /** Reads, and writes again: what was read is whole. */
    through: (bytes: Uint8Array) => encodeArtefact(decodeArtefact(bytes)),
  },
  checkpoint: {
    bytes: encodeCheckpoint(checkpoint, { config: {} }),
    through: (bytes: Uint8Array) => {
      const read = decodeCheckpoint(bytes);
      return encodeCheckpoint(read.checkpoint, read.extra);
    },
  },
};

describe.each(Object.entries(kinds))('%s', (_, { bytes, through }) => {
  test('comes back as it was', () => {
    expect(through(bytes)).toEqual(bytes);
  });

  const outcome = (damaged: Uint8Array): 'read' | 'refused' => {
    try {
      through(damaged);
      return 'read';
    } catch (error) {
      if (!(error instanceof LimbeckError)) throw error;
      expect(error.code).toBe('ERR_FILE_FORMAT');
      return 'refused';
    }
  };

  test('cut off anywhere is refused', () => {
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 300))
      expect(outcome(bytes.subarray(0, length))).toBe('refused');
  });

  /** The bytes with one changed here or there. */
  function* damages(of: Uint8Array): Generator<Uint8Array> {
    const random = new Stream(1, 1);
    for (let i = 0; i < 800; i++) {
      const damaged = of.slice();
      const at = Math.floor(random.uniform(2 * i) * of.length);
      // Half of them to a digit or a sign of JSON, which leaves more of the text readable.
      const word = random.u32(2 * i + 1);
      damaged[at] = i % 2 ? word & 255 : '0123456789,:[]{}"-e.'.charCodeAt(word % 20);
      if (damaged[at] !== of[at]) yield damaged;
    }
  }

  test('with a byte changed is refused', () => {
    for (const damaged of damages(bytes)) expect(outcome(damaged)).toBe('refused');
  });

  test('with a bit changed in what names the checksum is refused', () => {
    const key = Buffer.from(bytes).indexOf('limbeck.crc32');
    for (let bit = 0; bit < 8 * 'limbeck.crc32'.length; bit++) {
      const damaged = bytes.slice();
      damaged[key + (bit >> 3)] ^= 1 << (bit & 7);
      expect(outcome(damaged)).toBe('refused');
    }
  });

  /** The bytes with the checksum that they should have. */
  function sealed(damaged: Uint8Array): Uint8Array {
    const sum = Buffer.from(bytes).indexOf('limbeck.crc32') + 'limbeck.crc32":"'.length;
    damaged.set(Buffer.from('00000000'), sum);
    damaged.set(Buffer.from(crc32(damaged).toString(16).padStart(8, '0')), sum);
    return damaged;
  }

  test('with a byte changed and the checksum of that is read or refused, nothing else', () => {
    const counts = { read: 0, refused: 0 };
    for (const damaged of damages(bytes)) counts[outcome(sealed(damaged))]++;
    expect(counts.read).toBeGreaterThan(20);
    expect(counts.refused).toBeGreaterThan(200);
  });
});

/** The file with one field of its metadata (`set.steps`, `run.best.iteration`) replaced; undefined removes it. */
function withField(bytes: Uint8Array, path: string, value: unknown): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const [entry, ...names] = path.split('.');
  const content = JSON.parse(metadata[entry]);
  const last = names.pop()!;
  names.reduce((fields, name) => fields[name], content)[last] = value;
  const stored = tensors as Record<string, { shape: number[]; data: WritableData }>;
  return encodeSafetensors(stored, { ...metadata, [entry]: JSON.stringify(content) });
}

test.each<[keyof typeof kinds, string, unknown, RegExp]>([
  ['artefact', 'set.network', 'mlp', /set.network is "mlp", expected an object/],
  ['artefact', 'set.network.name', 'mlq', /set.network: network "mlq" is unknown/],
  [
    'artefact',
    'set.use.kind',
    'magic',
    /set.use.kind is "magic", expected one of learned-steps, minibatches/,
  ],
  ['artefact', 'set.use.steps', 1e9, /set.use.steps is 1000000000, expected a divisor of the 6 images/],
  [
    'artefact',
    'set.use.epochs',
    1e9,
    /learning_rates is of type Float32Array with 2 elements, expected F32 of/,
  ],
  ['artefact', 'set.use.init', 'fixed', /tensor initial_parameters is missing/],
  ['artefact', 'set.stored.pictures', 4, /set.stored.pictures is 4, expected a divisor of the 6 images/],
  ['artefact', 'set.stored.variables', ['bases'], /tensor stored.bases is missing/],
  ['artefact', 'set.use.training.optimizer', { kind: 'lion' }, /set.use.training: .*"lion" is unknown/],
  ['artefact', 'set.use.training.loss', 'hinge', /training.loss is "hinge"/],
  ['artefact', 'set.seed', -1, /set.seed is -1, expected a whole number of at least 0/],
  ['artefact', 'notes.mean', [0.5, 0.5], /notes.mean is a list, expected a list of 1 numbers/],
  ['artefact', 'notes.std', [0], /notes.std is a list, expected a list of 1 numbers above 0/],
  [
    'artefact',
    'notes.classNames',
    ['one', 'two', 3],
    /notes.classNames is a list, expected a list of 3 texts/,
  ],
  ['artefact', 'notes.source', 'attic', /notes.source is "attic", expected one of digits, folder/],
  ['artefact', 'notes.options', 'the usual', /notes.options is "the usual", expected an object/],
  ['artefact', 'notes.validationAccuracy', null, /validationAccuracy is null, expected a finite number/],
  ['checkpoint', 'run.iteration', 1.5, /run.iteration is 1.5, expected a whole number/],
  ['checkpoint', 'run.seconds', 'long', /run.seconds is "long", expected a finite number/],
  ['checkpoint', 'run.curve', {}, /run.curve is an object, expected a list/],
  ['checkpoint', 'run.curve.0.loss', null, /run.curve\[0\].loss is null, expected a finite number/],
  ['checkpoint', 'run.options.ipc', undefined, /run.options: options lack ipc/],
  ['checkpoint', 'run.options.colour', 'red', /run.options: option colour is unknown/],
  ['checkpoint', 'run.options.method', undefined, /run.options: option method is missing/],
  ['checkpoint', 'run.options.method', 'magic', /run.options: option method is "magic", expected one of/],
  ['checkpoint', 'run.options.steps', 4, /run.options: ipc is 2 and steps is 4/],
  ['checkpoint', 'run.best.set.network.name', 'mlq', /run.best.set.network: network "mlq" is unknown/],
  [
    'checkpoint',
    'run.options.schedule',
    { kind: 'bumpy' },
    /one of cosine, step, halfway, constant as its kind/,
  ],
  ['checkpoint', 'run.best', undefined, /run.best is missing, expected an object/],
])('%s with a wrong %s', (kind, path, value, message) => {
  const { bytes, through } = kinds[kind];
  expect(() => through(withField(bytes, path, value))).toThrow(message);
});

test.each<[string, WritableData | undefined, RegExp]>([
  [
    'labels',
    new Float32Array(3),
    /tensor labels is of type Float32Array with 3 elements, expected F32 of 18/,
  ],
  ['labels', undefined, /tensor labels is missing/],
  ['images', new Int32Array(24), /tensor images is of type Int32Array/],
  ['images', new Float32Array(24).fill(Number.NaN), /images holds NaN at place 0/],
  ['classes', new Float32Array(6), /tensor classes is missing or not I32/],
  [
    'classes',
    new Int32Array(12),
    /tensor images is of type Float32Array with 24 elements, expected F32 of 48/,
  ],
])('a set whose %s are others', (name, data, message) => {
  const { tensors, metadata } = decodeSafetensors(kinds.artefact.bytes);
  const { [name]: _, ...others } = tensors as Record<
    string,
    { shape: readonly number[]; data: WritableData }
  >;
  const changed = data ? { ...others, [name]: { shape: [data.length], data } } : others;
  expect(() => decodeArtefact(encodeSafetensors(changed, metadata))).toThrow(message);
});

test('a set says how it is trained on, and takes one rate for all steps', () => {
  const training: Training = {
    optimizer: { kind: 'nesterov', momentum: 0.8, weightDecay: 0.01 },
    loss: 'binary-cross-entropy',
  };
  const shared = learnedSet({ ...numbers, steps: 2, training, learningRates: noise(1) });
  const back = decodeArtefact(encodeArtefact({ ...artefact, set: shared })).set;
  expect(back).toEqual(shared);
  expect(protocolName(back, protocolOf(back), false)).toMatch(
    /Nesterov SGD with momentum 0.8, weight decay 0.01 on binary cross entropy in the learned order$/,
  );
});

/** For ordinary training, decoded from something smaller. */
const minibatches: DistilledSet = {
  ...set,
  method: 'matching',
  use: { kind: 'minibatches', protocol: 'mtt', learningRate: 0.0125 },
  stored: {
    parametrisation: { name: 'halves', factor: 2 },
    pictures: 3,
    variables: { bases: { shape: [3, 1, 2], data: noise(6) } },
  },
};

test('a set for training in minibatches comes back with its protocol and what it was decoded from', () => {
  const bytes = encodeArtefact({ ...artefact, set: minibatches });
  const back = decodeArtefact(bytes).set;
  expect(back).toEqual(minibatches);
  expect(protocolName(back, protocolOf(back), false)).toMatch(/^mlp, protocol mtt: /);
  expect(() => decodeArtefact(withField(bytes, 'set.use.learningRate', -0.01))).toThrow(
    /set.use.learningRate is -0.01, expected a number above 0/,
  );
  const under = (protocol: string) => decodeArtefact(withField(bytes, 'set.use.protocol', protocol));
  expect(() => under('dsb')).toThrow(/set.use.protocol: protocol "dsb" is unknown/);
  expect(() => under('learned-steps')).toThrow(
    /set.use.protocol is learned-steps, expected one of training in/,
  );
});

const best = (changes: Partial<DistilledSet>) => ({
  best: { ...checkpoint.best, set: { ...set, ...changes } },
});

test.each<[string, Partial<Checkpoint>, RegExp]>([
  ['no state', { state: {} }, /holds no state/],
  [
    'a state that is not finite',
    { state: { pixels: new Float32Array([1, Number.NaN]) } },
    /state.pixels holds NaN at place 1/,
  ],
  [
    'rates for other steps',
    best({ use: { ...stepsOf(set), learningRates: noise(3) } }),
    /tensor best.learning_rates is of type Float32Array with 3 elements, expected F32 of 2/,
  ],
  [
    'a class too many',
    best({ classes: Uint16Array.of(0, 1, 2, 0, 1, 3) }),
    /classes holds 3, expected classes from/,
  ],
  [
    'stored numbers that are not finite',
    best({
      stored: { ...minibatches.stored, variables: { bases: { shape: [1], data: Float32Array.of(1 / 0) } } },
    }),
    /best.stored.bases holds Infinity at place 0/,
  ],
])('a checkpoint with %s', (_, changes, message) => {
  expect(() => decodeCheckpoint(encodeCheckpoint({ ...checkpoint, ...changes }, {}))).toThrow(message);
});
