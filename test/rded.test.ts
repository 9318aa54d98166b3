/** rded from beginning to end: which patches, of which images, in which places. */
import { expect, it } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { Model } from '../src/eval/model.js';
import { type DistillOptions, distill } from '../src/index.js';
import { createNetwork } from '../src/networks/index.js';

/** Images of 4 x 4 that are all of one number, another for each: crops of them are known wherever they are. */
const values = Float32Array.from({ length: 24 }, (_, i) => (i + 1) / 100);
const split = (count: number) => ({
  images: Float32Array.from({ length: count * 16 }, (_, i) => values[Math.floor(i / 16)]),
  labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
});
const data = datasetFromArrays({
  ...{ name: 'flat', imageShape: [1, 4, 4], classes: 2 },
  ...{ train: split(24), validation: split(2), test: split(2) },
});
const [mean] = data.mean;
const [std] = data.std;

/** The more in the middle of an image, the surer it is of class 1. */
const network = { name: 'custom', layers: [{ linear: 2 }], inputShape: [1, 4, 4], classes: 2 } as const;
const { count } = createNetwork(network);
const parameters = new Float32Array(count);
for (let i = 0; i < 16; i++) parameters[16 + i] = 1;
const teacher: Model = {
  ...{ network, parameters, loss: 'cross-entropy', classNames: data.classNames },
  normalisation: { mean: data.mean, std: data.std },
  notes: { dataset: 'flat', trainedOn: 'nothing', protocol: 'made numbers' },
};

/** The numbers, in hundredths, of the four quarters of every image. */
const quartersOf = (images: Float32Array) =>
  Array.from({ length: images.length / 16 }, (_, i) =>
    [0, 2, 8, 10].map((at) => Math.round(100 * (images[16 * i + at] * std + mean))),
  );

const given: DistillOptions = {
  ...{ method: 'rded', network, teacher: 'teacher', ipc: 2, factor: 2, batch: 3, crops: 2, iterations: 4 },
  ...{ networks: 1, validationNetworks: 1 },
};

it('takes one patch of each of the images that the teacher is surest of, the surest in the first places', async () => {
  const { set } = await distill(new ReferenceDevice(), data, given, { teacher });
  expect([...set.classes]).toEqual([0, 1, 0, 1]);
  // Class 0 has the odd numbers from 1 to 23 and is known by small ones, class 1 the even ones to 24, known by large ones.
  expect(quartersOf(set.images)).toEqual([
    [1, 5, 9, 13],
    [24, 20, 16, 12],
    [3, 7, 11, 15],
    [22, 18, 14, 10],
  ]);
});

it('has seen few images after few steps, and takes more patches of an image where a class has too few', async () => {
  const some = await distill(new ReferenceDevice(), data, { ...given, iterations: 3 }, { teacher });
  // Nine of twelve images, whichever they are.
  const all = quartersOf(some.set.images).flat();
  expect(new Set(all).size).toBe(16);
  const few = { ...data, train: { ...data.train, ...split(6), count: 6 } };
  const { set } = await distill(new ReferenceDevice(), few, given, { teacher });
  const own = quartersOf(set.images)
    .filter((_, i) => i % 2 === 0)
    .flat();
  // Three images of a class and eight places: three patches of each at most.
  const counts = [1, 3, 5].map((value) => own.filter((one) => one === value).length);
  expect(counts).toEqual([3, 3, 2]);
});

it('refuses factors that leave parts of pixels, and fewer images than patches', async () => {
  const refused = { code: 'ERR_OPTION' };
  const run = (options: DistillOptions) =>
    distill(new ReferenceDevice(), data, { ...given, ...options }, { teacher });
  await expect(run({ factor: 3 })).rejects.toMatchObject(refused);
  await expect(run({ iterations: 2 })).rejects.toMatchObject(refused);
});

it('of several crops of an image keeps the surest', async () => {
  // Half of an image is 0.1, half 0.9: the crops differ.
  const images = Float32Array.from({ length: 24 * 16 }, (_, i) => (i % 4 < 2 ? 0.1 : 0.9));
  const halves = datasetFromArrays({
    ...{ name: 'halves', imageShape: [1, 4, 4], classes: 2 },
    ...{ train: { ...split(24), images }, validation: split(2), test: split(2) },
  });
  const own = { ...teacher, normalisation: { mean: halves.mean, std: halves.std } };
  const brightness = async (crops: number) => {
    const { set } = await distill(new ReferenceDevice(), halves, { ...given, crops }, { teacher: own });
    const sum = (c: number) =>
      set.images.reduce((all, value, i) => all + (Math.floor(i / 16) % 2 === c ? value : 0), 0);
    return sum(1) - sum(0);
  };
  expect(await brightness(6)).toBeGreaterThan((await brightness(1)) + 1);
});
