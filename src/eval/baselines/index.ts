import type { DistilledSet } from '../../data/distilled-set.js';
import type { Selection } from '../../data/selection/by-class.js';
import { classMeans } from '../../data/selection/class-means.js';
import { herding } from '../../data/selection/herding.js';
import { kCentre } from '../../data/selection/k-centre.js';
import { kMeans } from '../../data/selection/k-means.js';
import { randomReal } from '../../data/selection/random-real.js';
import { LimbeckError } from '../../util/errors.js';
import { shown } from '../../util/expect.js';
import type { Protocol } from '../protocol.js';

/** Images made from real ones in the place of distilled ones: same number, same order of classes. */
export interface Baseline {
  /** Key in results: `randomReal`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Whether every network gets a draw of its own; otherwise all of them train on draw 0. */
  readonly random: boolean;
  /** Of the first `of` draws, only the `keep` are tested that do best on the validation split, with `networks` networks. */
  readonly best?: { readonly of: number; readonly keep: number; readonly networks: number };
  readonly images: Selection;
  /** Whether images of an attacked class are labelled as its target. */
  readonly flipped?: boolean;
  /**
   * Whose answers are their labels: a given teacher's, or those of a network that is stopped early in its training on all images, where by
   * the validation split. Left out, they have hard labels.
   */
  readonly labelledBy?: 'teacher' | 'early expert';
}

const randomImages: Baseline = {
  name: 'randomReal',
  title: 'random real images',
  random: true,
  images: randomReal,
};

/**
 * The best of several random draws, "optimised" in Wang et al. 2018, who keep 20 of 50 by their accuracy on 20 networks. Here
 * the accuracy is that on the validation split, of networks that are not tested; 8 of 20 with 4 networks each cost
 * what 80 networks do.
 */
const bestOfRandom: Baseline = {
  ...randomImages,
  name: 'bestOfRandom',
  title: 'best of 20 random draws',
  best: { of: 20, keep: 8, networks: 4 },
};

const centroids: Baseline = { name: 'kMeans', title: 'k-means centroids', random: false, images: kMeans };

const withTeacher: Baseline = {
  ...randomImages,
  name: 'randomTeacher',
  title: 'random real images with the answers of the teacher as labels',
  labelledBy: 'teacher',
};

/** What soft labels do without any distillation (Qin, Deng, Alvarez-Melis: A Label is Worth a Thousand Images in Dataset Distillation, 2024). */
const withEarlyExpert: Baseline = {
  ...randomImages,
  name: 'noDistillation',
  title: 'random real images with the answers of an early expert as labels',
  labelledBy: 'early expert',
};

/** Of sets that are poison alone. */
const flipped = 'flippedRandom';

/** What networks train on in the place of distilled images, in the order of a table. */
export const baselines: readonly Baseline[] = [
  randomImages,
  bestOfRandom,
  { name: 'classMeans', title: 'class means', random: false, images: classMeans },
  centroids,
  { name: 'herding', title: 'herded real images', random: false, images: herding },
  { name: 'kCentre', title: 'k-centre real images', random: false, images: kCentre },
  withTeacher,
  withEarlyExpert,
  {
    ...randomImages,
    name: flipped,
    title: 'random real images, those of the attacked class labelled as its target',
    flipped: true,
  },
];

/**
 * Names of those with soft labels, for protocols that take such: random images with a teacher's answers, `randomTeacher`, and with those of a network
 * that was stopped early, `noDistillation` (Qin et al. 2024).
 */
export const softBaselines: readonly string[] = baselines.flatMap(({ name, labelledBy }) =>
  labelledBy ? name : [],
);

/** The one whose labels a given teacher gives. */
export const teacherBaseline = withTeacher.name;

/** The networks that are tested, on something else than as many images. */
export interface BoundBaseline {
  readonly name: string;
  readonly title: string;
  /** Whether they are trained on all training images; otherwise they are left as they are. */
  readonly trained: boolean;
  /** How many of them, at most. */
  readonly networks: number;
}

