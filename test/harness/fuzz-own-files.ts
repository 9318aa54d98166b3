/** The files of limbeck's own that the fuzzers damage, some with the checksum that the damaged ones should have, and what JSON in them may say. */
import { join } from 'node:path';
import { readConfig } from '../../src/cli/config.js';
import { command as distillCommand } from '../../src/cli/distill.js';
import { openExperts } from '../../src/data/experts/open.js';
import { decodeArtefact, encodeArtefact } from '../../src/eval/artefact.js';
import { decodeModel, encodeModel } from '../../src/eval/model.js';
import { createNetwork } from '../../src/networks/index.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/runs/checkpoint.js';
import { resolveOptions } from '../../src/runs/options.js';
import { parseRecord } from '../../src/runs/record-file.js';
import { crc32 } from '../../src/util/crc32.js';
import { decodeSafetensors, encodeSafetensors, type WritableData } from '../../src/util/safetensors.js';
import { learnedSet } from './distilled-set.js';
import { expertBytes } from './experts.js';
import { type Draws, extremes, type FuzzedReader, mutated } from './fuzz.js';
import { makeRecord } from './record.js';

const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i));
const network = { name: 'mlp', inputShape: [1, 2, 2], classes: 3 } as const;
const options = resolveOptions({ network: 'mlp', init: 'random', steps: 2, epochs: 1 });
const set = learnedSet({
  network,
  images: noise(24),
  labels: noise(18),
  steps: 2,
  learningRates: noise(2),
  seed: 5,
});
const classNames = ['one', 'two', 'three'];

const artefact = encodeArtefact({
  set,
  notes: {
    dataset: 'squares',
    source: 'folder',
    dataSha256: 'abc',
    classNames,
    mean: [0.5],
    std: [0.25],
    engine: 'cpu',
    options,
    validationAccuracy: 40,
  },
});
const checkpoint = encodeCheckpoint(
  {
    options,
    iteration: 4,
    curve: [{ iteration: 4, loss: 2.5, validationAccuracy: 40, learningRates: [0.1, 0.2] }],
    seconds: 1.5,
    state: { pixels: set.images },
    best: { iteration: 4, validationAccuracy: 40, set },
  },
  { config: {} },
);
const layers = [{ conv: 2, kernel: 2 }, 'batchNorm', 'relu', { residual: ['relu'] }, { linear: 3 }];
const own = { name: 'custom', layers, inputShape: [1, 2, 2], classes: 3 } as const;
const model = encodeModel({
  network: own,
  parameters: noise(createNetwork(own).count),
  statistics: new Float32Array(createNetwork(own).statisticsCount),
  loss: 'cross-entropy',
  classNames,
  normalisation: { mean: [0.5], std: [0.25] },
  notes: { dataset: 'squares', trainedOn: 'six images', protocol: 'in words' },
});

/** A value that stands where another one is expected. */
function odd(d: Draws): unknown {
  const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
  return d.pick<() => unknown>([
    () => null,
    () => undefined,
    () => d.pick(extremes),
    () => -d.pick(extremes),
    () => d.pick([0.5, 1e300, Number.NaN]),
    () => d.pick(['', 'x'.repeat(5000), '__proto__', 'mlp:width=1e9', '\x1b[2J', 'convnet', 'step']),
    () => d.pick([true, [], {}, [[]], { name: 'custom' }, { kind: 'step' }]),
    () => deep(d.pick([3, 90, 3000])),
    () => d.pick([new Array(3000).fill('relu'), new Array(1000).fill(0)]),
    () => ({ residual: nested(d.pick([5, 90, 3000])) }),
    () => ({ name: 'custom', layers: [{ residual: nested(d.pick([5, 90, 3000])) }] }),
  ])();
}
function nested(levels: number): unknown[] {
  let list: unknown[] = ['relu'];
  for (let level = 0; level < levels; level++) list = [{ residual: list }];
  return list;
}

