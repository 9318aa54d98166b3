/** Distilled files and checkpoints: what is damaged or not ours gives an error that says so, never anything else. */
import { describe, expect, test } from 'vitest';
import { type Artefact, decodeArtefact, encodeArtefact } from '../src/eval/artefact.js';
import { protocolName } from '../src/eval/evaluate.js';
import { decodeCheckpoint, encodeCheckpoint } from '../src/runs/checkpoint.js';
import type { Checkpoint } from '../src/runs/distill.js';
import { formerly, resolveOptions } from '../src/runs/options.js';
import type { Training } from '../src/train/training.js';
import { LimbeckError } from '../src/util/errors.js';
import { Stream } from '../src/util/random.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../src/util/safetensors.js';

const options = resolveOptions({ network: 'mlp', init: 'random', steps: 2, epochs: 1 });
const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
const distilled = { images: noise(2 * 3 * 4), labels: noise(2 * 3 * 3), learningRates: noise(2) };

const artefact: Artefact = {
  set: {
    ...distilled,
    network: { name: 'mlp', inputShape: [1, 2, 2], classes: 3 },
    init: 'random',
    steps: 2,
    epochs: 1,
    ipc: 1,
    seed: 5,
  },
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
  state: { images: distilled.images, 'images.m': new Float64Array([1, 2]) },
  best: { iteration: 4, validationAccuracy: 40, distilled },
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
    const key = Buffer.from(bytes).indexOf('limbeck.crc32');
    for (const damaged of damages(bytes))
      if (Buffer.from(damaged).indexOf('limbeck.crc32') === key) expect(outcome(damaged)).toBe('refused');
  });

  test('without its checksum and with a byte changed is read or refused, nothing else', () => {
    const counts = { read: 0, refused: 0 };
    const unchecked = bytes.slice();
    unchecked[Buffer.from(bytes).indexOf('limbeck.crc32')] = 'C'.charCodeAt(0);
    for (const damaged of damages(unchecked)) counts[outcome(damaged)]++;
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
  ['artefact', 'set.steps', 1e9, /tensor images is of type Float32Array with 24/],
  ['artefact', 'set.training', { optimizer: { kind: 'lion' }, loss: 'cross-entropy' }, /"lion" is unknown/],
  ['artefact', 'set.training', { optimizer: { kind: 'sgd' }, loss: 'hinge' }, /training.loss is "hinge"/],
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
  ['artefact', 'notes.options.ipc', undefined, /notes.options lacks ipc/],
  ['artefact', 'notes.options.colour', 'red', /notes.options: option colour is unknown/],
  ['artefact', 'notes.validationAccuracy', null, /validationAccuracy is null, expected a finite number/],
  ['checkpoint', 'run.iteration', 1.5, /run.iteration is 1.5, expected a whole number/],
  ['checkpoint', 'run.seconds', 'long', /run.seconds is "long", expected a finite number/],
  ['checkpoint', 'run.curve', {}, /run.curve is an object, expected a list/],
  ['checkpoint', 'run.curve.0.loss', null, /run.curve\[0\].loss is null, expected a finite number/],
  ['checkpoint', 'run.options.schedule', { kind: 'bumpy' }, /one of cosine, step, constant as its kind/],
  ['checkpoint', 'run.best', undefined, /run.best is missing, expected an object/],
])('%s with a wrong %s', (kind, path, value, message) => {
  const { bytes, through } = kinds[kind];
  expect(() => through(withField(bytes, path, value))).toThrow(message);
});

/** The file without some fields of its metadata, as versions that did not know them wrote it. */
const without = (bytes: Uint8Array, paths: readonly string[]) =>
  paths.reduce((file, path) => withField(file, path, undefined), bytes);

test('files from before there was a choice of optimiser and loss are read as what they were', () => {
  const later = Object.keys(formerly);
  expect(later).toContain('optimizer');
  const oldArtefact = without(kinds.artefact.bytes, [
    'set.training',
    ...later.map((name) => `notes.options.${name}`),
  ]);
  const { set, notes } = decodeArtefact(oldArtefact);
  expect(notes.options).toEqual({ ...options, ...formerly });
  expect(set.training).toEqual({ optimizer: { kind: 'sgd' }, loss: 'cross-entropy' });
  expect(protocolName(set)).toMatch(/plain SGD in the learned order$/);
  const oldCheckpoint = without(
    kinds.checkpoint.bytes,
    later.map((name) => `run.options.${name}`),
  );
  expect(decodeCheckpoint(oldCheckpoint).checkpoint.options).toEqual({ ...options, ...formerly });
});

test('a set says how it is trained on, and takes one rate for all steps', () => {
  const training: Training = {
    optimizer: { kind: 'nesterov', momentum: 0.8, weightDecay: 0.01 },
    loss: 'binary-cross-entropy',
  };
  const set = { ...artefact.set, training, learningRates: noise(1) };
  const back = decodeArtefact(encodeArtefact({ ...artefact, set })).set;
  expect(back).toEqual(set);
  expect(protocolName(back)).toMatch(
    /Nesterov SGD with momentum 0.8, weight decay 0.01 on binary cross entropy in the learned order$/,
  );
});

test.each<[string, Partial<Checkpoint>, RegExp]>([
  ['no state', { state: {} }, /holds no state/],
  [
    'a state that is not finite',
    { state: { images: new Float32Array([1, Number.NaN]) } },
    /state.images holds NaN at place 1/,
  ],
  [
    'a best set without labels',
    { best: { ...checkpoint.best, distilled: { ...distilled, labels: new Float32Array() } } },
    /best.labels 0, which make no set/,
  ],
  [
    'rates for other steps',
    { best: { ...checkpoint.best, distilled: { ...distilled, learningRates: noise(3) } } },
    /best.learningRates has 3 elements, expected 2/,
  ],
])('a checkpoint with %s', (_, changes, message) => {
  expect(() => decodeCheckpoint(encodeCheckpoint({ ...checkpoint, ...changes }, {}))).toThrow(message);
});
