import type { Dataset } from '../data/dataset.js';
import { normalisedImages } from '../data/on-device.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { permutation, Stream } from '../util/random.js';

/** Real images put in the place of distilled ones: same number, same order of classes. */
export interface Baseline {
  /** Key in results: `randomReal`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Whether another draw gives other images. */
  readonly random: boolean;
  /**
   * Images `[perClass * K, C, H, W]`, normalised; image i is of class `i mod K`. Deterministic in (seed, draw).
   */
  images(dataset: Dataset, perClass: number, seed: number, draw: number): Float32Array;
}

/** Rows of the training split by class, shuffled for (seed, draw). */
function shuffledRows(dataset: Dataset, seed: number, draw: number): number[][] {
  const stream = new Stream(seed, streams.baseline);
  stream.draw = draw;
  const rows: number[][] = Array.from({ length: dataset.classes }, () => []);
  for (const row of permutation(stream, dataset.train.count)) rows[dataset.train.labels[row]].push(row);
  const empty = rows.findIndex((ofClass) => ofClass.length === 0);
  if (empty >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${dataset.name}: class ${empty} has no training image, so there are no real images to compare with: leave the baselines out`,
    );
  return rows;
}

const randomReal: Baseline = {
  name: 'randomReal',
  title: 'random real images',
  random: true,
  images(dataset, perClass, seed, draw) {
    const rows = shuffledRows(dataset, seed, draw);
    const chosen = Array.from({ length: perClass * dataset.classes }, (_, i) => {
      const ofClass = rows[i % dataset.classes];
      return ofClass[Math.floor(i / dataset.classes) % ofClass.length];
    });
    return normalisedImages(dataset, dataset.train, chosen);
  },
};

const classMeans: Baseline = {
  name: 'classMeans',
  title: 'class means',
  random: false,
  // One image per class is its mean; several are the means of as many equal random parts of it.
  images(dataset, perClass, seed) {
    const rows = shuffledRows(dataset, seed, 0);
    const pixels = dataset.imageShape.reduce((a, b) => a * b, 1);
    const out = new Float32Array(perClass * dataset.classes * pixels);
    for (let i = 0; i < perClass * dataset.classes; i++) {
      const ofClass = rows[i % dataset.classes];
      const part = Math.floor(i / dataset.classes);
      const from = Math.floor((part * ofClass.length) / perClass);
      const to = Math.max(from + 1, Math.floor(((part + 1) * ofClass.length) / perClass));
      const group = ofClass.slice(from, to);
      const total = new Float64Array(pixels);
      const images = normalisedImages(dataset, dataset.train, group);
      images.forEach((value, at) => {
        total[at % pixels] += value;
      });
      for (let s = 0; s < pixels; s++) out[i * pixels + s] = total[s] / group.length;
    }
    return out;
  },
};

export const baselines: readonly Baseline[] = [randomReal, classMeans];