/** JSON with one to three of its values replaced, or left out. */
function changed(json: string, d: Draws): string {
  const value = JSON.parse(json);
  for (let change = 0; change <= d.below(3); change++) {
    let at = value;
    for (;;) {
      const keys = Object.keys(at);
      if (keys.length === 0) break;
      const key = d.pick(keys);
      const inside = at[key];
      if (typeof inside === 'object' && inside !== null && !d.once(4)) {
        at = inside;
        continue;
      }
      at[key] =
        d.once(3) && typeof inside === 'number' ? d.pick([-inside, inside + 0.5, ...extremes]) : odd(d);
      break;
    }
  }
  // What is too deep to be written stays as it was.
  try {
    return JSON.stringify(value) ?? json;
  } catch {
    return json;
  }
}

/** A file of tensors whose metadata says something else, under the checksum that belongs to it. */
function changedMetadata(bytes: Uint8Array, d: Draws): Uint8Array {
  const { tensors, metadata } = decodeSafetensors(bytes);
  const name = d.pick(Object.keys(metadata).filter((key) => metadata[key].startsWith('{')));
  const stored = tensors as Record<string, { shape: number[]; data: WritableData }>;
  return encodeSafetensors(stored, { ...metadata, [name]: changed(metadata[name], d) });
}

/** The bytes with the checksum that they should have. */
function sealed(damaged: Uint8Array): Uint8Array {
  const key = Buffer.from(damaged).indexOf('"limbeck.crc32":"');
  const at = key + '"limbeck.crc32":"'.length;
  if (key < 0 || at + 8 > damaged.length) return damaged;
  damaged.set(Buffer.from('00000000'), at);
  damaged.set(Buffer.from(crc32(damaged).toString(16).padStart(8, '0')), at);
  return damaged;
}

const ofTensors = (bytes: Uint8Array, read: (bytes: Uint8Array) => unknown): FuzzedReader => ({
  seeds: async () => [{ x: bytes }],
  make: (d) => ({ x: d.once(3) ? sealed(Uint8Array.from(mutated(bytes, d))) : changedMetadata(bytes, d) }),
  read: async (_folder, { x }) => read(x),
});

const record = JSON.stringify(makeRecord({ network: 'mlp' }));
const config = JSON.stringify({
  iterations: 20,
  network: own,
  steps: 2,
  epochs: 1,
  ipc: 2,
  schedule: { kind: 'step', factor: 0.5 },
  innerLr: [0.1, 0.2],
  dataset: 'digits',
});
const json = (d: Draws, from: string) =>
  Buffer.from(d.once(4) ? mutated(Buffer.from(from), d) : changed(from, d));
const first = expertBytes(0);

/** By name. */
export const ownFiles: Readonly<Record<string, FuzzedReader>> = {
  artefact: ofTensors(artefact, decodeArtefact),
  checkpoint: ofTensors(checkpoint, decodeCheckpoint),
  'network.safetensors': ofTensors(model, decodeModel),
  experts: {
    seeds: async () => [{ 'expert-0000.safetensors': first }],
    make: (d) => ({
      'expert-0000.safetensors': mutated(first, d),
      'expert-0001.safetensors': expertBytes(1),
    }),
    async read(folder) {
      const experts = await openExperts(folder);
      try {
        for (let epoch = 0; epoch <= experts.epochs; epoch++) await experts.parametersOf(0, epoch);
      } finally {
        await experts.close();
      }
    },
  },
  'run.json': {
    seeds: async () => [{ x: Buffer.from(record) }],
    make: (d) => ({ x: json(d, record) }),
    read: async (_folder, { x }) => parseRecord('run.json', Buffer.from(x).toString()),
  },
  configuration: {
    seeds: async () => [{ 'x.json': Buffer.from(config) }, { 'x.json': Buffer.from(record) }],
    make: (d) => ({ 'x.json': json(d, d.once(3) ? record : config) }),
    async read(folder) {
      const { dataset: _, ...given } = await readConfig(join(folder, 'x.json'), distillCommand.options);
      const names = Object.keys(resolveOptions({}));
      resolveOptions(Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name))));
    },
  },
};
