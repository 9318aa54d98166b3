import type { Dataset } from '../../data/dataset.js';
import type { ExpertsDescription, ExpertTraining } from '../../data/experts/experts.js';
import { strategyOf } from '../../methods/by-class.js';
import { digitSets } from '../../methods/datasets.js';
import type { Network } from '../../networks/network.js';
import { type NetworkSpec, networkTitle } from '../../networks/spec.js';
import { describeMinibatches, type MinibatchTraining } from '../../train/minibatch.js';
import { describeOptimizer, resolveOptimizer } from '../../train/training.js';
import { LimbeckError } from '../../util/errors.js';
import { expectOptions } from '../../util/expect.js';
import { checkOption, flag, notNegative } from '../../util/option.js';
import { count, saidOf } from '../../util/words.js';
import { describeData } from '../describe-data.js';
import { networkFor, networkOptionsFor } from '../setting.js';
import {
  checkPositive,
  checkSeed,
  minibatchNames,
  resolveMinibatches,
  resolveRate,
} from '../training-options.js';

/**
 * How to train experts; each has a default, for `trainExperts` those of Cazenavette et al. 2022: SGD without momentum or weight
 * decay at rate 0.01, batches of 256, 50 epochs, DSA's augmentation.
 */
export interface ExpertOptions extends Partial<MinibatchTraining> {
  /** Default `convnet`; with options as an object. */
  readonly network?: string | NetworkSpec;
  /** How many experts the folder shall hold; default 20. */
  readonly count?: number;
  /** The first rate; default 0.01, 0.001 for `adam` and `adamw`. */
  readonly learningRate?: number;
  /**
   * Of every training image, by a draw of its own: `none`, `dsa`, `dsa-digits`, or families joined by underscores, such as
   * `crop_rotate`; default `dsa-digits` for sets of digits, which do not survive a mirror, else `dsa`.
   */
  readonly augmentation?: string;
  /**
   * How far uphill each gradient is taken, along itself: sharpness-aware training (Foret et al. 2021), which takes twice the
   * time. Default 0.
   */
  readonly flat?: number;
  /**
   * With `flat`: how much is taken away of the part of the gradient where the parameters are that is at right angles to the one uphill
   * (GSAM: Zhuang et al. 2022), which narrows the gap between the losses at both. Default 0.
   */
  readonly gap?: number;
  /** Whether a snapshot is the mean of the parameters over its epoch; default false: those after its last step. */
  readonly mean?: boolean;
  /** Of weights, batches and augmentation; an expert's own by its number besides. Default 0. */
  readonly seed?: number;
  /**
   * Experts trained at once; default what fits into memory, up to 10. On `cpu` and `reference` their bits do not depend on it; on `webgpu`
   * sums are arranged by the size of the work, and so by it.
   */
  readonly population?: number;
}

const known = {
  network: true,
  count: true,
  learningRate: true,
  augmentation: true,
  flat: true,
  gap: true,
  mean: true,
  seed: true,
  population: true,
  ...minibatchNames,
} satisfies Record<keyof ExpertOptions, true>;

const defaults: Required<MinibatchTraining> = {
  optimizer: { kind: 'sgd' },
  loss: 'cross-entropy',
  batch: 256,
  epochs: 50,
  schedule: { kind: 'constant' },
  restart: false,
};

/** Options that need no data set, filled in; `augmentation` and `population` may follow from more. */
export type ResolvedExpertOptions = Required<Omit<ExpertOptions, 'population' | 'augmentation'>> &
  Pick<ExpertOptions, 'population' | 'augmentation'>;

/** Fills in what was not given to `where`; ERR_OPTION naming the first option that is unknown or out of range. */
export function resolveExpertOptions(where: string, given: ExpertOptions): ResolvedExpertOptions {
  expectOptions(where, given, known);
  const { network = 'convnet', count: experts = 20, flat = 0, gap = 0, mean = false, seed = 0 } = given;
  const { population, augmentation } = given;
  const training = resolveMinibatches(given, defaults);
  const { kind } = training.optimizer;
  checkPositive('count', experts, true);
  checkSeed(seed);
  if (population !== undefined) checkPositive('population', population, true);
  if (augmentation !== undefined) strategyOf(augmentation);
  checkOption('flat', notNegative(0, ''), flat);
  checkOption('gap', notNegative(0, ''), gap);
  if (gap > 0 && flat === 0)
    throw new LimbeckError(
      'ERR_OPTION',
      `gap is ${gap} and flat is 0: the gap is that between the losses here and uphill, expected how far uphill as flat, such as 0.01`,
    );
  checkOption('mean', flag(''), mean);
  return {
    ...training,
    // With its constants, so that the same optimiser is the same text, however it was asked for.
    optimizer: describeOptimizer(kind, resolveOptimizer(training.optimizer)),
    learningRate: resolveRate(given.learningRate, training, 0.01),
    ...{ network, count: experts, flat, gap, mean, seed, population, augmentation },
  };
}

/** What will be trained on what, as the files say it; ERR_SHAPE where the images are none for the network. */
export function describeExperts(
  options: ResolvedExpertOptions,
  dataset: Dataset,
): { description: ExpertsDescription; network: Network } {
  const network = networkFor(options.network, dataset);
  const data = describeData(dataset);
  const zca = data.zca && { zca: data.zca };
  const usual = dataset.text ? 'none' : digitSets.includes(dataset.name) ? 'dsa-digits' : 'dsa';
  const { optimizer, loss, batch, epochs, schedule, restart, learningRate, flat, gap, mean } = options;
  const training: ExpertTraining = {
    ...{ optimizer, loss, batch, epochs, schedule, restart, learningRate },
    augmentation: options.augmentation ?? usual,
    ...{ flat, gap, mean },
  };
  const description: ExpertsDescription = {
    networkOptions: networkOptionsFor(options.network, dataset),
    dataset: { name: data.name, sha256: data.sha256, mean: data.mean, std: data.std, ...zca },
    training,
    protocol: [
      `${networkTitle(options.network)} on all ${count(dataset.train.count)}${zca ? ' ZCA-whitened' : ''} training ${saidOf(dataset, 'images')}: ${describeMinibatches(training, learningRate)}`,
      training.augmentation === 'none' ? 'no augmentation' : `augmentation ${training.augmentation}`,
      ...(flat ? [`gradients taken ${flat} uphill${gap ? ` less ${gap} of what is across them` : ''}`] : []),
      ...(mean ? ['means of each epoch'] : []),
      `${network.weights} weights`,
    ].join(', '),
  };
  return { description, network };
}
