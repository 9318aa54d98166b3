import type { DistilledSet, LearnedSteps } from '../../src/data/distilled-set.js';

/** What makes a set of learned steps: its numbers, and what is not as in most tests. */
type Given = Pick<DistilledSet, 'network' | 'images' | 'labels'> &
  Pick<LearnedSteps, 'learningRates'> &
  Partial<Pick<DistilledSet, 'seed'> & Omit<LearnedSteps, 'kind'>>;

/** A set as the unrolled method makes it: item i is of class i mod K, stored as it is. */
export function learnedSet({
  network,
  images,
  labels,
  learningRates,
  seed = 0,
  ...more
}: Given): DistilledSet {
  const { steps = 1, epochs = 1, init = 'random', initialParameters } = more;
  const { training = { optimizer: { kind: 'sgd' }, loss: 'cross-entropy' } } = more;
  const count = labels.length / network.classes;
  return {
    ...{ method: 'unrolled', network, images, labels, seed },
    classes: Uint16Array.from({ length: count }, (_, i) => i % network.classes),
    use: { kind: 'learned-steps', steps, epochs, learningRates, training, init, initialParameters },
    stored: { parametrisation: { name: 'pixels' }, pictures: count, variables: {} },
  };
}

/** The steps of a set that was made for some. */
export function stepsOf({ use }: DistilledSet): LearnedSteps {
  if (use.kind !== 'learned-steps') throw new Error(`the set is used in ${use.kind}`);
  return use;
}
