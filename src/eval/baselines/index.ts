import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import type { Baseline } from './baseline.js';
import { classMeans } from './class-means.js';
import { herding } from './herding.js';
import { kCentre } from './k-centre.js';
import { kMeans } from './k-means.js';
import { randomReal } from './random-real.js';

export type { Baseline } from './baseline.js';

/**
 * The best of several random draws, "optimised" in Wang et al. 2018, who keep 20 of 50 by their accuracy on 20 networks. Here
 * the accuracy is that on the validation split, of networks that are not tested; 8 of 20 with 4 networks each cost
 * what 80 networks do.
 */
const bestOfRandom: Baseline = {
  ...randomReal,
  name: 'bestOfRandom',
  title: 'best of 20 random draws',
  best: { of: 20, keep: 8, networks: 4 },
};

/** What networks train on in the place of distilled images, in the order of a table. */
export const baselines: readonly Baseline[] = [
  randomReal,
  bestOfRandom,
  classMeans,
  kMeans,
  herding,
  kCentre,
];

/** Chosen images looked up instead of trained on; several draws, since there are no networks to differ. */
export interface NeighbourBaseline {
  readonly name: string;
  readonly title: string;
  readonly of: Baseline;
  readonly draws: number;
  /** Neighbours that vote. */
  readonly k: number;
}

export const neighbourBaselines: readonly NeighbourBaseline[] = [
  {
    name: 'neighboursOfRandom',
    title: 'random real images, nearest neighbour',
    of: randomReal,
    draws: 10,
    k: 1,
  },
  { name: 'neighboursOfKMeans', title: 'k-means centroids, nearest neighbour', of: kMeans, draws: 3, k: 1 },
];

/**
 * Names of the baselines that `evaluate` takes, of as many images as the distilled set has: `randomReal`, `bestOfRandom` (the
 * "optimised" images of Wang et al. 2018), `classMeans`, `kMeans`, `herding` (Welling 2009), `kCentre` (Sener & Savarese 2018), and
 * the nearest neighbours of random images and of centroids, `neighboursOfRandom` and `neighboursOfKMeans`.
 */
export const baselineNames: readonly string[] = [...baselines, ...neighbourBaselines].map(({ name }) => name);

/** What is compared with unless asked otherwise: what takes no longer than the distilled images themselves. */
export function defaultBaselines(perClass: number): readonly string[] {
  // One centroid is the mean.
  return perClass === 1 ? ['randomReal', 'classMeans'] : ['randomReal', 'classMeans', 'kMeans'];
}

/** Throws ERR_OPTION for names that no baseline has. */
export function checkBaselines(names: readonly string[]): void {
  if (!Array.isArray(names))
    throw new LimbeckError(
      'ERR_OPTION',
      `baselines is ${shown(names)}, expected a list of names out of: ${baselineNames.join(', ')}`,
    );
  const unknown = names.find((name) => !baselineNames.includes(name));
  if (unknown !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `baseline ${JSON.stringify(unknown)} is unknown; there are: ${baselineNames.join(', ')}`,
    );
}
