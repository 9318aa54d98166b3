import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { classMeans } from '../eval/baselines/class-means.js';
import { kMeans } from '../eval/baselines/k-means.js';
import { randomReal } from '../eval/baselines/random-real.js';
import { type Items, itemClasses } from '../methods/items.js';
import { firstNames } from '../methods/options.js';
import { streams } from '../train/streams.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { Stream } from '../util/random.js';

/** Real images that a run may begin with; image i is of class `i mod K`. */
const chosen = { real: randomReal, means: classMeans, 'k-means': kMeans };

/** What first items are told: the options of the run, and the set that `first` names where it names a file. */
export interface FirstOptions {
  readonly first: string;
  readonly seed: number;
  readonly imageScale: number;
}

/**
 * The items that a run begins with, `[count, C, H, W]` in the order of its method. `from` is the set in the file that
 * `first` names. Throws ERR_OPTION where a file is named and not given, ERR_DATA where it does not fit.
 */
export async function firstItems(
  dataset: Dataset,
  items: Omit<Items, 'first'>,
  { first, seed, imageScale }: FirstOptions,
  from?: DistilledSet,
): Promise<Float32Array> {
  const classes = itemClasses(items);
  const pixels = items.shape.reduce((a, b) => a * b, 1);
  if (first === 'noise') {
    const source = new Stream(seed, streams.images);
    return Float32Array.from({ length: classes.length * pixels }, (_, i) => imageScale * source.normal(i));
  }
  const K = items.classes;
  const known = firstNames.find((name) => name === first);
  const perClass = items.ipc * items.decoder.perPicture;
  const rows = known
    ? Uint16Array.from({ length: perClass * K }, (_, i) => i % K)
    : setFor(items, first, perClass, from).classes;
  const images = known
    ? await chosen[known as keyof typeof chosen].images(dataset, perClass, seed, 0)
    : from!.images;
  const ofClass: number[][] = Array.from({ length: K }, () => []);
  for (const [row, own] of rows.entries()) ofClass[own].push(row);
  const out = new Float32Array(classes.length * pixels);
  const taken = new Array<number>(K).fill(0);
  for (const [i, own] of classes.entries()) {
    const row = ofClass[own][taken[own]++];
    out.set(images.subarray(row * pixels, (row + 1) * pixels), i * pixels);
  }
  return out;
}

/** The set to begin with, where it has what is needed of every class. */
function setFor(
  { shape, classes: K }: Omit<Items, 'first'>,
  file: string,
  perClass: number,
  set?: DistilledSet,
): DistilledSet {
  if (!set)
    throw new LimbeckError(
      'ERR_OPTION',
      `option first is ${JSON.stringify(file)}, expected one of ${firstNames.join(', ')}, or the file of a set that is given with it`,
    );
  const { inputShape, classes } = set.network;
  if (shapeText(inputShape) !== shapeText(shape) || classes !== K)
    throw new LimbeckError(
      'ERR_DATA',
      `${file} holds images of ${shapeText(inputShape)} in ${classes} classes, expected ${shapeText(shape)} in ${K}: begin with a set of the same data`,
    );
  const counts = new Array<number>(K).fill(0);
  for (const own of set.classes) counts[own]++;
  const few = counts.findIndex((count) => count < perClass);
  if (few >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${file} holds ${counts[few]} images of class ${few}, expected at least ${perClass}: ask for fewer images per class`,
    );
  return set;
}
