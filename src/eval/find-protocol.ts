import { describeMinibatches, type MinibatchTraining } from '../train/minibatch.js';
import { LimbeckError } from '../util/errors.js';
import { shown } from '../util/expect.js';
import { short } from '../util/words.js';
import { type LabelKind, labelKinds, type Protocol, type Rate, strategyOf } from './protocol.js';
import { protocols } from './protocols.js';

/** What may take the place of what a protocol says. */
export interface ProtocolChanges {
  /**
   * `none`, a strategy by name or families joined by underscores. `dsa` mirrors images: where classes do not look the same in a
   * mirror, as digits, `dsa-digits` is the literature's choice. Nothing is guessed from the data.
   */
  readonly augmentation?: string;
  /** Passes over the images. */
  readonly epochs?: number;
  /** Images per step, at most. */
  readonly batch?: number;
  /** The first rate. */
  readonly learningRate?: number;
  /**
   * `stored`: as they were learned; `hard`: 1 for the largest; `teacher`: what a teacher says of every batch, at the temperature of the set (1 where it
   * has none), after all that augmentation does to it. Then `evaluate` needs one.
   */
  readonly labels?: LabelKind;
}

const positive = (value: number) => Number.isFinite(value) && value > 0;
const expectations: Readonly<
  Record<string, { readonly test: (value: number) => boolean; readonly text: string }>
> = {
  epochs: { test: (value) => positive(value) && Number.isInteger(value), text: 'a whole number above 0' },
  batch: { test: (value) => positive(value) && Number.isInteger(value), text: 'a whole number above 0' },
  learningRate: { test: positive, text: 'a number above 0' },
};

/** The protocol of that name, with what is given in the place of its own; ERR_OPTION for what is unknown or out of range. */
export function findProtocol(name: string, changes: ProtocolChanges = {}): Protocol {
  const protocol = protocols.find((one) => one.name === name);
  if (!protocol)
    throw new LimbeckError(
      'ERR_OPTION',
      `protocol ${JSON.stringify(name)} is unknown; there are: ${protocols.map((one) => one.name).join(', ')}`,
    );
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const { training } = protocol;
  if (!given.length) return protocol;
  if (training === 'none')
    throw new LimbeckError(
      'ERR_OPTION',
      `${given[0][0]} is ${shown(given[0][1])}, but protocol ${name} trains nothing: leave it out, or choose a protocol of minibatches ` +
        'that takes labels as they are stored, such as frepo',
    );
  if (training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      `${given[0][0]} is ${shown(given[0][1])}, but protocol ${name} takes the steps as they were learned: leave it out, or ` +
        'choose a protocol of minibatches such as dsa',
    );
  for (const [option, value] of given)
    if (option in expectations && !expectations[option].test(value))
      throw new LimbeckError(
        'ERR_OPTION',
        `${option} is ${shown(value)}, expected ${expectations[option].text}`,
      );
  const { augmentation, epochs = training.epochs, batch = training.batch, learningRate } = changes;
  const { labels = protocol.labels } = changes;
  if (!labelKinds.includes(labels))
    throw new LimbeckError(
      'ERR_OPTION',
      `labels is ${shown(labels)}, expected one of ${labelKinds.join(', ')}`,
    );
  if (labels === 'teacher' && training.loss !== 'cross-entropy')
    throw new LimbeckError(
      'ERR_OPTION',
      `labels is teacher, but networks learn by ${training.loss} under protocol ${name}: expected one of cross-entropy, such as soft-labels`,
    );
  const changed = {
    ...protocol,
    training: { ...training, epochs, batch },
    learningRate: learningRate ?? protocol.learningRate,
    augmentation: augmentation ?? protocol.augmentation,
    labels,
  };
  strategyOf(changed);
  return changed;
}

/** The protocol that trains as another does, and leaves the items as they are: for texts, with which nothing is done that pictures take. */
export function unaugmented(name: string): string {
  const { training, learningRate, labels, augmentation, preprocessing } = findProtocol(name);
  if (augmentation === 'none' && preprocessing === 'none') return name;
  const same = protocols.find(
    (one) =>
      one.augmentation === 'none' &&
      one.preprocessing === 'none' &&
      one.training === training &&
      one.learningRate === learningRate &&
      one.labels === labels,
  );
  return same?.name ?? name;
}

/** A protocol of minibatches in words, with what took the place of what: printed beside every accuracy. */
export function describeProtocol(
  protocol: Protocol & { training: MinibatchTraining },
  pretrained = false,
): string {
  const { name, training, learningRate, labels, initialisation, augmentation } = protocol;
  const usual = findProtocol(name) as typeof protocol;
  const replaced = [
    ['epochs', training.epochs, usual.training.epochs],
    ['batch', training.batch, usual.training.batch],
    ['rate', learningRate, usual.learningRate],
    ['augmentation', augmentation, usual.augmentation],
    ['labels', labels, usual.labels],
  ].filter(([, now, before]) => now !== before);
  return [
    `protocol ${name}: ${describeMinibatches(training, learningRate as Exclude<Rate, 'none'>)}`,
    `${labels} labels`,
    ...(pretrained ? [] : [`${initialisation ?? "the network's"} initialisation`]),
    ...describeAugmentation(protocol),
    'accuracy after the last step',
    ...replaced.map(([what, now, before]) => `${what} ${now} in place of ${before}`),
  ].join(', ');
}

/** The same of a protocol that trains nothing. */
export const describeRegression = ({ name, kernel, ridge, labels }: Protocol): string =>
  `protocol ${name}: kernel regression with the ${kernel === 'ntk' ? 'tangent kernel' : 'kernel'} of infinitely wide networks, ridge ${ridge}, ${labels} labels`;

/** `augmentation dsa-digits (one of color, crop, … per batch)`; nothing where there is none. */
function describeAugmentation(protocol: Protocol): string[] {
  const strategy = strategyOf(protocol);
  if (!strategy) return [];
  const { families, mixed, area, mirrored, cutmix } = strategy;
  const crops = families.includes('resizedcrop');
  const moved = crops
    ? `a crop of ${area.map((part) => short(100 * part)).join(' to ')} % of every image${mirrored ? ', mirrored half of the time' : ''}`
    : `one of ${families.join(', ')} per ${mixed ? 'image' : 'batch'}`;
  const what = [
    ...(families.length ? [moved] : []),
    ...(cutmix ? ['one box of another image pasted into each of a batch'] : []),
  ];
  return [`augmentation ${protocol.augmentation} (${what.join('; ')})`];
}
