import type { WeightScheme } from '../networks/network.js';
import { describeMinibatches, type MinibatchTraining } from '../train/minibatch.js';
import { LimbeckError } from '../util/errors.js';
import { protocols } from './protocols.js';

/**
 * How a fresh network is trained on a small set before it is scored. The same set scores 5 to 20 points apart under
 * different ones, so that a number means nothing without its protocol.
 */
export interface Protocol {
  readonly name: string;
  /** Paper or program it follows. */
  readonly source: string;
  /**
   * `learned-steps`: the steps the set was made for, in their order, at their rates. Otherwise ordinary training on all
   * images together.
   */
  readonly training: 'learned-steps' | MinibatchTraining;
  /** The first rate; `learned`: the mean of the set's own (real images: `rateOfRealImages`). */
  readonly learningRate: number | 'learned';
  /** `stored`: as they were learned; `hard`: 1 for the largest. */
  readonly labels: 'stored' | 'hard';
  /** The network's own scheme unless there is one. */
  readonly initialisation?: WeightScheme;
  readonly augmentation: 'none' | 'dsa' | 'dc-mnist';
  readonly preprocessing: 'none' | 'zca';
  /** Networks that are trained unless asked otherwise. */
  readonly networks: number;
  /** Which accuracy counts: that after the last step, never the best one seen on the test split. */
  readonly reported: 'last';
}

/** What real images, which have no learned rate, are trained with under a protocol that says `learned`. */
export const rateOfRealImages = 0.01;

/** The protocol of that name; ERR_OPTION for others. */
export function findProtocol(name: string): Protocol {
  const protocol = protocols.find((one) => one.name === name);
  if (!protocol)
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol ${JSON.stringify(name)} is unknown; there are: ${protocols.map((one) => one.name).join(', ')}`,
    );
  return protocol;
}

/** Throws ERR_OPTION for what a protocol asks for and this version cannot do. */
export function checkSupported({ name, augmentation, preprocessing }: Protocol): void {
  const missing = [
    ...(augmentation === 'none' ? [] : [`augmentation ${augmentation}`]),
    ...(preprocessing === 'none' ? [] : [`preprocessing ${preprocessing}`]),
  ];
  if (missing.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol ${name} needs ${missing.join(' and ')}, which evaluation does not have yet; use dc (the same without) or ` +
        'learned-steps',
    );
}

/** A protocol of minibatches in words: printed beside every accuracy. */
export function describeProtocol(protocol: Protocol & { training: MinibatchTraining }): string {
  const { name, training, learningRate, labels, initialisation, augmentation, preprocessing } = protocol;
  return [
    `protocol ${name}: ${describeMinibatches(training, learningRate)}`,
    `${labels} labels`,
    `${initialisation ?? "the network's"} initialisation`,
    ...(augmentation === 'none' ? [] : [`augmentation ${augmentation}`]),
    ...(preprocessing === 'none' ? [] : [`${preprocessing} images`]),
    'accuracy after the last step',
  ].join(', ');
}
