import { describe, expect, it } from 'vitest';
import { datasetFromArrays } from '../src/data/arrays.js';
import { generateDigits } from '../src/data/digits.js';
import { normalisedImages } from '../src/data/on-device.js';
import { squaredDistance } from '../src/data/selection/vectors.js';
import { baselines, checkBaselines, defaultBaselines } from '../src/eval/baselines/index.js';
import { nearestNeighbours } from '../src/eval/baselines/nearest-neighbours.js';
import { LimbeckError } from '../src/util/errors.js';

// More test images than nearest neighbours are looked up for in one piece.
const digits = generateDigits({ train: 400, validation: 20, test: 300 });
const pixels = 28 * 28;

describe('every baseline', () => {
  it.each(baselines)(
    '$name is the same for the same seed and draw, and of the right size',
    async (baseline) => {
      const images = await baseline.images(digits, 3, 4, 1);
      expect(images.length).toBe(30 * pixels);
      expect(images.every(Number.isFinite)).toBe(true);
      expect(await baseline.images(digits, 3, 4, 1)).toEqual(images);
      if (baseline.random) expect(await baseline.images(digits, 3, 4, 2)).not.toEqual(images);
      // Image i stands nearest to its own class more often than not.
      const means = await baselines.find(({ name }) => name === 'classMeans')!.images(digits, 1, 0, 0);
      const nearest = Array.from({ length: 30 }, (_, i) => {
        const to = Array.from({ length: 10 }, (_, k) =>
          squaredDistance(images, i * pixels, means, k * pixels, pixels),
        );
        return to.indexOf(Math.min(...to));
      });
      expect(nearest.filter((label, i) => label === i % 10).length).toBeGreaterThan(15);
    },
  );

  it('repeats the images of a class that has too few, and refuses one that has none', async () => {
    const options = { classes: 2, imageShape: [1, 1, 2] as const };
    const test = { images: Float32Array.of(0, 1), labels: Uint8Array.of(0) };
    const data = (labels: readonly number[]) =>
      datasetFromArrays({
        ...options,
        name: 'few',
        train: { images: Float32Array.of(0, 1, 2, 3, 4, 5), labels: Uint8Array.from(labels) },
        validation: test,
        test,
      });
    for (const baseline of baselines) {
      const images = await baseline.images(data([0, 1, 1]), 3, 0, 0);
      const ofFirst = [0, 2, 4].map((i) => [...images.subarray(2 * i, 2 * i + 2)]);
      expect(ofFirst[1], baseline.name).toEqual(ofFirst[0]);
      await expect(baseline.images(data([1, 1, 1]), 3, 0, 0)).rejects.toThrow(LimbeckError);
    }
  });
});

it('nearest neighbours agree with a search of all distances', async () => {
  const chosen = await baselines[0].images(digits, 2, 0, 0);
  const rows = [...Array(digits.test.count).keys()];
  const test = normalisedImages(digits, digits.test, rows);
  for (const k of [1, 5]) {
    const counts = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
    for (const i of rows) {
      const near = Array.from({ length: 20 }, (_, j) => ({
        label: j % 10,
        to: squaredDistance(test, i * pixels, chosen, j * pixels, pixels),
      })).sort((a, b) => a.to - b.to);
      const voters = near.slice(0, k).map(({ label }) => label);
      const votes = (label: number) => voters.filter((other) => other === label).length;
      const answer = voters.find((label) => voters.every((other) => votes(other) <= votes(label)))!;
      counts[digits.test.labels[i]][answer]++;
    }
    expect(await nearestNeighbours(digits, digits.test, chosen, k)).toEqual(counts);
  }
});

it('refuses baselines it does not know', () => {
  expect(() => checkBaselines(['kMedians'])).toThrow(/kMedians.*there are: randomReal/);
  expect(defaultBaselines(1)).not.toContain('kMeans');
});
