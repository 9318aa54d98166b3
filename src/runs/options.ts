import type { Dataset } from '../data/dataset.js';
import { methods } from '../methods/index.js';
import type { OuterLoopOptions } from '../methods/outer-loop.js';
import {
  createNetwork,
  type Network,
  type NetworkOptions,
  type NetworkSpec,
  networkNames,
  networkSpec,
  networkTitle,
} from '../networks/index.js';
import { type Keep, keeps } from '../train/hypergradient.js';
import { lossNames } from '../train/loss.js';
import { expectedSchedule, type Schedule } from '../train/schedule.js';
import {
  describeOptimizer,
  type OptimizerOptions,
  optimizerKinds,
  type Training,
} from '../train/training.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { expectOptions, written } from '../util/expect.js';

/** Everything that shapes a distillation run; what is left out takes the default. JSON-serialisable. */
export interface DistillOptions {
  /** The objective: `unrolled` (Wang et al. 2018). */
  readonly method?: string;
  /** A name with options, as `lenet` or `convnet:width=64` or `{ name: 'convnet', width: 64 }`. */
  readonly network?: string | NetworkSpec;
  /** `fixed`: made for one known initialisation; `random`: for freshly drawn ones. */
  readonly init?: 'fixed' | 'random';
  /** Networks per outer step; its loss is their mean. */
  readonly population?: number;
  /** Inner steps per epoch, each with distilled images of its own. */
  readonly steps?: number;
  /** Times the inner steps are repeated, with the same images and other learning rates. */
  readonly epochs?: number;
  /** Images per class in each step. */
  readonly ipc?: number;
  /** `hard`: one-hot and kept; `soft`: learned with the images (Sucholutsky & Schonlau 2019), from one-hot on. */
  readonly labels?: 'hard' | 'soft';
  /** Outer steps. */
  readonly iterations?: number;
  /** Real images per outer step. */
  readonly batch?: number;
  /** Outer Adam's rate for the images, in standard deviations of the normalised pixels per step. */
  readonly lr?: number;
  /** Outer Adam's rate for soft labels, in units of a probability per step. */
  readonly labelLr?: number;
  /**
   * Outer Adam's rate for the raw inner learning rates: a rate is the softplus of a raw number, so that it stays
   * above 0 (Wang et al. 2018). 0 keeps them.
   */
  readonly rateLr?: number;
  /** First values of the inner learning rates: one for all steps, or one for each of the `steps * epochs`. */
  readonly innerLr?: number | readonly number[];
  /** `per-step`: every inner step learns a rate of its own; `shared`: one for all. */
  readonly rates?: 'per-step' | 'shared';
  /** What trains on the distilled images: `sgd`, with `momentum` or `nesterov`, `adam`, or `adamw`. */
  readonly optimizer?: OptimizerOptions['kind'];
  /** Of `momentum` and `nesterov`: how much of the velocity an inner step keeps. */
  readonly momentum?: number;
  /** Of the inner optimiser: L2 penalty on all parameters, decoupled for `adamw`. */
  readonly weightDecay?: number;
  /** Inner Adam's decay of the mean of gradients. */
  readonly innerBeta1?: number;
  /** Inner Adam's decay of the mean of squared gradients. */
  readonly innerBeta2?: number;
  /** What inner Adam adds to the root of that mean. */
  readonly innerEpsilon?: number;
  /** What the inner steps minimise; the loss on real images is always cross-entropy. */
  readonly loss?: Training['loss'];
  /** Standard deviation of the normal noise the images begin as, in standard deviations of the real pixels. */
  readonly imageScale?: number;
  /** Outer Adam's decay of the mean of gradients, per outer step (Kingma & Ba 2015). */
  readonly beta1?: number;
  /** Outer Adam's decay of the mean of squared gradients, per outer step (Kingma & Ba 2015). */
  readonly beta2?: number;
  /** What outer Adam adds to the root of that mean (Kingma & Ba 2015). */
  readonly epsilon?: number;
  /** Course of the three outer rates over the run. */
  readonly schedule?: Schedule;
  /** Largest Euclidean norm of the meta-gradient, of images, labels and rates each; 0 for no limit. */
  readonly clip?: number;
  /** Decay, per outer step, of the running average that becomes the result; 0 for none. */
  readonly average?: number;
  /** Of everything random: a whole number from 0 to 2^53 - 1. */
  readonly seed?: number;
  /** Outer steps between two looks at the validation split. */
  readonly validateEvery?: number;
  /** Networks the result is evaluated with (random initialisation). */
  readonly networks?: number;
  /**
   * Which inner steps are not computed again on the way back: `none`, `small` ones up to 128 MiB and the last, or `all`: fastest,
   * with the memory of a tape.
   */
  readonly keep?: Keep;
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<DistillOptions>;

/** The defaults; docs/reaching-the-number.md says where they come from. */
export const defaults: ResolvedOptions = {
  method: 'unrolled',
  network: 'lenet',
  init: 'fixed',
  population: 1,
  steps: 1,
  epochs: 3,
  ipc: 1,
  labels: 'hard',
  iterations: 20_000,
  batch: 1024,
  lr: 0.01,
  labelLr: 0.03,
  rateLr: 0.01,
  innerLr: [1, 0.2, 0.1],
  rates: 'per-step',
  optimizer: 'sgd',
  momentum: 0.9,
  weightDecay: 0,
  innerBeta1: 0.9,
  innerBeta2: 0.999,
  innerEpsilon: 1e-8,
  loss: 'cross-entropy',
  imageScale: 0.1,
  beta1: 0.5,
  beta2: 0.999,
  epsilon: 1e-8,
  schedule: { kind: 'cosine' },
  clip: 0,
  average: 0,
  seed: 0,
  validateEvery: 50,
  networks: 20,
  keep: 'small',
};

/**
 * What runs did before these options existed: files written then do not name them. Every option added after the first
 * release goes here, and stays as it is when a default changes.
 */
export const formerly = {
  rates: 'per-step',
  optimizer: 'sgd',
  momentum: 0.9,
  weightDecay: 0,
  innerBeta1: 0.9,
  innerBeta2: 0.999,
  innerEpsilon: 1e-8,
  loss: 'cross-entropy',
  keep: 'small',
} as const satisfies DistillOptions;

/** First inner learning rate where the default ones, made for three steps, do not fit: that of Wang et al. (2018). */
export const plainInnerRate = 0.02;

/** The same for inner Adam, whose steps are of the size of the rate. */
export const adamInnerRate = 0.001;

/** What a value should have been, or undefined when it is fine. */
type Check = (value: never) => string | undefined;
const whole =
  (least: number): Check =>
  (value: number) =>
    Number.isSafeInteger(value) && value >= least ? undefined : `a whole number of at least ${least}`;
const real =
  (test: (value: number) => boolean, text: string): Check =>
  (value: number) =>
    typeof value === 'number' && Number.isFinite(value) && test(value) ? undefined : text;
const oneOf =
  (...names: readonly string[]): Check =>
  (value: string) =>
    names.includes(value) ? undefined : `one of ${names.join(', ')}`;
const positive = real((x) => x > 0, 'a number above 0');
const notNegative = real((x) => x >= 0, 'a number of at least 0');
const fraction = real((x) => x >= 0 && x < 1, 'a number from 0 up to, not including, 1');

/** Whether there is such a network; what its options may be is known when the sizes of the images are. */
function checkNetwork(network: unknown): string | undefined {
  const expected = `one of ${networkNames.join(', ')}, with options as in convnet:width=64`;
  try {
    return networkNames.includes(networkSpec(network as string | NetworkSpec).name) ? undefined : expected;
  } catch {
    return expected;
  }
}

const checks: Record<keyof DistillOptions, Check> = {
  method: oneOf(...Object.keys(methods)),
  network: checkNetwork,
  init: oneOf('fixed', 'random'),
  population: whole(1),
  steps: whole(1),
  epochs: whole(1),
  ipc: whole(1),
  labels: oneOf('hard', 'soft'),
  iterations: whole(1),
  batch: whole(1),
  lr: positive,
  labelLr: positive,
  rateLr: notNegative,
  innerLr: (value: number | readonly number[]) =>
    [value].flat().every((rate) => typeof rate === 'number' && Number.isFinite(rate) && rate > 0)
      ? undefined
      : 'a number above 0, or one for each inner step',
  rates: oneOf('per-step', 'shared'),
  optimizer: oneOf(...optimizerKinds),
  momentum: fraction,
  weightDecay: notNegative,
  innerBeta1: fraction,
  innerBeta2: fraction,
  innerEpsilon: positive,
  loss: oneOf(...lossNames),
  imageScale: positive,
  beta1: fraction,
  beta2: fraction,
  epsilon: positive,
  schedule: expectedSchedule,
  clip: notNegative,
  average: fraction,
  seed: whole(0),
  validateEvery: whole(1),
  networks: whole(1),
  keep: oneOf(...keeps),
};

/** What the value of an option should have been; undefined when it is fine. */
export function expectedFor(name: keyof DistillOptions, value: unknown): string | undefined {
  return checks[name](value as never);
}

/** Fills in defaults; throws ERR_OPTION naming the first option that is unknown or out of range. */
export const resolveOptions = (given: DistillOptions): ResolvedOptions => resolveOptionsOf('distill', given);

/** The same for options that were given to `where`. */
export function resolveOptionsOf(where: string, given: DistillOptions): ResolvedOptions {
  expectOptions(where, given, checks);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const expected = expectedFor(name as keyof DistillOptions, value);
    if (expected)
      throw new LimbeckError('ERR_OPTION', `option ${name} is ${written(value)}, expected ${expected}`);
  }
  const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const resolved: ResolvedOptions = { ...defaults, ...defined };
  return given.innerLr === undefined ? { ...resolved, innerLr: defaultInnerLr(resolved) } : resolved;
}

