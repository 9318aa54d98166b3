import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Split } from '../src/data/dataset.js';
import { generateDigits } from '../src/data/digits.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('generateDigits', () => {
  const set = generateDigits({ train: 3000, validation: 100, test: 300 });

  test('is a data set of bytes, each class equally often', () => {
    expect(set).toMatchObject({ name: 'digits', imageShape: [1, 28, 28], classes: 10 });
    expect([set.train.count, set.validation.count, set.test.count]).toEqual([3000, 100, 300]);
    expect(set.train.images).toBeInstanceOf(Uint8Array);
    expect(set.train.images).toHaveLength(3000 * 784);
    const counts = new Array(10).fill(0);
    for (const label of set.train.labels) counts[label]++;
    expect(counts).toEqual(new Array(10).fill(300));
  });

  test('is the same on every machine and in every version', () => {
    expect(sha256(set.train.images as Uint8Array)).toMatchInlineSnapshot(
      `"03ace7772d09f5b3f6ab44e50e66af4fd9738a8358c180f009cd299a2ae26baf"`,
    );
    expect(sha256(set.test.images as Uint8Array)).toMatchInlineSnapshot(
      `"d4fddd8c2bf2bf21002ab3c71b09278a7c453a0c102414346c66a29f35381b25"`,
    );
  });

  test('a smaller set is the beginning of a larger one, and splits do not depend on each other', () => {
    const small = generateDigits({ train: 21, validation: 3, test: 5 });
    for (const part of ['train', 'validation', 'test'] as const) {
      const n = small[part].count;
      expect(small[part].images).toEqual(set[part].images.slice(0, n * 784));
      expect(small[part].labels).toEqual(set[part].labels.slice(0, n));
    }
  });

  test('seeds, splits and images differ', () => {
    const seen = new Set<string>();
    for (const seed of [0, 1, 2 ** 32]) {
      const other = generateDigits({ seed, train: 20, validation: 20, test: 20 });
      for (const part of [other.train, other.validation, other.test]) {
        for (let j = 0; j < 20; j++) {
          seen.add(sha256((part.images as Uint8Array).subarray(j * 784, (j + 1) * 784)));
        }
      }
    }
    expect(seen.size).toBe(180);
  });

  test('ink lies inside the image: bright strokes on a dark ground, a dark frame', () => {
    let frame = 0;
    for (let j = 0; j < set.train.count; j++) {
      const image = set.train.images.subarray(j * 784, (j + 1) * 784);
      expect(Math.max(...image)).toBeGreaterThan(150);
      const inked = image.filter((value) => value > 60).length;
      expect(inked).toBeGreaterThan(15);
      expect(inked).toBeLessThan(350);
      for (let i = 0; i < 28; i++) {
        for (const at of [i, 756 + i, 28 * i, 28 * i + 27]) frame = Math.max(frame, image[at]);
      }
    }
    expect(frame).toBeLessThan(200);
    expect(set.mean[0]).toBeGreaterThan(0.1);
    expect(set.mean[0]).toBeLessThan(0.16);
    expect(set.std[0]).toBeGreaterThan(0.25);
    expect(set.std[0]).toBeLessThan(0.34);
  });

  test('is learnable from many images, not from ten', () => {
    const many = nearestNeighbourAccuracy(set.train, 3000, set.test, 150);
    expect(many).toBeGreaterThan(0.85);
    expect(many).toBeLessThan(0.99);
    expect(nearestNeighbourAccuracy(set.train, 10, set.test, 300)).toBeLessThan(0.6);
  });

  test('other sizes show the same digits', () => {
    const large = generateDigits({ size: 56, train: 10, validation: 1, test: 1 });
    expect(large.imageShape).toEqual([1, 56, 56]);
    // Averaged over 2 x 2 pixels the large image is close to the small one.
    let difference = 0;
    for (let at = 0; at < 7840; at++) {
      const [j, row, column] = [Math.floor(at / 784), Math.floor((at % 784) / 28), at % 28];
      const corner = j * 3136 + row * 112 + column * 2;
      const average = [0, 1, 56, 57].reduce((sum, step) => sum + large.train.images[corner + step] / 4, 0);
      difference += Math.abs(average - set.train.images[at]) / 7840;
    }
    expect(difference).toBeLessThan(3);
    // Edges are as soft for their size: as large a part of the ink is grey.
    const greys = [set.train.images.subarray(0, 7840), large.train.images].map((images) => {
      const inked = images.filter((value) => value > 0);
      return inked.filter((value) => value > 25 && value < 190).length / inked.length;
    });
    expect(greys[1] / greys[0]).toBeCloseTo(1, 1);
  });

  test.each([
    { seed: -1 },
    { seed: 0.5 },
    { train: 0 },
    { test: 1e9 },
    { size: 7 },
    { size: 300 },
    { validation: 2.5 },
  ])('refuses %j', (options) => {
    expect(() => generateDigits(options)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
  });
});

function nearestNeighbourAccuracy(train: Split, trainCount: number, test: Split, testCount: number): number {
  let correct = 0;
  for (let i = 0; i < testCount; i++) {
    let best = Number.POSITIVE_INFINITY;
    let guess = -1;
    for (let j = 0; j < trainCount; j++) {
      let distance = 0;
      for (let at = 0; at < 784 && distance < best; at++) {
        distance += (test.images[i * 784 + at] - train.images[j * 784 + at]) ** 2;
      }
      if (distance < best) {
        best = distance;
        guess = train.labels[j];
      }
    }
    if (guess === test.labels[i]) correct++;
  }
  return correct / testCount;
}
