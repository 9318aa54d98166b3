import type { Use } from '../data/distilled-set.js';
import type { WeightScheme } from '../networks/network.js';
import { parseStrategy, type Strategy } from '../train/augmentation.js';
import { checkSteps, type MinibatchTraining } from '../train/minibatch.js';
import { LimbeckError } from '../util/errors.js';

/** `stored`: as they were learned; `hard`: 1 for the largest; `teacher`: what a teacher says of every batch, as networks see it. */
export type LabelKind = 'stored' | 'hard' | 'teacher';
export const labelKinds: readonly LabelKind[] = ['stored', 'hard', 'teacher'];

/**
 * How a fresh network is trained on a small set before it is scored. The same set scores 5 to 20 points apart under
 * different ones, so that a number means nothing without its protocol.
 */
export interface Protocol {
  /** What `evaluate` and the command line call it. */
  readonly name: string;
  /** Paper or program it follows. */
  readonly source: string;
  /**
   * `learned-steps`: the steps the set was made for, in their order, at their rates. `none`: nothing is trained, but `kernel` regresses.
   * Otherwise ordinary training on all images together.
   */
  readonly training: 'learned-steps' | 'none' | MinibatchTraining;
  /** The first rate; `learned`: the mean of the set's own (real images: `rateOfRealImages`); `none` where nothing is trained. */
  readonly learningRate: number | 'learned' | 'none';
  /** What networks learn. */
  readonly labels: LabelKind;
  /** The network's own scheme unless there is one. */
  readonly initialisation?: WeightScheme;
  /** Of minibatches: `none`, or what `parseStrategy` takes. */
  readonly augmentation: string;
  /** `zca`: it is for sets made from whitened images, and no others. Those may also be trained on under other protocols. */
  readonly preprocessing: 'none' | 'zca';
  /**
   * Where there is one, networks are not scored by the classifier they were trained with, but by kernel ridge regression of the labels on
   * their features with this ridge, as a part of the mean of the kernel's diagonal. A set that was made with another says so, under a protocol with a `kernel`.
   */
  readonly ridge?: number;
  /** Of infinitely wide networks, where kernel ridge regression with it is all there is. */
  readonly kernel?: 'ntk' | 'nngp';
  /** Networks that are trained unless asked otherwise; where nothing is trained, draws of random real images. */
  readonly networks: number;
}

/** At which networks learn: a number, as it was learned, or `none` where nothing is trained. */
export type Rate = Protocol['learningRate'];

/** What real images, which have no learned rate, are trained with under a protocol that says `learned`. */
export const rateOfRealImages = 0.01;

/** The rate a set was made with, for training in minibatches: the mean of several; that of real images where it has none. */
export function learnedRateOf(use: Use): number {
  if (use.kind === 'minibatches') return use.learningRate ?? rateOfRealImages;
  return use.learningRates.reduce((a, b) => a + b, 0) / use.learningRates.length;
}

/** ERR_OPTION where a protocol would train on so many images for longer than can be; known before anything is read or computed. */
export function checkLength({ training }: Protocol, images: number): void {
  if (typeof training === 'object') checkSteps(training, images);
}

/** ERR_OPTION where a teacher is to label every batch and there is none. */
export function checkTeacher({ labels }: Protocol, teacher: unknown): void {
  if (labels === 'teacher' && !teacher)
    throw new LimbeckError(
      'ERR_OPTION',
      'labels is teacher without one, expected the network that gives them beside it (teacher, --teacher DIR), as limbeck train --out DIR writes it',
    );
}

/** ERR_OPTION where a teacher is to label every batch, and networks have the labels of a set alone. */
export function checkNoTeacher({ labels }: Protocol): void {
  if (labels === 'teacher')
    throw new LimbeckError(
      'ERR_OPTION',
      'labels is teacher, expected stored or hard: evaluate alone has a teacher beside the networks',
    );
}

/** What is done to the images of a batch; undefined for nothing. */
export const strategyOf = ({ augmentation }: Protocol): Strategy | undefined =>
  augmentation === 'none' ? undefined : parseStrategy(augmentation);

/** Throws ERR_OPTION where a protocol is for whitened images and these are not. */
export function checkPreprocessing({ name, preprocessing }: Protocol, whitened: boolean): void {
  if (preprocessing === 'zca' && !whitened)
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol ${name} is for images that were distilled from ZCA-whitened data, and these were not: distil with --zca ` +
        '(zca: true when the data is loaded) and evaluate the result, or use protocol mtt-no-zca (mtt-digits for digits), which takes hard labels',
    );
}