function defaultInnerLr({
  steps,
  epochs,
  init,
  optimizer,
  rates,
}: ResolvedOptions): number | readonly number[] {
  if (optimizer === 'adam' || optimizer === 'adamw') return adamInnerRate;
  // The default rates are for the three steps of the default run.
  const threeSteps = steps * epochs === 3 && init === 'fixed' && optimizer === 'sgd' && rates === 'per-step';
  return threeSteps ? defaults.innerLr : plainInnerRate;
}

/** The inner optimiser and loss of a run. */
export function trainingOf(o: ResolvedOptions): Training {
  const { momentum, weightDecay, innerBeta1: beta1, innerBeta2: beta2, innerEpsilon: epsilon } = o;
  const constants = { momentum, weightDecay, beta1, beta2, epsilon };
  return { optimizer: describeOptimizer(o.optimizer, constants), loss: o.loss };
}

/** How many inner learning rates a run has. */
export const rateCount = ({ steps, epochs, rates }: ResolvedOptions): number =>
  rates === 'shared' ? 1 : steps * epochs;

/** The first value of every inner learning rate. */
function innerRates(o: ResolvedOptions): number[] {
  const T = rateCount(o);
  const rates = [o.innerLr].flat();
  if (o.rates === 'shared' && rates.length !== 1)
    throw new LimbeckError(
      'ERR_OPTION',
      `innerLr has ${rates.length} values, expected one: the inner steps share it (rates: shared)`,
    );
  if (rates.length !== 1 && rates.length !== T)
    throw new LimbeckError(
      'ERR_OPTION',
      `innerLr has ${rates.length} values, expected one, or one for each of the ${T} inner steps (steps x epochs)`,
    );
  return Array.from({ length: T }, (_, t) => rates[rates.length === 1 ? 0 : t]);
}

