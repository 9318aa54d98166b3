import { firstNames } from '../data/first-images.js';
import { type NetworkSpec, networkNames, networkSpec } from '../networks/index.js';
import { parametrisations } from '../parametrisations/index.js';
import { LimbeckError } from '../util/errors.js';
import { flag, fraction, type GivenOf, positive, text, type ValuesOf, whole } from '../util/option.js';

/** Whether there is such a network; what its options may be is known when the sizes of the images are. */
function expectedNetwork(network: unknown): string | undefined {
  const expected = `one of ${networkNames.join(', ')}, with options as in convnet:width=64`;
  try {
    return networkNames.includes(networkSpec(network as string | NetworkSpec).name) ? undefined : expected;
  } catch {
    return expected;
  }
}

/** The same for a parametrisation, which is written as a network is. */
function expectedParametrisation(given: unknown): string | undefined {
  const names = Object.keys(parametrisations);
  const expected = `one of ${names.join(', ')}, with options as in factor:factor=3`;
  try {
    return names.includes(networkSpec(given as string | NetworkSpec).name) ? undefined : expected;
  } catch {
    return expected;
  }
}

/** The options of every run, whatever its method. */
export const commonOptions = {
  network: text<string | NetworkSpec>(
    'lenet',
    'network to distil for, with options as in mlp:width=64',
    expectedNetwork,
    { value: networkNames.join('|') },
  ),
  ipc: whole(1, 'images per class that are stored', { fallback: '1; for unrolled one per inner step' }),
  first: text<string>(
    'noise',
    'what the images begin as: noise, real images, means of a class or of its clusters, or another set',
    (given) => (typeof given === 'string' && given !== '' ? undefined : `${firstNames.join(', ')} or a file`),
    { value: `${firstNames.join('|')}|FILE` },
  ),
  imageScale: positive(0.1, 'standard deviation of the noise that images begin as'),
  parametrisation: text<string | NetworkSpec>(
    'pixels',
    'how images are made of what is stored and learned; bases:images=8 makes eight in the storage of one',
    expectedParametrisation,
    { value: Object.keys(parametrisations).join('|') },
  ),
  iterations: whole(20_000, 'outer steps; fewer by default on fewer than 10,000 training images'),
  average: fraction(0, 'decay of the running average that becomes the result; 0 for none'),
  seed: whole(0, 'of everything random', { least: 0 }),
  validateEvery: whole(50, 'outer steps between two looks at the validation split'),
  patience: whole(
    0,
    'looks without a better one after which a run ends before its last outer step; 0 for never',
    { least: 0, fallback: '0; on fewer than 10,000 training images a quarter of the looks' },
  ),
  validationNetworks: whole(4, 'networks that look at it, where they are drawn at random'),
  networks: whole(
    20,
    'networks of the final evaluation, where they are drawn at random; fewer by default on fewer than 10,000 training images where a protocol trains in minibatches',
  ),
  protocol: text<string>(
    '',
    'how results are scored',
    (given) => (typeof given === 'string' ? undefined : 'the name of a protocol'),
    { value: 'NAME', fallback: "the method's own" },
  ),
};

/** Of methods that may learn labels: how many images there are, where they are not as many of each class. */
export const images = whole(0, 'images in all, in the place of ipc; fewer than classes with learned labels', {
  least: 0,
  fallback: 'ipc of each class',
});

/** Of methods that learn labels: whether these are all they learn. */
export const fixedImages = flag(
  'images stay what they begin as (--first real: real ones), and labels alone are learned (Bohdal, Yang, Hospedales 2020)',
);

/** Rates of what is not learned; see `Method.idle`. */
export const idleRates = ({ labels, fixedImages }: { labels?: string; fixedImages?: boolean }) => ({
  ...(labels === 'hard' && {
    labelLr: 'labels is hard, which nothing moves, expected labels: soft beside it',
  }),
  ...(fixedImages && { lr: 'fixedImages is given, and it is the rate of images, expected one of the two' }),
});

/** Throws ERR_OPTION where uniform batches of real images are more than can be told apart. */
export function checkUniformBatches(
  { iterations, batch }: { iterations: number; batch: number },
  product = 'iterations x batch',
): void {
  if (iterations * batch >= 2 ** 32)
    throw new LimbeckError(
      'ERR_OPTION',
      `${product} is ${iterations * batch}, expected below 2^32 (places in the sequence of batches are counted in 32 bits)`,
    );
}

export type CommonOptions = ValuesOf<typeof commonOptions>;
/** What a user, a method or a preset says of them. */
export type CommonGiven = GivenOf<typeof commonOptions>;
