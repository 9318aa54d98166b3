/** Experts of made numbers, for what reads them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExpertsDescription } from '../../src/data/experts/experts.js';
import {
  encodeExpertHeader,
  encodeRecord,
  expertFileName,
  newHeader,
} from '../../src/data/experts/format.js';
import { createNetwork } from '../../src/networks/index.js';
import { smallNetwork } from './made-data.js';

/** Of a network of 41 parameters for images of six pixels, trained for three epochs. */
export const smallExperts: ExpertsDescription = {
  networkOptions: { ...smallNetwork, inputShape: [1, 2, 3], classes: 2 },
  dataset: { name: 'two classes', sha256: '0'.repeat(64), mean: [0.5], std: [0.25] },
  training: {
    optimizer: { kind: 'sgd' },
    loss: 'cross-entropy',
    batch: 10,
    epochs: 3,
    schedule: { kind: 'constant' },
    restart: false,
    learningRate: 0.01,
    augmentation: 'none',
    flat: 0,
    gap: 0,
    mean: false,
  },
  protocol: 'made numbers',
};

/** Parameter i of the made experts. */
export const madeParameter = (expert: number, epoch: number, i: number): number =>
  Math.fround(Math.sin(1 + i + 100 * epoch + 10_000 * expert));

/** The bytes of an expert; `thetaOf` gives its snapshots. */
export function expertBytes(
  number: number,
  description: ExpertsDescription = smallExperts,
  thetaOf: (epoch: number, count: number) => Float32Array = (epoch, count) =>
    Float32Array.from({ length: count }, (_, i) => madeParameter(number, epoch, i)),
): Buffer {
  const { count } = createNetwork(description.networkOptions);
  const header = newHeader(description, { number, seed: 0, processor: 'an abacus' });
  const epochs = Array.from({ length: description.training.epochs + 1 }, (_, epoch) => epoch);
  return Buffer.concat([
    encodeExpertHeader(header),
    ...epochs.map((epoch) => encodeRecord(thetaOf(epoch, count))),
  ]);
}

/** Writes experts 0 .. count - 1 into a folder, made where it is missing. */
export function writeExperts(folder: string, count: number, description = smallExperts): void {
  mkdirSync(folder, { recursive: true });
  for (let number = 0; number < count; number++)
    writeFileSync(join(folder, expertFileName(number)), expertBytes(number, description));
}
