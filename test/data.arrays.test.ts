import { describe, expect, test } from 'vitest';
import { type ArrayDataset, datasetFromArrays } from '../src/data/arrays.js';

const imageShape = [1, 1, 2] as const;
const images = (n: number) => Float32Array.from({ length: 2 * n }, (_, i) => i / 100);
const labels = (n: number) => Array.from({ length: n }, (_, i) => i % 3);
const split = (n: number) => ({ images: images(n), labels: labels(n) });

describe('datasetFromArrays', () => {
  test('splits validation off, leaves test empty, counts classes', () => {
    const set = datasetFromArrays({ imageShape, train: split(30) });
    expect(set).toMatchObject({
      name: 'arrays',
      classes: 3,
      classNames: ['0', '1', '2'],
      imageShape: [1, 1, 2],
    });
    expect([set.train.count, set.validation.count, set.test.count]).toEqual([27, 3, 0]);
    expect(set.test.images).toBeInstanceOf(Float32Array);
  });

  test('takes the parts as given', () => {
    const train = { images: Uint8Array.of(0, 255, 255, 0), labels: Uint8Array.of(1, 0) };
    const set = datasetFromArrays({
      name: 'mine',
      imageShape,
      classes: 5,
      train,
      validation: train,
      test: train,
    });
    expect(set.train.images).toBe(train.images);
    expect([set.name, set.classes, set.validation.count, set.test.count]).toEqual(['mine', 5, 2, 2]);
    expect([set.mean, set.std]).toEqual([[0.5], [0.5]]);
  });

  test('mean and deviation of floats, per channel; a constant channel has deviation 1', () => {
    const train = { images: [1, 3, 7, 7, -1, 5, 7, 7], labels: [0, 1] };
    const set = datasetFromArrays({ imageShape: [2, 1, 2], train });
    expect([set.mean, set.std]).toEqual([
      [2, 7],
      [Math.fround(Math.sqrt(5)), 1],
    ]);
    expect(set.train.images).toBeInstanceOf(Float32Array);
  });

  test('clamped bytes are bytes, float64 becomes float32', () => {
    const clamped = datasetFromArrays({
      imageShape,
      train: { images: new Uint8ClampedArray(4), labels: [0, 1] },
    });
    expect(clamped.train.images).toBeInstanceOf(Uint8Array);
    const buffer = datasetFromArrays({
      imageShape,
      train: { images: Buffer.from([1, 2, 3, 4]), labels: [0, 1] },
    });
    expect(buffer.train.images).toEqual(Uint8Array.of(1, 2, 3, 4));
    const wide = datasetFromArrays({
      imageShape,
      train: { images: Float64Array.of(0.1, 0, 0, 0), labels: [0, 1] },
    });
    expect(wide.train.images[0]).toBe(Math.fround(0.1));
  });

  test('one class only is a class with a gap', () => {
    const train = { images: [1, 2], labels: [0] };
    expect(() => datasetFromArrays({ imageShape, train })).toThrowError(
      /class 1 of 0 to 1 has no training image/,
    );
    expect(datasetFromArrays({ imageShape, train, classes: 2 }).classes).toBe(2);
  });

  test('a label far from the others is out of range', () => {
    const train = { images: [1, 2, 3, 4, 5, 6], labels: [0, 1, 57] };
    expect(() => datasetFromArrays({ imageShape, train })).toThrowError(
      /class 2 of 0 to 57 has no training image; .*how many classes there are: classes\./,
    );
    const test = { images: [1, 2], labels: [2] };
    expect(() =>
      datasetFromArrays({ imageShape, train: { images: [1, 2, 3, 4], labels: [0, 1] }, test }),
    ).toThrowError(/label 0 is 2, expected 0 to 1/);
  });

  const train = split(3);
  test.each<[string, Partial<ArrayDataset>, string, RegExp]>([
    ['two sizes', { imageShape: [1, 2] as never }, 'ERR_SHAPE', /\[1, 2\], expected \[C, H, W\]/],
    ['a size of zero', { imageShape: [1, 0, 2] }, 'ERR_SHAPE', /\[1, 0, 2\]/],
    [
      'images cut short',
      { train: { images: [1, 2, 3], labels: [0, 1] } },
      'ERR_SHAPE',
      /has 3 values, expected 4/,
    ],
    ['no images', { train: { images: [], labels: [] } }, 'ERR_DATA', /empty/],
    [
      'NaN',
      { train: { images: [1, 2, 3, Number.NaN], labels: [0, 1] } },
      'ERR_DATA',
      /train.images\[3\] is NaN/,
    ],
    [
      'infinity',
      { test: { images: [Number.POSITIVE_INFINITY, 0], labels: [0] } },
      'ERR_DATA',
      /test.images\[0\]/,
    ],
    [
      'beyond float32',
      { test: { images: [0, 1e39], labels: [0] } },
      'ERR_DATA',
      /test.images\[1\] is 1e\+39/,
    ],
    ['a fractional label', { train: { ...train, labels: [0, 1, 0.5] } }, 'ERR_DATA', /labels\[2\] is 0.5/],
    ['a negative label', { train: { ...train, labels: [0, -1, 0] } }, 'ERR_DATA', /labels\[1\] is -1/],
    ['a label of 4,096', { train: { ...train, labels: [0, 4_096, 0] } }, 'ERR_DATA', /labels\[1\] is 4096/],
    ['too few classes', { classes: 2 }, 'ERR_DATA', /train: label 2 is 2, expected 0 to 1/],
    [
      'a label only the test has',
      { classes: 3, test: { images: [0, 0], labels: [3] } },
      'ERR_DATA',
      /test: label 0/,
    ],
    ['a fractional class count', { classes: 2.5 }, 'ERR_OPTION', /classes is 2.5/],
  ])('refuses %s', (_what, change, code, message) => {
    const build = () => datasetFromArrays({ imageShape, train, ...change });
    expect(build).toThrow(message);
    expect(build).toThrow(expect.objectContaining({ code }));
  });
});
