import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import type { DistilledArrays } from '../methods/outer-loop.js';
import { createNetwork, type NetworkOptions } from '../networks/index.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { type Baseline, baselines } from './baselines.js';
import { Evaluator, heldOutNetworks, type TrainingSet } from './evaluator.js';
import { type Accuracy, summarise } from './statistics.js';

/** A distilled set with what one must know to train on it. */
export interface DistilledSet extends DistilledArrays {
  readonly network: NetworkOptions;
  readonly init: 'fixed' | 'random';
  readonly steps: number;
  readonly epochs: number;
  /** Images per class in each step. */
  readonly ipc: number;
  readonly seed: number;
  /** `[P, count]`: the networks it was made for, when the initialisation is fixed. */
  readonly initialParameters?: Float32Array;
}

export interface EvaluateOptions {
  /** Networks to train; default 20 for random initialisations, all given ones for fixed initialisation. */
  readonly networks?: number;
  /** Also train on real images of the same budget. Default true. */
  readonly withBaselines?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: { stage: string; done: number; total: number }) => void;
}

export interface BaselineAccuracy extends Accuracy {
  readonly title: string;
  /** The constant inner learning rate, chosen on the validation split. */
  readonly learningRate: number;
}

export interface Evaluation {
  /** Name of what was done: steps, epochs, initialisation. */
  readonly protocol: string;
  readonly accuracy: Accuracy;
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
}

/** Networks trained at once; fixed, so that network i is the same one whatever the number asked for. */
const populationSize = 10;

/** Constant learning rates a baseline may choose from, on the validation split. */
const rateGrid = [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1];

/** Draws of a random baseline when the initialisation is fixed and there is only one network. */
const baselineDraws = 10;

/** `steps x epochs, ipc, init` in words: printed beside every accuracy. */
export function protocolName({ steps, epochs, ipc, init, network }: DistilledSet): string {
  const schedule = `${steps} step${steps > 1 ? 's' : ''} x ${epochs} epoch${epochs > 1 ? 's' : ''}`;
  return `${network.name}, ${init} initialisation, ${schedule}, ${ipc} image${ipc > 1 ? 's' : ''} per class and step, plain SGD in the learned order`;
}

function geometryOf(set: DistilledSet) {
  const network = createNetwork(set.network);
  return { network, steps: set.steps, epochs: set.epochs, n: set.ipc * network.classes };
}

function checkFits(set: DistilledSet, dataset: Dataset): void {
  const { inputShape, classes } = set.network;
  if (shapeText(inputShape) !== shapeText(dataset.imageShape) || classes !== dataset.classes)
    throw new LimbeckError(
      'ERR_SHAPE',
      `the distilled images are ${shapeText(inputShape)} with ${classes} classes, but ${dataset.name} has ` +
        `${shapeText(dataset.imageShape)} with ${dataset.classes}: evaluate on the data set it was distilled from`,
    );
}

/**
 * The networks an evaluation trains, in populations `[members, count]`: the ones a set was made for when the
 * initialisation is fixed, `networks` held-out ones otherwise (rounded up to whole populations).
 */
async function populations(device: Device, set: DistilledSet, networks: number): Promise<Float32Array[]> {
  if (set.initialParameters) return [set.initialParameters];
  const { network } = geometryOf(set);
  const draws = Math.ceil(networks / populationSize);
  return Promise.all(
    Array.from({ length: draws }, (_, draw) =>
      heldOutNetworks(device, network, populationSize, set.seed, draw),
    ),
  );
}

/** How many networks a set is evaluated with, unless asked otherwise. */
export function networksOf(set: DistilledSet, asked?: number): number {
  if (set.init === 'fixed') {
    const { network } = geometryOf(set);
    if (!set.initialParameters)
      throw new LimbeckError(
        'ERR_DATA',
        'a set for a fixed initialisation must hold its initial parameters; it has none',
      );
    return set.initialParameters.length / network.count;
  }
  const networks = asked ?? 20;
  if (!Number.isInteger(networks) || networks < 1)
    throw new LimbeckError('ERR_OPTION', `networks is ${networks}, expected a whole number above 0`);
  return networks;
}

