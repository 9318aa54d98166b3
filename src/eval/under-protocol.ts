import type { DistilledSet, LearnedSteps } from '../data/distilled-set.js';
import type { Network } from '../networks/network.js';
import { infinitelyWide } from '../train/infinite-width.js';
import { batchesOf } from '../train/minibatch.js';
import { argmax } from '../util/argmax.js';
import { LimbeckError } from '../util/errors.js';
import type { PopulationGeometry } from './population.js';
import { checkNoTeacher, learnedRateOf, type Protocol, type Rate, strategyOf } from './protocol.js';

/** What a protocol makes of a set: which steps, on which labels, at which rates. */

/** The steps that a set was made for, where a protocol takes them. */
export function stepsUnder({ use }: DistilledSet, protocol: Protocol): LearnedSteps | undefined {
  if (protocol.training !== 'learned-steps') return undefined;
  if (use.kind === 'learned-steps') return use;
  throw new LimbeckError(
    'ERR_OPTION',
    `protocol is ${protocol.name}, but the set has no learned steps: it is for ordinary training, such as protocol ${use.protocol}`,
  );
}

/** How networks are trained on as many images as there are rows, or what regresses in their place; ERR_OPTION for a network without such a kernel. */
export function geometryUnder(
  protocol: Protocol,
  set: DistilledSet,
  network: Network,
  rows: number,
): Omit<PopulationGeometry, 'members'> {
  const learned = stepsUnder(set, protocol);
  const { training, kernel } = protocol;
  const steps = learned?.steps ?? 1;
  return {
    network,
    steps,
    epochs: learned?.epochs ?? 1,
    n: rows / steps,
    seed: set.seed,
    training: learned?.training,
    minibatches: typeof training === 'string' ? undefined : training,
    augmentation: strategyOf(protocol),
    kernel: kernel && infinitelyWide(network, kernel),
    temperature: temperatureUnder(protocol, set),
    ridge: ridgeUnder(protocol, set),
  };
}

/** Of kernel regression: where it is all there is, that which the set was made with. */
export const ridgeUnder = ({ kernel, ridge }: Protocol, { use }: DistilledSet): number | undefined =>
  (kernel && use.kind === 'minibatches' ? use.ridge : undefined) ?? ridge;

/** What logits are divided by while a network learns from the labels of a set: what its teacher's were. */
export const temperatureUnder = (protocol: Protocol, set: DistilledSet): number | undefined =>
  protocol.labels === 'hard' ? undefined : softTemperature(protocol, set);

/** The same while it learns from soft labels beside the set. */
export const softTemperature = (
  { training }: Protocol,
  { teacher }: Pick<DistilledSet, 'teacher'>,
): number | undefined =>
  typeof training !== 'string' && training.loss === 'cross-entropy' ? teacher?.temperature : undefined;

/** The labels of a set, `[count, K]`; ERR_OPTION where a teacher gives others to every batch. */
export function labelsUnder(protocol: Protocol, set: DistilledSet): Float32Array {
  checkNoTeacher(protocol);
  return protocol.labels === 'hard' ? hardened(set.labels, set.network.classes) : set.labels;
}

/** Labels that a teacher gives to the batches of one training. */
export interface Relabelling {
  /** Images with a label each: those of all batches. */
  readonly images: number;
  /** Of their labels. */
  readonly numbers: number;
  /** They take in half precision. */
  readonly bytes: number;
}

/** What would be stored with a set so that networks could do without the teacher that labels every batch of theirs. */
export function relabellingUnder(
  { labels, training }: Protocol,
  { classes, network }: DistilledSet,
): { readonly relabelling?: Relabelling } {
  if (labels !== 'teacher' || typeof training === 'string') return {};
  const { size, steps } = batchesOf(training, classes.length);
  const numbers = size * steps * network.classes;
  return { relabelling: { images: size * steps, numbers, bytes: 2 * numbers } };
}

/** All inner steps at one rate, or as learned; the protocol's first rate where it trains in minibatches. */
export function ratesUnder(protocol: Protocol, set: DistilledSet, rate: Rate): ArrayLike<number> {
  if (rate === 'none') return [];
  const steps = stepsUnder(set, protocol);
  if (steps) return rate === 'learned' ? steps.learningRates : steps.learningRates.map(() => rate);
  return [rate === 'learned' ? learnedRateOf(set.use) : rate];
}

/** 1 where the largest label is, the first one on a tie. */
function hardened(labels: Float32Array, K: number): Float32Array {
  const out = new Float32Array(labels.length);
  for (let row = 0; row < labels.length; row += K) out[row + argmax(labels.subarray(row, row + K))] = 1;
  return out;
}
