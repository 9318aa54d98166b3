/** Means, deviations and percentages that people will quote, against numbers worked out by hand. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  median,
  percentByClass,
  percentRight,
  summarise,
  testError,
  testInterval,
  together,
} from '../src/eval/statistics.js';
import { isGuessing, strongerBaseline, verdict } from '../src/eval/verdict.js';
import {
  baselineNames,
  type Device,
  type DistilledSet,
  distill,
  evaluate,
  openDevice,
  trainNetworks,
} from '../src/index.js';
import { shortRun, smallNetwork, twoClasses } from './harness/made-data.js';

const data = twoClasses();
let device: Device;
let set: DistilledSet;
beforeAll(async () => {
  device = await openDevice('reference');
  ({ set } = await distill(device, data, { ...shortRun, init: 'random', iterations: 2 }));
});
afterAll(() => device.dispose());

test('a deviation is that of a sample: squares are divided by one less than there are values', () => {
  // Mean 5; squares of 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32 over 7.
  expect(summarise([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, std: Math.sqrt(32 / 7), networks: 8 });
  expect(summarise([90, 94])).toEqual({ mean: 92, std: Math.sqrt(8), networks: 2 });
  expect(summarise([61.5])).toEqual({ mean: 61.5, std: 0, networks: 1 });
});

test('what a test split leaves open is the interval of Wilson, which is longer on the side of 50 %', () => {
  // 95 of 100: (0.95 + 3.8416 / 200 -+ 1.96 sqrt(0.000475 + 0.00009604)) / 1.038416.
  expect(testInterval(95, 100)[0]).toBeCloseTo(93.335 - 4.5105, 2);
  expect(testInterval(95, 100)[1]).toBeCloseTo(93.335 + 4.5105, 2);
  expect(testError(95, 100)).toBeCloseTo(95 - 93.335 + 4.5105, 2);
  expect(testError(50, 10_000)).toBeCloseTo(0.9798, 3);
  // Nothing right of 9 images: up to 2 * 1.96 * 1.96 / 18 / (1 + 3.8416 / 9).
  expect(testInterval(0, 9)).toEqual([0, expect.closeTo(29.915, 2)]);
  expect(testError(0, 9)).toBeCloseTo(29.915, 2);
  expect(testError(100, 9)).toBeCloseTo(testError(0, 9), 9);
});

describe('the verdict', () => {
  const of = (mean: number) => ({ mean, std: 1, networks: 4 });
  const baselines = {
    randomReal: { ...of(50), title: 'random real images' },
    classMeans: { ...of(78), title: 'class means' },
  };
  const tested = (mean: number, images = 1000) => ({
    ...{ accuracy: of(mean), baselines, baselineImages: 30, images, classes: 10 },
  });

  test('names the best baseline that does as well, and none where none does', () => {
    expect(strongerBaseline(tested(32))).toBe(baselines.classMeans);
    expect(strongerBaseline(tested(78))).toBe(baselines.classMeans);
    expect(verdict(tested(32))).toBe(
      'class means, 30 of them, reach 78.0 %, these images 32.0 %: not worth distilling yet',
    );
    expect(verdict(tested(78.5, 100_000))).toBeUndefined();
  });

  test('what so few test images leave open is called that', () => {
    // 80 and 78 % of 1,000 images are known to 2.5 and 2.6 points: their difference to 3.6.
    expect(verdict(tested(82))).toBeUndefined();
    expect(verdict(tested(81))).toBe(
      '1,000 test images leave open whether these images, 81.0 %, are better than class means, 78.0 %',
    );
    expect(verdict(tested(90, 24))).toMatch(/^24 test images leave open whether these images, 90.0 %,/);
  });

  test('an accuracy that the test split cannot tell from guessing is called that', () => {
    // 11.5 % of 1,000 images is 9.7 to 13.6 %, 12 % of them 10.1 % at least.
    expect(isGuessing(tested(11.5))).toBe(true);
    expect(isGuessing(tested(12))).toBe(false);
    expect(isGuessing(tested(12, 100_000))).toBe(false);
    // 14 of 20: between 48.1 and 85.5 %, though half of that is less than 20 points.
    expect(isGuessing({ ...tested(70, 20), classes: 2 })).toBe(true);
    expect(verdict(tested(11.5))).toMatch(
      /^11.5 % on 1,000 test images cannot be told from guessing \(10.0 %\)/,
    );
    expect(verdict(tested(9))).toMatch(/^9.0 % is no better than guessing \(10.0 %\)/);
  });
});

test('a median is the middle one, or halfway between the two', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 2, 1])).toBe(5.5);
  expect(median([])).toBeNaN();
});

test('percentages are of the images of the split, or of the class', () => {
  // Two networks on four images of the first class, two of the second and none of the third.
  const one = [
    [4, 0, 0],
    [0, 1, 1],
    [0, 0, 0],
  ];
  const other = [
    [2, 1, 1],
    [2, 0, 0],
    [0, 0, 0],
  ];
  expect([one, other].map(percentRight)).toEqual([(100 * 5) / 6, (100 * 2) / 6]);
  const both = together([one, other]);
  expect(both).toEqual([
    [6, 1, 1],
    [2, 1, 1],
    [0, 0, 0],
  ]);
  expect(percentByClass(both)).toEqual([75, 25, null]);
});

/** What one network more says: its accuracy, from the means with and without it. */
const last = (one: { mean: number }, two: { mean: number }) => 2 * two.mean - one.mean;
const deviation = (a: number, b: number) => Math.abs(a - b) / Math.SQRT2;

test('an evaluation says the mean and the sample deviation of its networks', async () => {
  const options = { baselines: baselineNames, architectures: [{ name: 'mlp', width: 2 }] };
  const one = await evaluate(device, data, set, { ...options, networks: 1 });
  const two = await evaluate(device, data, set, { ...options, networks: 2 });
  const of = ({ accuracy, baselines, others: [other] }: typeof one) => ({
    ...{ accuracy, other: other.accuracy, otherMeans: other.baselines.classMeans },
    ...{ randomReal: baselines.randomReal, classMeans: baselines.classMeans },
  });
  let apart = 0;
  for (const [name, accuracy] of Object.entries(of(two))) {
    const first = of(one)[name as keyof ReturnType<typeof of>];
    expect([first.std, first.networks, accuracy.networks], name).toEqual([0, 1, 2]);
    const second = last(first, accuracy);
    expect(accuracy.std, name).toBeCloseTo(deviation(first.mean, second), 9);
    apart += Number(Math.abs(first.mean - second) > 1);
  }
  expect(apart).toBeGreaterThan(2);
  // Ten draws that no network is trained on: the deviation of a sample of ten.
  const { mean, std, networks } = two.baselines.neighboursOfRandom;
  expect(networks).toBe(10);
  // Of equal numbers it would be no more than rounding.
  expect(std).toBeGreaterThan(0.1);
  expect(mean).toBeGreaterThan(0);
});

test('ordinary training says the same of its networks', async () => {
  const options = { network: smallNetwork, epochs: 1, batch: 10, learningRate: 0.02 };
  const one = await trainNetworks(device, data, { ...options, networks: 1 });
  const two = await trainNetworks(device, data, { ...options, networks: 2 });
  for (const name of ['accuracy', 'validation'] as const) {
    const second = last(one[name], two[name]);
    expect(second).not.toBe(one[name].mean);
    expect(two[name].std).toBeCloseTo(deviation(one[name].mean, second), 9);
  }
});