export const boundBaselines: readonly BoundBaseline[] = [
  {
    name: 'untrained',
    title: 'the networks as they are',
    trained: false,
    networks: Number.POSITIVE_INFINITY,
  },
  { name: 'allTraining', title: 'real images, all there are', trained: true, networks: 5 },
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
    of: randomImages,
    draws: 10,
    k: 1,
  },
  {
    name: 'neighboursOfKMeans',
    title: 'k-means centroids, nearest neighbour',
    of: centroids,
    draws: 3,
    k: 1,
  },
];

/**
 * Names of the baselines that `evaluate` takes, of as many images as the distilled set has: `randomReal`, `bestOfRandom` (the
 * "optimised" images of Wang et al. 2018), `classMeans`, `kMeans`, `herding` (Welling 2009), `kCentre` (Sener & Savarese 2018), and
 * the nearest neighbours of random images and of centroids, `neighboursOfRandom` and `neighboursOfKMeans`; whatever the number of images: the networks as they are, `untrained`, and ordinary training on all training images,
 * `allTraining`. Sets that are poison have `flippedRandom` besides.
 */
export const baselineNames: readonly string[] = [...baselines, ...neighbourBaselines, ...boundBaselines]
  .map(({ name }) => name)
  .filter((name) => name !== flipped && !softBaselines.includes(name));

/** Real images of each class in a comparison with so many pictures: as many together, rounded to whole images of each class. */
export const perClassOf = (pictures: number, classes: number): number =>
  Math.max(1, Math.round(pictures / classes));

/** What is compared with unless asked otherwise: what takes no longer than the distilled images themselves. */
export function defaultBaselines(
  perClass: number,
  { attack, pretrained }: Pick<DistilledSet, 'attack' | 'pretrained'> = {},
  dataset = '',
  teacher = false,
): readonly string[] {
  if (attack) return ['untrained', flipped];
  // The table of Wang et al. 2018 for networks that were trained on other data.
  if (pretrained && pretrained.dataset !== dataset)
    return ['untrained', 'randomReal', 'bestOfRandom', 'classMeans', 'allTraining'];
  // One centroid is the mean.
  const quick = perClass === 1 ? ['randomReal', 'classMeans'] : ['randomReal', 'classMeans', 'kMeans'];
  if (teacher) quick.push(withTeacher.name);
  return pretrained ? ['untrained', ...quick] : quick;
}

/** The names of all baselines that there are under a protocol, with a teacher or without one. */
export const baselinesUnder = ({ labels }: Pick<Protocol, 'labels'>, teacher: boolean): readonly string[] => {
  const without = baselines.filter(
    ({ labelledBy }) => labelledBy && (labels === 'hard' || (labelledBy === 'teacher' && !teacher)),
  );
  return [...baselineNames, ...softBaselines].filter((name) => !without.some((one) => one.name === name));
};

/** Throws ERR_OPTION for baselines whose labels a protocol does not take, or a missing teacher would have to give. */
export function checkSoftBaselines(
  names: readonly string[],
  { name: protocol, labels }: Protocol,
  teacher: boolean,
): void {
  for (const { name, labelledBy } of baselines) {
    if (!labelledBy || !names.includes(name)) continue;
    if (labels === 'hard')
      throw new LimbeckError(
        'ERR_OPTION',
        `baseline ${name} has soft labels, and protocol ${protocol} takes hard ones: leave it out, or expected a protocol of stored labels such as soft-labels`,
      );
    if (labelledBy === 'teacher' && !teacher)
      throw new LimbeckError(
        'ERR_OPTION',
        `baseline ${name} is named without a teacher, expected one beside it (--teacher DIR), as limbeck train --out DIR writes it`,
      );
  }
}

/** Throws ERR_OPTION for names that no baseline has, or none for this set. */
export function checkBaselines(names: readonly string[], set?: DistilledSet): void {
  if (!Array.isArray(names))
    throw new LimbeckError(
      'ERR_OPTION',
      `baselines is ${shown(names)}, expected a list of names out of: ${[...baselineNames, ...softBaselines].join(', ')}`,
    );
  const known = [...baselineNames, ...softBaselines, ...(set?.attack ? [flipped] : [])];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new LimbeckError(
      'ERR_OPTION',
      `baseline ${JSON.stringify(unknown)} is unknown; there are: ${known.join(', ')}`,
    );
}