/** The options of the network a run is for, with the sizes that its data set gives it. */
export function networkOptionsFor(
  network: string | NetworkSpec,
  { imageShape, classes }: Dataset,
): NetworkOptions {
  return { ...networkSpec(network), inputShape: imageShape, classes };
}

function networkFor(network: string | NetworkSpec, dataset: Dataset): Network {
  const { name: set, imageShape } = dataset;
  try {
    return createNetwork(networkOptionsFor(network, dataset));
  } catch (error) {
    if (!(error instanceof LimbeckError) || error.code !== 'ERR_SHAPE') throw error;
    const message = `${networkTitle(network)} cannot take the ${shapeText(imageShape)} images of ${set}: ${error.message}; choose another network (mlp takes any size)`;
    throw new LimbeckError('ERR_SHAPE', message, { cause: error });
  }
}

/** What the outer loop is made of, for this data set. */
export function outerLoopOptions(o: ResolvedOptions, dataset: Dataset): OuterLoopOptions {
  if (o.iterations * o.batch >= 2 ** 32)
    throw new LimbeckError(
      'ERR_OPTION',
      `iterations x batch is ${o.iterations * o.batch}, expected below 2^32 (places in the sequence of batches are counted in 32 bits)`,
    );
  if (dataset.validation.count < 1)
    throw new LimbeckError(
      'ERR_DATA',
      `${dataset.name} has no validation images; the result is chosen on them, so give at least one`,
    );
  return {
    method: methods[o.method],
    network: networkFor(o.network, dataset),
    init: o.init,
    population: o.population,
    steps: o.steps,
    epochs: o.epochs,
    ipc: o.ipc,
    labels: o.labels,
    iterations: o.iterations,
    batch: o.batch,
    seed: o.seed,
    imageRate: o.lr,
    labelRate: o.labelLr,
    learningRateRate: o.rateLr,
    adam: { beta1: o.beta1, beta2: o.beta2, epsilon: o.epsilon },
    schedule: o.schedule,
    clip: o.clip || Number.POSITIVE_INFINITY,
    average: o.average,
    imageScale: o.imageScale,
    learningRates: innerRates(o),
    training: trainingOf(o),
    keep: o.keep,
  };
}
