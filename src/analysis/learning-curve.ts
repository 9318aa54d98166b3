import { classCounts } from '../data/classes.js';
import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { evaluate } from '../eval/evaluate.js';
import type { Accuracy } from '../eval/statistics.js';
import type { DistillOptions } from '../methods/index.js';
import { networkSpec } from '../networks/index.js';
import { distill } from '../runs/distill.js';
import type { DistillControl } from '../runs/distillation.js';
import { resolveFor } from '../runs/options.js';
import { trainNetworks } from '../runs/train-networks.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { type ErrorAt, type SizeNeeded, sizeNeeded } from '../util/power-law.js';
import { Budget } from './compare/budget.js';
import { wholeFrom } from './sets.js';

/** What accuracy is wanted, and what may be spent to find out; all but the first have a default. */
export interface LearningCurveOptions extends Pick<DistillControl, 'experts' | 'pretrained' | 'teacher'> {
  /** Percent, of the validation split. */
  readonly accuracy: number;
  /** How sets are distilled: options of `distill` but for `ipc`. */
  readonly distill?: DistillOptions;
  /** Images a class of the sets, two numbers or more; default 1, 2, 4 and 8, as far as the smallest class goes. */
  readonly ipc?: readonly number[];
  /** Seconds of distilling, in equal shares of what is left; default 120. Scoring comes on top. */
  readonly seconds?: number;
  /** Networks for each set, for random images and for all training images; default 5. */
  readonly networks?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** What is being done, of how many such things. */
  readonly onProgress?:
    | ((event: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

const known = {
  accuracy: true,
  distill: true,
  ipc: true,
  seconds: true,
  networks: true,
  experts: true,
  pretrained: true,
  teacher: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof LearningCurveOptions, true>;

/** What sets of different sizes reach, and how large one must be. All accuracies are those of the validation split. */
export interface LearningCurve {
  /** What is wanted, percent. */
  readonly accuracy: number;
  /** By images a class. */
  readonly points: readonly LearningCurvePoint[];
  /** Networks that learned from all training images. */
  readonly all: Accuracy;
  /** Distilled images a class that it takes; left out where no number of them that there is would do. */
  readonly distilled?: ImagesNeeded;
  /** The same of random real images. */
  readonly random?: ImagesNeeded;
  /** Whether distilling saves a fifth of the images at least: otherwise random real images do as well. */
  readonly worthwhile: boolean;
}

/** Images a class; 80 % of what the measurements leave open lies between `low` and `high`. */
export interface ImagesNeeded {
  /** One in ten of what they leave open is less. */
  readonly low: number;
  /** Half of it is less. */
  readonly median: number;
  /** One in ten of it is more. Left out where the measurements leave open that no number would do. */
  readonly high?: number;
}

/** One size of a set. */
export interface LearningCurvePoint {
  /** Images a class. */
  readonly ipc: number;
  /** Outer steps that were done in its time. */
  readonly outerSteps: number;
  /** Networks that learned from the set. */
  readonly distilled: Accuracy;
  /** Networks that learned from as many random real images. */
  readonly random: Accuracy;
}

/**
 * How many distilled images are enough: short runs at a few sizes, scored on the validation split beside as many random real images, and their errors
 * extrapolated as a power of the number of images above the error of networks that learn from everything.
 *
 * What it does not show: what longer runs would reach. Their sets are better, so that the number of images is more than they would take.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; what `distill` and `evaluate` throw
 */
export async function learningCurve(
  device: Device,
  dataset: Dataset,
  options: LearningCurveOptions,
): Promise<LearningCurve> {
  expectDevice('learningCurve', device);
  expectDataset('learningCurve', dataset);
  expectOptions('learningCurve', options, known);
  const { accuracy, distill: given = {}, seconds = 120, signal, onProgress, ...rest } = options;
  const { experts, pretrained, teacher } = rest;
  const networks = wholeFrom('learningCurve', 'networks', rest.networks ?? 5, 2);
  checkAbove('accuracy', accuracy, 100);
  checkAbove('seconds', seconds);
  const smallest = Math.min(...classCounts(dataset.train.labels, dataset.classes));
  const sizes = expectSizes(rest.ipc ?? [1, 2, 4, 8].filter((ipc) => ipc <= smallest), smallest);
  const runs = sizes.map((ipc) => ({ ipc, options: { ...given, ipc } }));
  // Found out before the first is begun.
  const [{ options: resolved }] = runs.map((run) => resolveFor('learningCurve', run.options, dataset));
  // The test split stays shut: what is planned is not yet the result.
  const looked: Dataset = { ...dataset, test: dataset.validation };
  let done = 0;
  const say = (stage: string) => onProgress?.({ stage, done: done++, total: 2 * runs.length + 1 });

  say('Training on all training images');
  const { accuracy: all } = await trainNetworks(device, looked, {
    ...{ network: networkSpec(resolved.network), networks, seed: resolved.seed, signal },
  });
  const points: LearningCurvePoint[] = [];
  const budget = new Budget(seconds);
  for (const [i, { ipc, options: run }] of runs.entries()) {
    say(`Distilling ${ipc} a class`);
    const time = new AbortController();
    budget.begin(runs.length - i, () => time.abort());
    const { set, outerSteps } = await distill(device, dataset, run, {
      ...{ experts, pretrained, teacher },
      signal: signal ? AbortSignal.any([signal, time.signal]) : time.signal,
    }).finally(() => budget.end());
    signal?.throwIfAborted();
    say(`Scoring ${ipc} a class`);
    const scored = await evaluate(device, looked, set, {
      ...{ baselines: ['randomReal'], pretrained, signal },
      networks: pretrained ? undefined : networks,
    });
    const { mean, std, networks: draws } = scored.baselines.randomReal;
    points.push({
      ...{ ipc, outerSteps, distilled: scored.accuracy },
      random: { mean, std, networks: draws },
    });
  }
  onProgress?.({ stage: 'done', done, total: done });

  const images = dataset.validation.count;
  const needed = (kind: 'distilled' | 'random') => {
    const errors = points.map((point) => errorAt(point.ipc, point[kind], images));
    const size = sizeNeeded(errors, errorAt(Number.POSITIVE_INFINITY, all, images), 100 - accuracy);
    return withinReach(size, smallest);
  };
  const [distilled, random] = [needed('distilled'), needed('random')];
  const worthwhile = !!distilled && !(random && random.median < leastSaving * distilled.median);
  return {
    ...{ accuracy, points, all, worthwhile },
    ...(distilled && { distilled }),
    ...(random && { random }),
  };
}

/** Random real images that a distilled one must be worth: what is less lies within what short runs leave open. */
const leastSaving = 1.25;

function checkAbove(name: string, value: number, most?: number): void {
  if (Number.isFinite(value) && value > 0 && !(most && value >= most)) return;
  throw new LimbeckError(
    'ERR_OPTION',
    `learningCurve: ${name} is ${shown(value)}, expected a number above 0${most ? ` and below ${most}` : ''}`,
  );
}

/** Two sizes or more, from small to large, of which there are as many images in every class. */
function expectSizes(given: readonly number[], smallest: number): readonly number[] {
  const sizes = Array.isArray(given) ? [...new Set(given)].sort((a, b) => a - b) : [];
  for (const ipc of sizes) wholeFrom('learningCurve', 'ipc', ipc, 1);
  if (sizes.length >= 2 && sizes[sizes.length - 1] <= smallest) return sizes;
  throw new LimbeckError(
    'ERR_OPTION',
    `learningCurve: ipc is ${Array.isArray(given) ? `[${given}]` : shown(given)}, expected two different numbers of images a class or more, at most ${smallest}: the smallest class has no more`,
  );
}

/** The error of networks and what so few of them, and so few validation images, leave open. */
export function errorAt(size: number, { mean, std, networks }: Accuracy, images: number): ErrorAt {
  const bySplit = (mean * (100 - mean)) / images;
  return { size, error: 100 - mean, standardError: Math.sqrt(std ** 2 / networks + bySplit) };
}

/** Undefined where it takes more images than the smallest class has. */
function withinReach({ low, median, high }: SizeNeeded, most: number): ImagesNeeded | undefined {
  if (median > most) return undefined;
  return { low, median, ...(high <= most && { high }) };
}
