import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { randomRows } from '../data/selection/random-rows.js';
import type { Device } from '../engine/device.js';
import type { Artefact } from '../eval/artefact.js';
import { perClassOf } from '../eval/baselines/index.js';
import type { Model } from '../eval/model.js';
import { createNetwork, type NetworkSpec, networkSpec } from '../networks/index.js';
import { trainNetworks } from '../runs/train-networks.js';
import { trainOn } from '../runs/train-on.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { LimbeckError } from '../util/errors.js';
import { shown } from '../util/expect.js';

/** What every use is given; each has a default. */
export interface UseOptions {
  /** Networks of each kind, from weights of their own; default 5, or all that the set was made for where they are known ones. */
  readonly networks?: number;
  /** Of networks, real images and everything else that is random; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** Before each kind of networks is trained. */
  readonly onProgress?: (event: { readonly training: string }) => void;
}

export const useNames = {
  networks: true,
  seed: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof UseOptions, true>;

/** Networks by what they learned from. */
export interface Subject {
  /** `distilled images`, `as many random real images` or `all training images`. */
  readonly name: string;
  readonly model: Model;
}

/**
 * Networks that learned from a distilled set, from as many random real images, and from all training images: the first two as the set is used, or, where it
 * has learned steps of its own, the random images by protocol `full-batch`; the last by ordinary training.
 */
export async function subjectsOf(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  { seed = 0, signal, onProgress, network, ...options }: UseOptions & { readonly network?: NetworkSpec },
): Promise<Subject[]> {
  const { set } = artefact;
  const networks = options.networks ?? (network ? undefined : knownNetworks(set)) ?? 5;
  const data = asDistilled(dataset, artefact);
  const how = { networks, seed, signal, network };
  const random = { ...artefact, set: await randomInstead(data, set, seed) };
  const trained: readonly (readonly [string, () => Promise<{ readonly model: Model }>])[] = [
    ['distilled images', () => trainOn(device, artefact, { ...how, dataset: data })],
    ['as many random real images', () => trainOn(device, random, { ...how, dataset: data })],
    [
      'all training images',
      () =>
        trainNetworks(device, data, {
          ...{ networks, seed, signal },
          network: network ?? networkSpec(set.network),
        }),
    ],
  ];
  const subjects: Subject[] = [];
  for (const [name, train] of trained) {
    onProgress?.({ training: name });
    subjects.push({ name, model: (await train()).model });
  }
  return subjects;
}

/** How many networks a set was made for, where they are known ones. */
const knownNetworks = ({ use, network }: DistilledSet): number | undefined =>
  use.kind === 'learned-steps' && use.initialParameters
    ? use.initialParameters.length / createNetwork(network).count
    : undefined;

/** Random real images in the place of a set's own, as many of each class as it stores. */
export async function randomInstead(
  dataset: Dataset,
  set: DistilledSet,
  seed: number,
): Promise<DistilledSet> {
  return {
    ...set,
    ...(await randomRows(dataset, perClassOf(set.stored.pictures, dataset.classes), seed)),
    // Neither a teacher's temperature nor a rate that was learned for others.
    use: {
      kind: 'minibatches',
      protocol: set.use.kind === 'learned-steps' ? 'full-batch' : set.use.protocol,
    },
    teacher: undefined,
  };
}

/** ERR_OPTION for whitened images and texts: what is done to pixels needs pixels. */
export function expectPixels(where: string, { name, zca, text }: Dataset): void {
  if (zca || text)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: ${name} has ${text ? 'texts' : 'whitened images'}, expected images as they are: pixels are changed`,
    );
}

/** A list of numbers above 0; ERR_OPTION for anything else. */
export function expectPositive(where: string, name: string, values: unknown): readonly number[] {
  if (Array.isArray(values) && values.length && values.every((value) => Number.isFinite(value) && value > 0))
    return values;
  throw new LimbeckError('ERR_OPTION', `${where}: ${name} is ${shown(values)}, expected numbers above 0`);
}
