import { normalisedImages } from '../data/on-device.js';
import { Outputs } from '../eval/outputs.js';
import { softmax } from '../train/softmax.js';
import { argmax } from '../util/argmax.js';
import { repeated } from '../util/joined.js';
import { Owned } from '../util/owned.js';
import { type FullBatch, fullBatchGroups } from './full-batch.js';
import type { Asked } from './influence-products.js';

/** What one network makes of the test images. */
export interface Tested {
  /** Its cross-entropy on each. */
  readonly losses: Float64Array;
  /** Percent that it gets right. */
  readonly accuracy: number;
}

/**
 * What networks make of the test images that learned from the same weights `first` `[count]` and from labels `[n, K]`: of all images, then without each of
 * them. A few networks are there at a time.
 */
export async function retrained(
  asked: Asked,
  { first: before, labels, ...training }: Omit<FullBatch, 'parameters'> & { readonly first: Float32Array },
): Promise<Tested[]> {
  const { device, network } = asked;
  const n = labels.length / network.classes;
  const groups = fullBatchGroups(device, {
    ...{ ...training, networks: n + 1, labels: leavingEachOut(labels, n) },
    parameters: (_, members) => repeated(Float32Array, before, members),
  });
  const tested: Tested[] = new Array(n + 1);
  const owned = new Owned();
  try {
    let outputs: Outputs | undefined;
    for await (const { first, parameters } of groups) {
      outputs ??= owned.own(await outputsFor(asked, parameters));
      for (const [p, one] of (await testedBy(asked, outputs, parameters)).entries()) tested[first + p] = one;
    }
    return tested;
  } finally {
    owned.dispose();
  }
}

/** What one network `[count]` makes of them. */
export async function testedWith(asked: Asked, parameters: Float32Array): Promise<Tested> {
  const outputs = await outputsFor(asked, parameters);
  try {
    return (await testedBy(asked, outputs, parameters))[0];
  } finally {
    outputs.dispose();
  }
}

/**
 * Labels `[members, n, K]` of some of n + 1 networks: the first learns from all images, each other one without one of them. A label of zeros has no loss;
 * the others count for more, so that the loss is the mean over those that are left.
 */
export function leavingEachOut(labels: Float32Array, n: number) {
  const K = labels.length / n;
  const rest = labels.map((value) => (value * n) / (n - 1));
  return (first: number, members: number): Float32Array => {
    const some = new Float32Array(members * labels.length);
    for (let p = 0; p < members; p++) {
      const own = some.subarray(p * labels.length, (p + 1) * labels.length);
      const left = first + p - 1;
      own.set(left < 0 ? labels : rest);
      if (left >= 0) own.fill(0, left * K, (left + 1) * K);
    }
    return some;
  };
}

const outputsFor = ({ device, network, rows }: Asked, parameters: Float32Array): Promise<Outputs> =>
  Outputs.load(device, network, { networks: parameters.length / network.count, count: rows.length });

async function testedBy(
  { dataset, network: { classes: K }, rows, signal }: Asked,
  outputs: Outputs,
  parameters: Float32Array,
): Promise<Tested[]> {
  const { test } = dataset;
  const piece = (from: number, to: number) => normalisedImages(dataset, test, rows.slice(from, to));
  const logits = await outputs.of({ parameters }, rows.length, piece, signal);
  return Array.from({ length: outputs.networks }, (_, p) => {
    const own = logits.subarray(p * rows.length * K, (p + 1) * rows.length * K);
    const probabilities = softmax(Float64Array.from(own), K);
    const right = rows.filter(
      (row, i) => argmax(probabilities.subarray(i * K, (i + 1) * K)) === test.labels[row],
    );
    return {
      losses: Float64Array.from(rows, (row, i) => -Math.log(probabilities[i * K + test.labels[row]])),
      accuracy: (100 * right.length) / rows.length,
    };
  });
}
