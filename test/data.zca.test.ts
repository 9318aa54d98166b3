import { describe, expect, test } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { generateDigits } from '../src/data/digits.js';
import { loadDataset } from '../src/data/load.js';
import { unwhiten, whiten } from '../src/data/zca.js';
import { plainProduct, withMatrixProduct } from '../src/engine/cpu/matrix.js';
import { Stream } from '../src/util/random.js';

const random = new Stream(4, 44);
const values = (count: number, first = 0) =>
  Float64Array.from({ length: count }, (_, i) => random.u32(first + i) / 2 ** 31 - 1);

describe('the native float64 product', () => {
  test.each([
    [1, 1, 1],
    [3, 5, 2],
    [256, 24, 8],
    [257, 25, 9],
    [700, 61, 53],
  ])('is that in TypeScript: depth %i, m %i, n %i', async (depth, m, n) => {
    const [a, b] = [values(depth * m), values(depth * n, 1e6)];
    const start = values(m * n, 2e6);
    const expected = start.slice();
    await plainProduct(a, b, expected, { depth, m, n });
    const actual = start.slice();
    await withMatrixProduct((product) => product(a, b, actual, { depth, m, n }));
    const worst = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])));
    expect(worst).toBeLessThan(depth * 4e-16);
    const again = start.slice();
    await withMatrixProduct((product) => product(a, b, again, { depth, m, n }));
    expect(again).toEqual(actual);
  });

  test('a symmetric one is whole', async () => {
    const [depth, n] = [300, 77];
    const a = values(depth * n);
    const [half, whole] = [new Float64Array(n * n), new Float64Array(n * n)];
    await withMatrixProduct(async (product) => {
      await product(a, a, half, { depth, m: n, n, symmetric: true });
      await product(a, a, whole, { depth, m: n, n });
    });
    expect(half).toEqual(whole);
  });
});

describe('ZCA', () => {
  // Strongly correlated pixels of very different strength.
  const count = 400;
  const imageShape = [3, 2, 2] as const;
  const n = 12;
  const images = Float32Array.from({ length: count * n }, (_, i) => {
    const [image, pixel] = [Math.floor(i / n), i % n];
    const common = random.u32(image) / 2 ** 32;
    return 0.3 * common + (pixel / 40) * (random.u32(1e6 + i) / 2 ** 32);
  });
  const train = { images, labels: Array.from({ length: count }, (_, i) => i % 2) };
  const data = datasetFromArrays({ imageShape, train, validation: train, test: train });

  test('the covariance C becomes C (C + epsilon I)^-1, the mean 0', async () => {
    const epsilon = 0.01;
    const { train, zca, mean, std } = await whiten(data, epsilon);
    expect([mean, std]).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ]);
    const [before, after] = [covariance(images), covariance(train.images as Float32Array)];
    // after (C + epsilon I) = C
    const product = before.map((row, i) =>
      row.map((_, j) =>
        before.reduce((sum, _row, k) => sum + after[i][k] * (before[k][j] + (k === j ? epsilon : 0)), 0),
      ),
    );
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) expect(product[i][j]).toBeCloseTo(before[i][j], 7);
    expect(zca?.epsilon).toBe(epsilon);
  });

  test('can be undone, for every split', async () => {
    const white = await whiten(data);
    for (const part of ['train', 'validation', 'test'] as const) {
      const back = unwhiten(white.zca!, white[part].images as Float32Array);
      const worst = Math.max(...back.map((value, i) => Math.abs(value - data[part].images[i])));
      expect(worst).toBeLessThan(1e-6);
    }
    expect(white.zca?.source.train).toBe(data.train);
  });

  test('constant pixels do no harm, bytes count as 0..1, and it is the same every time', async () => {
    const options = { digits: { train: 300, validation: 20, test: 20, size: 12 }, zca: true };
    const [one, two] = [await loadDataset('digits', options), await loadDataset('digits', options)];
    expect(one.train.images).toEqual(two.train.images);
    expect((one.train.images as Float32Array).every(Number.isFinite)).toBe(true);
    const plain = generateDigits(options.digits);
    const back = unwhiten(one.zca!, one.test.images as Float32Array);
    const worst = Math.max(...back.map((value, i) => Math.abs(value - plain.test.images[i] / 255)));
    expect(worst).toBeLessThan(1e-5);
  });

  test('refuses what it cannot whiten', async () => {
    const single = datasetFromArrays({
      imageShape: [1, 1, 1],
      classes: 2,
      train: { images: [1], labels: [0] },
    });
    await expect(whiten(single)).rejects.toMatchObject({ code: 'ERR_DATA' });
  });

  function covariance(images: Float32Array): number[][] {
    const rows = images.length / n;
    const mean = Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += images[row * n + i];
      return sum / rows;
    });
    return mean.map((_, i) =>
      mean.map((_mean, j) => {
        let sum = 0;
        for (let row = 0; row < rows; row++)
          sum += (images[row * n + i] - mean[i]) * (images[row * n + j] - mean[j]);
        return sum / (rows - 1);
      }),
    );
  }
});
