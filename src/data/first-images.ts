import { streams } from '../train/streams.js';
import { breathe } from '../util/breathe.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { Stream } from '../util/random.js';
import { classCounts } from './classes.js';
import type { Dataset } from './dataset.js';
import type { DistilledSet } from './distilled-set.js';
import type { Selection } from './selection/by-class.js';
import { classMeans } from './selection/class-means.js';
import { kMeans } from './selection/k-means.js';
import { randomReal } from './selection/random-real.js';

const selections = { real: randomReal, means: classMeans, 'k-means': kMeans } satisfies Record<
  string,
  Selection
>;

/** Ways to begin that have a name; anything else is the file of another set. */
export const firstNames = ['noise', 'real', 'means', 'k-means'] as const;

export interface FirstImages {
  /** `noise`, or made of the training images of each class, or the set in a file. */
  readonly first: (typeof firstNames)[number] | { readonly file: string; readonly set: DistilledSet };
  /** `[count]`: the class that each image is for, in any order. */
  readonly classes: Uint16Array;
  readonly seed: number;
  /** Standard deviation of noise. */
  readonly scale: number;
}

/** Baselines are drawn from 0 on: this draw is of none of them. */
const draw = 2 ** 32 - 1;

/**
 * What distilled images begin as: `[count, C, H, W]`, normalised. Noise is drawn by the place of a number in that. Of real
 * images, or those of another set, the j-th image for a class is the j-th of the class; a set may have more of them.
 */
export async function firstImages(
  dataset: Dataset,
  { first, classes, seed, scale }: FirstImages,
): Promise<Float32Array> {
  const pixels = dataset.imageShape.reduce((a, b) => a * b, 1);
  const out = new Float32Array(classes.length * pixels);
  if (first === 'noise') {
    const source = new Stream(seed, streams.images);
    for (let i = 0; i < out.length; i++) {
      if (i % 1_000_000 === 0) await breathe();
      out[i] = scale * source.normal(i);
    }
    return out;
  }
  const counts = classCounts(classes, dataset.classes);
  const images =
    typeof first === 'string'
      ? await selected(
          selections[first],
          dataset,
          counts.reduce((a, b) => Math.max(a, b), 0),
          seed,
        )
      : ofSet(first, dataset, counts);
  const used = new Uint32Array(dataset.classes);
  for (const [i, label] of classes.entries()) out.set(images(label, used[label]++), i * pixels);
  return out;
}

/** The j-th image of a class. */
type Images = (label: number, j: number) => Float32Array;

async function selected(
  select: Selection,
  dataset: Dataset,
  perClass: number,
  seed: number,
): Promise<Images> {
  const pixels = dataset.imageShape.reduce((a, b) => a * b, 1);
  const images = await select(dataset, perClass, seed, draw);
  return (label, j) => {
    const at = j * dataset.classes + label;
    return images.subarray(at * pixels, (at + 1) * pixels);
  };
}

function ofSet(
  { file, set }: { file: string; set: DistilledSet },
  dataset: Dataset,
  counts: readonly number[],
): Images {
  const { inputShape, classes } = set.network;
  if (shapeText(inputShape) !== shapeText(dataset.imageShape) || classes !== dataset.classes)
    throw new LimbeckError(
      'ERR_DATA',
      `${file} holds images of ${shapeText(inputShape)} in ${classes} classes, expected ${shapeText(dataset.imageShape)} in ${dataset.classes} as in ${dataset.name}: begin with a set of the same data`,
    );
  const rows: number[][] = Array.from({ length: classes }, () => []);
  for (const [row, label] of set.classes.entries()) rows[label].push(row);
  const short = rows.findIndex((ofClass, label) => ofClass.length < counts[label]);
  if (short >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${file} holds ${rows[short].length} images of class ${short}, expected at least ${counts[short]}: ask for fewer images per class`,
    );
  const pixels = set.images.length / set.classes.length;
  return (label, j) => set.images.subarray(rows[label][j] * pixels, (rows[label][j] + 1) * pixels);
}
