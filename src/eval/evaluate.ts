import type { Dataset, Split } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import type { DistilledArrays } from '../methods/outer-loop.js';
import { createNetwork, type NetworkOptions } from '../networks/index.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { type Baseline, baselines } from './baselines.js';
import { Evaluator, type TrainingSet } from './evaluator.js';
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
  return `unrolled: ${network.name}, ${init} initialisation, ${schedule}, ${ipc} image${ipc > 1 ? 's' : ''} per class and step, plain SGD in the learned order`;
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
 * Accuracy of networks trained on a distilled set, on one split. `test` is opened here and nowhere else.
 * Fixed initialisation: the networks it was made for. Random: `networks` held-out ones.
 */
export async function evaluateOn(
  device: Device,
  dataset: Dataset,
  split: Split,
  set: DistilledSet,
  networks: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const members = set.init === 'fixed' ? networks : populationSize;
  const evaluator = await Evaluator.create(device, dataset, split, {
    ...geometryOf(set),
    members,
    imageMembers: 1,
    rateMembers: 1,
  });
  try {
    const training: TrainingSet = { ...set, imageMembers: 1, rateMembers: 1 };
    if (set.init === 'fixed') return await evaluator.run(training, set.initialParameters!, signal);
    const values: number[] = [];
    for (let draw = 0; values.length < networks; draw++)
      values.push(...(await evaluator.runHeldOut(training, set.seed, draw, signal)));
    return values.slice(0, networks);
  } finally {
    evaluator.dispose();
  }
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
  onProgress?.({ stage: 'distilled images', done: 0, total });
  const accuracy = summarise(await evaluateOn(device, dataset, dataset.test, set, networks, signal));
  const results: Record<string, BaselineAccuracy> = {};
  if (withBaselines)
    for (const [index, baseline] of baselines.entries()) {
      onProgress?.({ stage: baseline.title, done: index + 1, total });
      results[baseline.name] = await evaluateBaseline(device, dataset, baseline, set, networks, signal);
    }
  onProgress?.({ stage: 'done', done: total, total });
  return { protocol: protocolName(set), accuracy, baselines: results };
}

/**
 * A baseline under the protocol of a distilled set: as many images, steps and epochs, the same networks, hard labels,
 * and the best constant learning rate of a grid, chosen on the validation split (real images have no learned rates).
 */
async function evaluateBaseline(
  device: Device,
  dataset: Dataset,
  baseline: Baseline,
  set: DistilledSet,
  networks: number,
  signal?: AbortSignal,
): Promise<BaselineAccuracy> {
  const geometry = geometryOf(set);
  const { network, steps, epochs, n } = geometry;
  const T = steps * epochs;
  const K = network.classes;
  const labels = Float32Array.from({ length: steps * n * K }, (_, i) =>
    Math.floor(i / K) % K === i % K ? 1 : 0,
  );
  const imagesOf = (draw: number) => baseline.images(dataset, set.ipc * steps, set.seed, draw);

  // Choice of the rate: one network, every rate of the grid at once as a population.
  const chooser = await Evaluator.create(device, dataset, dataset.validation, {
    ...geometry,
    members: rateGrid.length,
    imageMembers: 1,
    rateMembers: rateGrid.length,
  });
  let learningRate = rateGrid[0];
  try {
    const oneNetwork = set.initialParameters?.subarray(0, network.count);
    const training = {
      images: imagesOf(0),
      imageMembers: 1,
      labels,
      learningRates: rateGrid.flatMap((rate) => new Array<number>(T).fill(rate)),
      rateMembers: rateGrid.length,
    };
    const values = oneNetwork
      ? await chooser.run(
          training,
          Float32Array.from(
            { length: rateGrid.length * network.count },
            (_, i) => oneNetwork[i % network.count],
          ),
          signal,
        )
      : await chooser.runHeldOut(training, set.seed, 0, signal);
    learningRate = rateGrid[values.indexOf(Math.max(...values))];
  } finally {
    chooser.dispose();
  }

  const fixed = set.init === 'fixed';
  const members = fixed ? networks : populationSize;
  const evaluator = await Evaluator.create(device, dataset, dataset.test, {
    ...geometry,
    members,
    imageMembers: 1,
    rateMembers: 1,
  });
  try {
    const learningRates = new Float32Array(T).fill(learningRate);
    const values: number[] = [];
    const draws = fixed ? (baseline.random ? baselineDraws : 1) : Math.ceil(networks / populationSize);
    for (let draw = 0; draw < draws; draw++) {
      const training = {
        images: imagesOf(baseline.random ? draw : 0),
        imageMembers: 1,
        labels,
        learningRates,
        rateMembers: 1,
      };
      values.push(
        ...(fixed
          ? await evaluator.run(training, set.initialParameters!, signal)
          : await evaluator.runHeldOut(training, set.seed, draw, signal)),
      );
    }
    return { title: baseline.title, learningRate, ...summarise(fixed ? values : values.slice(0, networks)) };
  } finally {
    evaluator.dispose();
  }
}
