import { describe, expect, it } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { type FirstImages, firstImages, firstNames } from '../src/data/first-images.js';
import { normalisedImages } from '../src/data/on-device.js';
import { randomReal } from '../src/data/selection/random-real.js';
import { streams } from '../src/train/streams.js';
import { Stream } from '../src/util/random.js';

/** Eight images of each of three classes, in no order of them; every image differs from every other. */
const K = 3;
const labels = Array.from({ length: 24 }, (_, i) => (2 * i + Math.floor(i / 3)) % K);
const images = Uint8Array.from({ length: 24 * 4 }, (_, i) => (37 * i + 80 * labels[Math.floor(i / 4)]) % 251);
const split = { images, labels };
const dataset = datasetFromArrays({
  name: 'small',
  imageShape: [1, 2, 2],
  classes: K,
  train: split,
  validation: split,
  test: split,
});

const interleaved = Uint16Array.from({ length: 12 }, (_, i) => i % K);
const byClass = Uint16Array.from({ length: 12 }, (_, i) => Math.floor(i / 4));
/** Two items of every picture, pictures in turns. */
const pairs = Uint16Array.from({ length: 12 }, (_, i) => Math.floor(i / 2) % K);

const make = (options: Partial<FirstImages> & Pick<FirstImages, 'first'>) =>
  firstImages(dataset, { classes: interleaved, seed: 5, scale: 0.1, ...options });

/** Images of each class in their order, as text. */
function listed(all: Float32Array, classes: Uint16Array): string[][] {
  const lists: string[][] = [[], [], []];
  for (const [i, label] of classes.entries()) lists[label].push(all.subarray(4 * i, 4 * i + 4).join());
  return lists;
}

const rowsOf = (label: number) => [...labels.keys()].filter((row) => labels[row] === label);
const meanOf = (label: number) => {
  const all = normalisedImages(dataset, dataset.train, rowsOf(label));
  return [0, 1, 2, 3].map(
    (s) => all.filter((_, i) => i % 4 === s).reduce((a, b) => a + b, 0) / rowsOf(label).length,
  );
};

describe('first images', () => {
  it.each(firstNames)('%s: the same for the same seed, others for another', async (first) => {
    const all = await make({ first });
    expect(all).toHaveLength(12 * 4);
    expect(all.every(Number.isFinite)).toBe(true);
    expect(await make({ first })).toEqual(all);
    expect(await make({ first, seed: 6 })).not.toEqual(all);
  });

  it.each(firstNames.slice(1))(
    '%s: the same images of each class, however the classes are ordered',
    async (first) => {
      const wanted = listed(await make({ first }), interleaved);
      for (const classes of [byClass, pairs])
        expect(listed(await make({ first, classes }), classes)).toEqual(wanted);
    },
  );

  it('noise is drawn by the place of a number, whatever the classes', async () => {
    const source = new Stream(5, streams.images);
    const wanted = Float32Array.from({ length: 48 }, (_, i) => 0.1 * source.normal(i));
    for (const classes of [interleaved, byClass])
      expect(await make({ first: 'noise', classes })).toEqual(wanted);
  });

  it('real ones are training images of the class, none twice, and not those of a baseline', async () => {
    const all = await make({ first: 'real' });
    for (const [label, list] of listed(all, interleaved).entries()) {
      const own = rowsOf(label).map((row) => normalisedImages(dataset, dataset.train, [row]).join());
      for (const image of list) expect(own).toContain(image);
      expect(new Set(list).size).toBe(4);
    }
    expect(await randomReal(dataset, 4, 5, 0)).not.toEqual(all);
  });

  it('one mean, and the mean of one cluster, is that of the class', async () => {
    for (const first of ['means', 'k-means'] as const) {
      const all = await make({ first, classes: Uint16Array.of(2, 0, 1) });
      for (const [i, label] of [2, 0, 1].entries())
        for (const [s, value] of meanOf(label).entries()) expect(all[4 * i + s]).toBeCloseTo(value, 5);
    }
  });
});

describe('the images of another set', () => {
  /** A set whose image i is of number i alone, of the classes given. */
  const setOf = (classes: readonly number[], inputShape = [1, 2, 2], K = 3) => ({
    file: 'first.safetensors',
    set: {
      network: { name: 'mlp', inputShape, classes: K },
      classes: Uint16Array.from(classes),
      images: Float32Array.from({ length: 4 * classes.length }, (_, i) => Math.floor(i / 4)),
    } as unknown as DistilledSet,
  });

  it('are taken class by class in their order, no more than are needed', async () => {
    const first = setOf([2, 2, 1, 0, 1, 0, 2]);
    const all = await make({ first, classes: Uint16Array.of(0, 1, 2, 2, 0, 1) });
    expect(Array.from(all).filter((_, i) => i % 4 === 3)).toEqual([3, 2, 0, 1, 5, 4]);
  });

  it.each([
    [
      setOf([0, 1, 2], [3, 2, 2]),
      /first.safetensors holds images of \[3, 2, 2\] in 3 classes, expected \[1, 2, 2\] in 3 as in small/,
    ],
    [setOf([0, 1, 2, 3], [1, 2, 2], 4), /images of \[1, 2, 2\] in 4 classes, expected \[1, 2, 2\] in 3/],
    [setOf([0, 1, 2, 0, 2]), /holds 1 images of class 1, expected at least 2: ask for fewer/],
  ])('that do not fit are refused', async (first, message) => {
    await expect(make({ first, classes: Uint16Array.of(0, 1, 2, 0, 1, 2) })).rejects.toThrow(message);
  });
});
