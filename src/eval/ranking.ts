import { LimbeckError } from '../util/errors.js';

/** Test accuracies, in percent, that the scores of DD-Ranking (Li et al. 2025, arXiv 2505.13300) are made of. */
export interface RankedAccuracies {
  /** Of networks trained on the whole training split with its own labels. */
  readonly real: number;
  /** On the distilled images with hard labels. */
  readonly hard: number;
  /** On the distilled set in its own way. */
  readonly own: number;
  /** On as many random real images in that way. */
  readonly random: number;
}

/** Hard label recovery, in points: what is lost beside the whole data when labels are hard. The lower the better. */
export const hardLabelRecovery = ({ real, hard }: Pick<RankedAccuracies, 'real' | 'hard'>): number =>
  real - hard;

/** Improvement over random, in points: what is won beside random real images used in the same way. */
export const improvementOverRandom = ({ own, random }: Pick<RankedAccuracies, 'own' | 'random'>): number =>
  own - random;

/**
 * Label robust score, 0 to 1: both of the above together, the improvement over random with this weight.
 *
 * @throws ERR_OPTION for a weight that is not in 0..1
 */
export function labelRobustScore(accuracies: RankedAccuracies, weight = 0.5): number {
  checkWeight('labelRobustScore', weight);
  const points = weight * improvementOverRandom(accuracies) - (1 - weight) * hardLabelRecovery(accuracies);
  return rescaled(points / 100);
}

/** An accuracy, in percent, with augmentation and without. */
export interface Augmented {
  readonly augmented: number;
  readonly plain: number;
}

/**
 * Augmentation robust score, 0 to 1: the improvement over random with augmentation, with this weight, and without.
 *
 * @throws ERR_OPTION for a weight that is not in 0..1
 */
export function augmentationRobustScore(own: Augmented, random: Augmented, weight = 0.5): number {
  checkWeight('augmentationRobustScore', weight);
  const points = weight * (own.augmented - random.augmented) + (1 - weight) * (own.plain - random.plain);
  return rescaled(points / 100);
}

/** -1..1 on an exponential scale of 0..1. */
const rescaled = (value: number): number => (Math.exp(value) - Math.exp(-1)) / (Math.E - Math.exp(-1));

function checkWeight(where: string, weight: number): void {
  if (!(weight >= 0 && weight <= 1))
    throw new LimbeckError('ERR_OPTION', `${where}: weight is ${weight}, expected 0 to 1`);
}
