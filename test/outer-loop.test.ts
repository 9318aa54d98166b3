/** The outer optimiser, by what one step of it does to images, labels and inner learning rates. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Device, type DistillOptions, distill, openDevice, trainNetworks } from '../src/index.js';
import { halfRight, learnedOf, plainSgd, shortRun, twoClasses } from './harness/made-data.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

/** Outer Adam without memory, and an epsilon that it does not hide the size of a gradient behind. */
const step: DistillOptions = {
  ...shortRun,
  init: 'random',
  population: 2,
  ...{ beta1: 0, beta2: 0, epsilon: 1 },
  ...{ iterations: 1, lr: 0.5, labelLr: 0.25, rateLr: 0.125 },
};
const variables = ['images', 'labels', 'learningRates'] as const;
type Variables = Record<(typeof variables)[number], number[]>;

/** What is learned after so many steps, after which the validation split is looked at once; the rates as the raw numbers whose softplus they are. */
async function learnedAfter(iterations: number, options: DistillOptions): Promise<Variables> {
  const { set, best } = await distill(device, halfRight(), {
    ...options,
    ...{ iterations, validateEvery: iterations },
  });
  expect(best.iteration).toBe(iterations);
  const { learningRates, ...rest } = learnedOf(set);
  return { ...rest, learningRates: learningRates.map((rate) => rate + Math.log(-Math.expm1(-rate))) };
}

/** What a run begins with. */
const begin = (options: DistillOptions) =>
  learnedAfter(1, { ...options, lr: 1e-30, labelLr: 1e-30, rateLr: 0 });

/** How far one step moves each number. */
async function moves(options: DistillOptions): Promise<Variables> {
  const [from, to] = [await begin(options), await learnedAfter(1, options)];
  const moved = (name: keyof Variables) => to[name].map((value, i) => value - from[name][i]);
  return { images: moved('images'), labels: moved('labels'), learningRates: moved('learningRates') };
}

const rates = { images: 0.5, labels: 0.25, learningRates: 0.125 };
const norm = (values: readonly number[]) => Math.hypot(...values);

/** Gradients that one step without memory was made of: it moves by rate g / (|g| + 1). */
async function gradients(options: DistillOptions): Promise<Variables> {
  const moved = await moves(options);
  const of = (name: keyof Variables) => moved[name].map((value) => -value / (rates[name] - Math.abs(value)));
  return { images: of('images'), labels: of('labels'), learningRates: of('learningRates') };
}

test('images, labels and inner learning rates each move at their own rate', async () => {
  // Without epsilon every number moves by its whole rate, whatever its gradient.
  const moved = await moves({ ...step, epsilon: 1e-12 });
  for (const name of variables)
    for (const value of moved[name].filter((one) => one !== 0))
      expect(Math.abs(value), name).toBeCloseTo(rates[name], 5);
  for (const name of variables) expect(norm(moved[name]), name).toBeGreaterThan(0);
});

describe('clipping', () => {
  test('shortens the gradient of each to the given norm, and turns none of them', async () => {
    const whole = await gradients(step);
    const norms = variables.map((name) => norm(whole[name]));
    const clip = 0.5 * Math.min(...norms);
    const clipped = await gradients({ ...step, clip });
    for (const [v, name] of variables.entries()) {
      expect(norm(clipped[name]) / clip, name).toBeCloseTo(1, 3);
      for (const [i, value] of clipped[name].entries())
        expect((value - (whole[name][i] * clip) / norms[v]) / clip, name).toBeCloseTo(0, 3);
    }
  });

  test('leaves shorter ones as they are', async () => {
    const whole = await learnedAfter(1, step);
    expect(await learnedAfter(1, { ...step, clip: 1000 })).toEqual(whole);
    expect(await learnedAfter(1, { ...step, clip: 1e-3 })).not.toEqual(whole);
  });
});

test('the running average is of what is learned, step by step', async () => {
  const decay = 0.75;
  let expected = await begin(step);
  for (const t of [1, 2, 3]) {
    const now = await learnedAfter(t, step);
    for (const name of variables)
      expected = {
        ...expected,
        [name]: expected[name].map((value, i) => decay * value + (1 - decay) * now[name][i]),
      };
    const average = await learnedAfter(t, { ...step, average: decay });
    for (const name of variables)
      for (const [i, value] of average[name].entries())
        expect(value, `${name} after ${t}`).toBeCloseTo(expected[name][i], 5);
  }
});

test('the running average of what images are decoded from is stored beside them', async () => {
  // One sub-picture in each picture: images are what they are decoded from.
  const parametrisation = { name: 'factor', factor: 1 };
  const options = { ...step, iterations: 3, validateEvery: 3, parametrisation };
  const stored = async (average: number) => {
    const { set } = await distill(device, halfRight(), { ...options, average });
    expect(set.stored.variables.pixels.data).toEqual(set.images);
    return set.images;
  };
  expect(await stored(0.75)).not.toEqual(await stored(0));
});

test('with memory the second step follows the means of both gradients and of their squares', async () => {
  // The first step is the same with and without memory, so the second one has the same gradient.
  const [from, one, alone] = [await begin(step), await learnedAfter(1, step), await learnedAfter(2, step)];
  const two = await learnedAfter(2, { ...step, beta1: 0.5, beta2: 0.75 });
  for (const name of variables)
    for (const [i, value] of two[name].entries()) {
      const gradient = (move: number) => -move / (rates[name] - Math.abs(move));
      const [first, second] = [
        gradient(one[name][i] - from[name][i]),
        gradient(alone[name][i] - one[name][i]),
      ];
      const mean = (0.5 * 0.5 * first + 0.5 * second) / (1 - 0.5 ** 2);
      const square = (0.75 * 0.25 * first ** 2 + 0.25 * second ** 2) / (1 - 0.75 ** 2);
      const moved = (-rates[name] * mean) / (Math.sqrt(square) + 1);
      expect(value - one[name][i], name).toBeCloseTo(moved, 5);
    }
});

test('the optimiser of ordinary training moves at the rate it is given', async () => {
  const start = { network: shortRun.network, epochs: 1, batch: 30, optimizer: plainSgd };
  const data = twoClasses();
  const trained = async (learningRate: number) =>
    (await trainNetworks(device, data, { ...start, learningRate })).parameters;
  const [still, near, far] = [await trained(1e-30), await trained(1e-3), await trained(2e-3)];
  for (const [i, value] of near.entries()) expect(far[i] - still[i]).toBeCloseTo(2 * (value - still[i]), 6);
});
