/** Images that are brought to another shape. */
import { expect, it } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { loadDataset } from '../src/data/load.js';
import { broughtTo } from '../src/data/shape.js';

/** One training image of such pixels, and others of class 1. */
const of = (imageShape: readonly [number, number, number], pixels: readonly number[], bytes = false) => {
  const images = bytes ? Uint8Array.from([...pixels, ...pixels]) : Float32Array.from([...pixels, ...pixels]);
  const split = { images, labels: [0, 1] };
  return datasetFromArrays({
    name: 'some',
    imageShape,
    classes: 2,
    train: split,
    validation: split,
    test: split,
  });
};
const first = async (data: ReturnType<typeof of>, shape: readonly [number, number, number]) => {
  const { train, imageShape } = await broughtTo(data, shape);
  return [
    ...train.images.slice(
      0,
      imageShape.reduce((a, b) => a * b, 1),
    ),
  ];
};

it('half as wide: weighted means, beyond the edge as at the edge', async () => {
  // Shares of a triangle two pixels wide to each side: 1/8, 3/8, 3/8, 1/8.
  const row = [8, 16, 24, 40];
  expect(await first(of([1, 1, 4], row), [1, 1, 2])).toEqual([
    (4 * 8 + 3 * 16 + 24) / 8,
    (16 + 3 * 24 + 4 * 40) / 8,
  ]);
});

it('twice as high: between two pixels by their distance', async () => {
  expect(await first(of([1, 2, 1], [0, 4]), [1, 4, 1])).toEqual([0, 1, 3, 4]);
});

it('grey as three equal channels, colour as its luminance; bytes stay bytes', async () => {
  expect(await first(of([1, 1, 2], [1, 2]), [3, 1, 2])).toEqual([1, 2, 1, 2, 1, 2]);
  const colour = await broughtTo(of([3, 1, 1], [100, 50, 200], true), [1, 1, 1]);
  expect(colour.train.images).toBeInstanceOf(Uint8Array);
  expect(colour.train.images[0]).toBe(Math.round(0.299 * 100 + 0.587 * 50 + 0.114 * 200));
});

it('takes mean and deviation anew, of all splits keeps labels, and says so', async () => {
  const data = await loadDataset('digits', {
    digits: { train: 20, validation: 10, test: 10 },
    shape: [3, 14, 12],
  });
  expect(data.imageShape).toEqual([3, 14, 12]);
  expect(data.mean).toHaveLength(3);
  expect(data.test.images).toHaveLength(10 * 3 * 14 * 12);
  expect(data.notes?.at(-1)).toBe('its images of [1, 28, 28] were brought to [3, 14, 12]');
  const same = of([1, 1, 2], [1, 2]);
  expect(await broughtTo(same, [1, 1, 2])).toBe(same);
});

it('refuses channels that have no meaning in others, and what is no shape', async () => {
  await expect(broughtTo(of([2, 1, 1], [1, 2]), [1, 1, 1])).rejects.toMatchObject({ code: 'ERR_SHAPE' });
  await expect(loadDataset('digits', { shape: [28, 28] as never })).rejects.toThrow(
    /shape is .*expected channels, height and width such as 1x28x28/,
  );
});