/** The test accuracy of a distilled set beside real images of the same budget under the same protocol. */
export async function evaluate(
  device: Device,
  dataset: Dataset,
  set: DistilledSet,
  { networks: asked, withBaselines = true, signal, onProgress }: EvaluateOptions = {},
): Promise<Evaluation> {
  checkFits(set, dataset);
  const networks = networksOf(set, asked);
  const total = withBaselines ? 1 + baselines.length : 1;
  const { network, ...geometry } = geometryOf(set);
  const fixed = set.init === 'fixed';
  const starts = await populations(device, set, networks);
  const members = starts[0].length / network.count;
  // The test split is opened here and nowhere else.
  const test = await Evaluator.create(device, dataset, dataset.test, {
    network,
    ...geometry,
    members,
  });
  try {
    onProgress?.({ stage: 'distilled images', done: 0, total });
    const values: number[] = [];
    for (const start of starts) values.push(...(await test.run(set, start, signal)));
    const accuracy = summarise(values.slice(0, networks));

    const results: Record<string, BaselineAccuracy> = {};
    for (const [index, baseline] of (withBaselines ? baselines : []).entries()) {
      onProgress?.({ stage: baseline.title, done: index + 1, total });
      const learningRate = await chooseRate(device, dataset, baseline, set, starts[0], signal);
      // One network says little about random images: with a fixed initialisation, take several draws of them.
      const rounds = fixed && baseline.random ? baselineDraws : starts.length;
      const scores: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const draws = baseline.random ? Array.from({ length: members }, (_, p) => round * members + p) : [0];
        const training = realTraining(dataset, baseline, set, draws, [learningRate]);
        scores.push(...(await test.run(training, starts[round % starts.length], signal)));
      }
      const kept = fixed ? scores : scores.slice(0, networks);
      results[baseline.name] = { title: baseline.title, learningRate, ...summarise(kept) };
    }
    onProgress?.({ stage: 'done', done: total, total });
    return { protocol: protocolName(set), accuracy, baselines: results };
  } finally {
    test.dispose();
  }
}

/** Images of a baseline in the place of the distilled ones, one set per draw; hard labels, constant rates. */
function realTraining(
  dataset: Dataset,
  baseline: Baseline,
  set: DistilledSet,
  draws: readonly number[],
  rates: readonly number[],
): TrainingSet {
  const { network, steps, epochs, n } = geometryOf(set);
  const K = network.classes;
  const sets = draws.map((draw) => baseline.images(dataset, set.ipc * steps, set.seed, draw));
  const images = new Float32Array(sets.length * sets[0].length);
  for (const [index, one] of sets.entries()) images.set(one, index * one.length);
  return {
    images,
    labels: Float32Array.from({ length: steps * n * K }, (_, i) => (Math.floor(i / K) % K === i % K ? 1 : 0)),
    learningRates: rates.flatMap((rate) => new Array<number>(steps * epochs).fill(rate)),
  };
}

/**
 * The best constant learning rate for a baseline, on the validation split: real images have no learned rates. All
 * candidates train at once, as a population that starts from one network.
 */
async function chooseRate(
  device: Device,
  dataset: Dataset,
  baseline: Baseline,
  set: DistilledSet,
  start: Float32Array,
  signal?: AbortSignal,
): Promise<number> {
  const geometry = geometryOf(set);
  const { count } = geometry.network;
  const members = rateGrid.length;
  const validation = await Evaluator.create(device, dataset, dataset.validation, {
    ...geometry,
    members,
  });
  try {
    const same = Float32Array.from({ length: members * count }, (_, i) => start[i % count]);
    const values = await validation.run(realTraining(dataset, baseline, set, [0], rateGrid), same, signal);
    return rateGrid[values.indexOf(Math.max(...values))];
  } finally {
    validation.dispose();
  }
}
