/** What learned labels begin as, and fewer images than classes. */
import { describe, expect, it } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { DistillOptions } from '../src/methods/index.js';
import { distill } from '../src/runs/distill.js';
import { resolveOptions } from '../src/runs/options.js';

const dataset = generateDigits({ train: 60, validation: 10, test: 10, size: 8 });
const device = new ReferenceDevice();
const common = {
  ...{
    network: 'mlp:width=4',
    batch: 10,
    iterations: 2,
    validateEvery: 2,
    networks: 1,
    validationNetworks: 1,
  },
  ...{ labels: 'soft', images: 5 },
} as const;

/** The set before the first step, and what it comes to. */
async function run(given: DistillOptions, firstLabels?: Float32Array) {
  let begun!: DistilledSet;
  const { set } = await distill(device, dataset, { ...common, ...given } as DistillOptions, {
    firstLabels,
    onLook: ({ look, set }) => {
      if (look === 0) begun = set;
    },
  });
  return { begun, set };
}

/** Inner products of rows. */
const products = (labels: Float32Array, K = 10) =>
  Array.from({ length: labels.length / K }, (_, i) =>
    Array.from({ length: labels.length / K }, (_, j) =>
      labels.subarray(i * K, (i + 1) * K).reduce((sum, one, k) => sum + one * labels[j * K + k], 0),
    ),
  );

describe('five images for ten classes', () => {
  it('are five, of the first five classes, and every number of their labels is learned', async () => {
    const { begun, set } = await run({});
    expect([...begun.classes]).toEqual([0, 1, 2, 3, 4]);
    expect(begun.images).toHaveLength(5 * 64);
    expect(begun.stored.pictures).toBe(5);
    expect(products(begun.labels)).toEqual(
      [0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3, 4].map((j) => Number(i === j))),
    );
    expect(set.labels.every((one, i) => one !== begun.labels[i])).toBe(true);
  });

  it.each([
    ['rat', { total: 4, window: 2, innerBatch: 3 }],
    ['frepo', { labels: undefined, pool: 1 }],
  ] as const)('are five for %s too', async (method, more) => {
    const { set } = await run({ method, ...more } as DistillOptions);
    expect(set.classes).toHaveLength(5);
    expect(set.labels).toHaveLength(50);
  });
});

describe('labels begin', () => {
  const first = async (firstLabels: string, more: DistillOptions = {}) =>
    (await run({ firstLabels, ...more })).begun.labels;

  it('smoothed: nine tenths of them, and a tenth for all classes', async () => {
    const labels = await first('smoothed');
    expect(labels[0]).toBeCloseTo(0.91, 6);
    expect(labels[1]).toBeCloseTo(0.01, 6);
    for (let i = 0; i < 5; i++)
      expect(labels.subarray(i * 10, i * 10 + 10).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  });

  it('random: the same by the same seed, others by another', async () => {
    const labels = await first('random');
    expect(await first('random')).toEqual(labels);
    expect(await first('random', { seed: 1 })).not.toEqual(labels);
    expect(new Set(labels).size).toBe(50);
  });

  it('orthogonal: rows are orthonormal, or columns where these are fewer', async () => {
    for (const [i, row] of products(await first('orthogonal')).entries())
      for (const [j, one] of row.entries()) expect(one).toBeCloseTo(Number(i === j), 6);
    const many = await first('orthogonal', { images: 20 });
    const columns = Float32Array.from(many, (_, i) => many[(i % 20) * 10 + Math.floor(i / 20)]);
    for (const [i, row] of products(columns, 20).entries())
      for (const [j, one] of row.entries()) expect(one).toBeCloseTo(Number(i === j), 6);
  });

  it('as given, with windows too', async () => {
    const given = Float32Array.from({ length: 50 }, (_, i) => Math.fround(Math.sin(i)));
    expect((await run({ firstLabels: 'some.npy' }, given)).begun.labels).toEqual(given);
    const window = { method: 'rat', total: 4, window: 2, firstLabels: 'some.npy' } as const;
    expect((await run(window, given)).begun.labels).toEqual(given);
  });
});

describe('is refused', () => {
  it.each([
    [
      { labels: 'hard' },
      /images is 5 and digits has 10 classes: .* expected labels: soft, or at least 10 images/,
    ],
    [{ firstLabels: 'some.npy' }, /option firstLabels is "some.npy", expected one of one-hot/],
    [{ images: 5, steps: 2 }, /images is 5 and steps is 2: .* expected a multiple of 2/],
  ] as const)('%o', async (given, message) => {
    await expect(run(given)).rejects.toThrow(message);
  });

  it('first labels of another number, and of labels that are not learned', async () => {
    await expect(run({ firstLabels: 'some.npy' }, new Float32Array(40))).rejects.toMatchObject({
      code: 'ERR_SHAPE',
      message: expect.stringMatching(/some.npy holds 40 numbers, expected 5 x 10/),
    });
    expect(() => resolveOptions({ firstLabels: 'random' })).toThrow(
      /firstLabels is random and labels is hard/,
    );
  });
});
