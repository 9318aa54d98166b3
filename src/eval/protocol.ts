import type { WeightScheme } from '../networks/network.js';
import { parseStrategy, type Strategy } from '../train/augmentation.js';
import { describeMinibatches, type MinibatchTraining } from '../train/minibatch.js';
import { LimbeckError } from '../util/errors.js';
import { protocols } from './protocols.js';

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
  /** Of minibatches: `none`, or what `parseStrategy` takes. */
  readonly augmentation: string;
  /** `zca`: it is for sets made from whitened images, and no others. Those may also be trained on under other protocols. */
  readonly preprocessing: 'none' | 'zca';
  /** Networks that are trained unless asked otherwise. */
  readonly networks: number;
  /** Which accuracy counts: that after the last step, never the best one seen on the test split. */
  readonly reported: 'last';
}

/** What real images, which have no learned rate, are trained with under a protocol that says `learned`. */
export const rateOfRealImages = 0.01;

/** The protocol of that name, with another augmentation if one is given; ERR_OPTION for what is unknown. */
export function findProtocol(name: string, augmentation?: string): Protocol {
  const protocol = protocols.find((one) => one.name === name);
  if (!protocol)
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol ${JSON.stringify(name)} is unknown; there are: ${protocols.map((one) => one.name).join(', ')}`,
    );
  if (augmentation === undefined || augmentation === protocol.augmentation) return protocol;
  if (protocol.training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      `augmentation is ${JSON.stringify(augmentation)}, but protocol ${name} takes the steps with the images as they were learned: ` +
        'leave it out, or choose a protocol of minibatches such as dsa',
    );
  const changed = { ...protocol, augmentation };
  strategyOf(changed);
  return changed;
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
        '(zca: true when the data is loaded) and evaluate the result, or use protocol dsa, which is the same without whitening',
    );
}

/** A protocol of minibatches in words: printed beside every accuracy. */
export function describeProtocol(protocol: Protocol & { training: MinibatchTraining }): string {
  const { name, training, learningRate, labels, initialisation } = protocol;
  return [
    `protocol ${name}: ${describeMinibatches(training, learningRate)}`,
    `${labels} labels`,
    `${initialisation ?? "the network's"} initialisation`,
    ...describeAugmentation(protocol),
    'accuracy after the last step',
  ].join(', ');
}

/** `augmentation dsa-digits (one of color, crop, … per batch) in place of dsa`; nothing where there is and was none. */
function describeAugmentation(protocol: Protocol): string[] {
  const { name, augmentation } = protocol;
  const usual = findProtocol(name).augmentation;
  const strategy = strategyOf(protocol);
  if (!strategy && usual === augmentation) return [];
  const what = strategy
    ? ` (one of ${strategy.families.join(', ')} per ${strategy.mixed ? 'image' : 'batch'})`
    : '';
  return [`augmentation ${augmentation}${what}${usual === augmentation ? '' : ` in place of ${usual}`}`];
}
