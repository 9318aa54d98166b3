import { classCounts } from '../data/classes.js';
import type { Dataset } from '../data/dataset.js';
import { findProtocol, unaugmented } from '../eval/find-protocol.js';
import type { Method } from '../methods/method.js';
import { createNetwork, type NetworkSpec, networkSpec } from '../networks/index.js';
import { LimbeckError } from '../util/errors.js';
import type { Taken } from './options.js';

/**
 * Defaults that fit the training split. They stand behind what was given and what was published; from `enough` training images on
 * steps and patience are those of the method.
 */

/** Training images from which on a run has all outer steps of its method. */
const enough = 10_000;
/** The least part of them that it has, however few the images. */
const leastPart = 1 / 10;
/** Networks that test a set made of few images, at least. */
const leastNetworks = 5;
/** A run on fewer images ends when this part of all its looks has brought nothing better. */
const patientPart = 1 / 4;

/** The part of all steps that so few images are worth; 1 or more from `enough` on. */
const partOf = ({ train }: Dataset): number => Math.max(train.count / enough, leastPart);

/**
 * What replaces the `usual` values of options that were not given: a network that takes images of any size where they are too small
 * for the usual one; batches no larger than what they are drawn from; on few training images outer steps in proportion to them, networks
 * of the test likewise where these train for long, and what the method says for such. Whoever says how many outer steps there are gets
 * them all.
 */
export function fitted(
  { order, options, small = {} }: Method,
  dataset: Dataset,
  usual: {
    readonly network: string | NetworkSpec;
    readonly protocol: string;
    readonly batch?: number;
    readonly iterations: number;
    readonly networks: number;
  },
  isGiven: (option: string) => boolean,
): Taken {
  const { train, classes, text } = dataset;
  const ofClasses = order === 'by-class' ? classCounts(train.labels, classes) : [train.count];
  const most = Math.max(1, ...ofClasses);
  const { batch = 0, iterations, protocol } = usual;
  const part = partOf(dataset);
  return {
    ...(text
      ? forTexts(options, dataset, protocol, isGiven)
      : !isGiven('network') && !takes(usual.network, dataset) && { network: 'mlp' }),
    ...(batch > most && !isGiven('batch') && { batch: most }),
    ...(part < 1 && !isGiven('iterations') && { iterations: Math.ceil(iterations * part) }),
    ...(!isGiven('networks') && fewerNetworks(protocol, usual.networks, dataset)),
    // All of it or nothing: its values go together.
    ...(part < 1 && !['iterations', ...Object.keys(small)].some(isGiven) && small),
  };
}

/**
 * Hundreds of epochs for each of twenty networks, on the set and on every baseline, take longer than to distil few images. Fewer networks
 * leave the protocol as it was published, and the size of such a test split leaves more open than they do.
 */
function fewerNetworks(protocol: string, networks: number, dataset: Dataset): Taken {
  const fewer = networksFor(networks, dataset);
  const trains = typeof findProtocol(protocol).training === 'object';
  return trains && fewer < networks ? { networks: fewer } : {};
}

/** Networks that test a set, of as many as are usual. */
export const networksFor = (usual: number, dataset: Dataset): number =>
  Math.min(usual, Math.max(leastNetworks, Math.ceil(partOf(dataset) * usual)));

/** Texts have networks of their own, and nothing that is done to pictures is done to them. */
function forTexts(
  options: Method['options'],
  dataset: Dataset,
  protocol: string,
  isGiven: (option: string) => boolean,
): Taken {
  const still = unaugmented(protocol);
  return {
    ...(!isGiven('network') && { network: textNetwork(dataset) }),
    ...('augmentation' in options && !isGiven('augmentation') && { augmentation: 'none' }),
    ...(still !== protocol && !isGiven('protocol') && { protocol: still }),
  };
}

/** What texts are usually read by; of fewer words than its windows have, a network without windows. */
export const textNetwork = (dataset: Dataset): string =>
  takes('textconvnet', dataset) ? 'textconvnet' : 'mlp';

/** Whether a network takes images of this size. */
function takes(network: string | NetworkSpec, { imageShape, classes }: Dataset): boolean {
  try {
    createNetwork({ ...networkSpec(network), inputShape: imageShape, classes });
    return true;
  } catch (error) {
    if (error instanceof LimbeckError && error.code === 'ERR_SHAPE') return false;
    throw error;
  }
}

/** The patience that fits: looks at the validation split after which few images have reached their plateau. */
export function fittedPatience(
  { train }: Dataset,
  { iterations, validateEvery }: { readonly iterations: number; readonly validateEvery: number },
  isGiven: (option: string) => boolean,
): Taken {
  if (train.count >= enough || ['iterations', 'patience'].some(isGiven)) return {};
  return { patience: Math.ceil(patientPart * Math.ceil(iterations / validateEvery)) };
}
