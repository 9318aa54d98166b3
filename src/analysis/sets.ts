import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { normalisedImages } from '../data/on-device.js';
import { checkFits } from '../eval/evaluate.js';
import { expectSet } from '../eval/set-file.js';
import { createNetwork, type NetworkOptions, type NetworkSpec, networkSpec } from '../networks/index.js';
import type { Network } from '../networks/network.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { expectArgument, shown } from '../util/expect.js';
import { permutation, Stream } from '../util/random.js';
import { short } from '../util/words.js';

/** Distilled sets that are looked at beside each other. */
export interface NamedSet {
  /** For tables. */
  readonly name: string;
  /** The set. */
  readonly set: DistilledSet;
}

/** What all looks along real training are given; each has a default. */
export interface AlongOptions {
  /** Default: that of the first set. */
  readonly network?: string | NetworkSpec;
  /** Training steps; default 300. */
  readonly steps?: number;
  /** Steps from one look to the next; default a tenth of them. */
  readonly every?: number;
  /** Of weights, batches and everything else that is random; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** After every look. */
  readonly onProgress?: ((event: { step: number; steps: number }) => void) | undefined;
}

export const alongNames = {
  network: true,
  steps: true,
  every: true,
  seed: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof AlongOptions, true>;

/** Checks sets and options; the steps to look at. ERR_OPTION, ERR_SHAPE. */
export function resolveAlong(
  where: string,
  dataset: Dataset,
  sets: readonly NamedSet[],
  { network, steps = 300, every = Math.max(1, Math.round(steps / 10)), seed = 0 }: AlongOptions,
): {
  readonly options: NetworkOptions;
  readonly network: Network;
  readonly at: readonly number[];
  readonly seed: number;
} {
  checkSets(where, dataset, sets);
  wholeFrom(where, 'steps', steps, 1);
  wholeFrom(where, 'every', every, 1);
  const { imageShape: inputShape, classes } = dataset;
  const spec = network === undefined ? sets[0].set.network : networkSpec(network);
  const at = Array.from({ length: Math.floor(steps / every) + 1 }, (_, i) => i * every);
  if (at[at.length - 1] < steps) at.push(steps);
  const options: NetworkOptions = { ...spec, inputShape, classes };
  return { options, network: createNetwork(options), at, seed };
}

/** ERR_OPTION where there is no set or something else, ERR_DATA for one that no file could hold, ERR_SHAPE for one of other images. */
export function checkSets(where: string, dataset: Dataset, sets: readonly NamedSet[]): void {
  if (!Array.isArray(sets) || !sets.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: sets is ${shown(sets)}, expected at least one { name, set }`,
    );
  for (const [i, one] of sets.entries()) {
    expectArgument(where, `sets[${i}]`, one, 'set', 'an object with name and set');
    if (typeof one.name !== 'string')
      throw new LimbeckError(
        'ERR_OPTION',
        `${where}: sets[${i}].name is ${shown(one.name)}, expected text: it stands in tables`,
      );
    expectSet(where, one.set, `sets[${i}].set`);
    checkFits(one.set, dataset);
  }
}

/** ERR_OPTION for labels that cross-entropy has no minimum for, such as those without their mean that kernel regression takes. */
export function checkLearnable(where: string, sets: readonly NamedSet[]): void {
  for (const { name, set } of sets) {
    const K = set.network.classes;
    for (let i = 0; i < set.classes.length; i++) {
      const sum = set.labels.subarray(i * K, (i + 1) * K).reduce((a, b) => a + b, 0);
      if (sum > 1e-3) continue;
      throw new LimbeckError(
        'ERR_OPTION',
        `${where}: the labels of image ${i} of ${name} sum to ${short(sum)}, expected a sum above 0: the loss on them is cross-entropy here, and these are for regression`,
      );
    }
  }
}

/** ERR_OPTION for a network whose answers about an image hang on others: there is no training mode to ask in, and none of its statistics are kept. */
export function refuseBatchNorm(where: string, { name, statisticsCount }: Network): void {
  if (statisticsCount)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: network ${name} has batch norm, by which images that are asked about change one another's answers; choose one without, such as convnet`,
    );
}

/** A whole number of at least so much; ERR_OPTION for anything else. */
export function wholeFrom(where: string, name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw new LimbeckError(
    'ERR_OPTION',
    `${where}: ${name} is ${shown(value)}, expected a whole number of at least ${least}`,
  );
}

/** Real training images with their labels, drawn without repetition. */
export async function realSample(
  dataset: Dataset,
  most: number,
  seed: number,
): Promise<{ images: Float32Array; labels: Float32Array }> {
  const { train, classes: K } = dataset;
  const rows = [...permutation(new Stream(seed, streams.realSample), train.count).subarray(0, most)];
  const labels = new Float32Array(rows.length * K);
  for (const [i, row] of rows.entries()) labels[i * K + train.labels[row]] = 1;
  return { images: await normalisedImages(dataset, train, rows), labels };
}
