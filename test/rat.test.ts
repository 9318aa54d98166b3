/** Random truncation: where windows begin, and that a window is a part of the training that it claims to be. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import type { DistillOptions } from '../src/methods/index.js';
import { innerTraining } from '../src/methods/inner-options.js';
import type { Process } from '../src/methods/method.js';
import { RandomStarts, type Starts } from '../src/methods/starts.js';
import { beginTruncated } from '../src/methods/truncated.js';
import type { TruncatedOptions } from '../src/methods/window.js';
import { findMethod, resolveFor } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { type Owned, owning } from '../src/util/owned.js';
import { relativeError } from './harness/close.js';
import { twoClasses } from './harness/made-data.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

const dataset = twoClasses();
const inner = { optimizer: 'adam', innerEpsilon: 0.01, networkLr: 0.05, weightDecay: 0.01 } as const;
const common: DistillOptions = {
  ...{ method: 'rat', network: 'mlp:width=4', ipc: 2, batch: 4, population: 2, beta1: 0.5, imageScale: 1 },
  ...{ iterations: 6, seed: 3, first: 'noise', ...inner },
};

/** A process before its first step; its windows begin as the method has it, or at `starts`. */
async function begun(given: DistillOptions, owned: Owned, starts?: Starts): Promise<Process> {
  const { options } = resolveFor('test', given, dataset);
  const train = owned.own(await uploadTraining(device, dataset, options));
  const setting = await settingFor(device, dataset, options, train);
  if (!starts) return owned.own(await findMethod(options.method).begin(setting));
  const o = options as unknown as TruncatedOptions & Parameters<typeof innerTraining>[0] & { lr: number };
  const items = { kind: 'adam', rate: o.lr, beta1: 0, beta2: 0, epsilon: 1 } as const;
  return owned.own(await beginTruncated('rat', setting, o, { training: innerTraining(o), items }, starts));
}

/** Loss of the last of some outer steps, and what outer Adam remembers of their gradients. */
async function outcome(given: DistillOptions, steps: number, starts?: Starts) {
  return owning(async (owned) => {
    const process = await begun(given, owned, starts);
    const { loss } = await process.advance(steps);
    const images = Float64Array.from(await process.tensors['pixels.m'].read());
    owned.dispose();
    return { loss, images };
  });
}

test('a window that is the whole training has the gradient of unrolled', async () => {
  // Unrolled has the rate of a raw number in float32, whose softplus it is: this one is of 0, and the same but for a rounding in float64.
  const rate = Math.LN2;
  const { networkLr: _, ...same } = common;
  const unrolled: DistillOptions = {
    ...same,
    ...{ method: 'unrolled', init: 'random', steps: 1, epochs: 5, rates: 'shared', innerLr: rate, rateLr: 0 },
    ...{ lr: 0.001, schedule: { kind: 'constant' } },
  };
  const expected = await outcome(unrolled, 1);
  for (const pool of [0, 1, 3]) {
    const windowed = await outcome(
      { ...common, networkLr: rate, window: 5, total: 5, pool, augmentation: 'none' },
      1,
    );
    expect(Math.abs(windowed.loss - expected.loss)).toBeLessThan(1e-12);
    expect(relativeError(windowed.images, expected.images)).toBeLessThan(1e-12);
  }
});

/** Ages of the windows of a run. */
const starts = (seed: number, windows: { window: number; total: number; pool: number }, steps: number) => {
  const of = new RandomStarts(seed, windows);
  return Array.from({ length: steps }, (_, step) => of.at(step));
};

test.each([0, 1, 3])('a pool of %i begins windows at every age that they fit, equally often', (pool) => {
  const [window, total, steps] = [4, 13, 30_000];
  const count = new Array<number>(total - window + 1).fill(0);
  for (const { age } of starts(1, { window, total, pool }, steps)) count[age]++;
  // Ten ages: 3000 each, with a standard deviation of about 52.
  for (const times of count) expect(Math.abs(times - steps / count.length)).toBeLessThan(5 * 52);
});

test('networks are drawn, go on from window to window, and are the same from wherever a run goes on', () => {
  const windows = { window: 4, total: 13, pool: 3 };
  const all = starts(2, windows, 60);
  const ages = new Map<number, number>();
  for (const [step, { number, place, age, fresh }] of all.entries()) {
    expect(place).toBe(step % 3);
    expect(number % 3).toBe(place);
    expect(ages.has(number)).toBe(!fresh);
    if (!fresh) expect(age).toBe(ages.get(number)! + 4);
    else expect(age).toBeLessThan(4);
    expect(age).toBeLessThanOrEqual(13 - 4);
    ages.set(number, age);
  }
  expect(ages.size).toBeGreaterThan(20);
  const backwards = new RandomStarts(2, windows);
  for (let step = 59; step >= 0; step--) expect(backwards.at(step)).toEqual(all[step]);
});

test.each([
  ['adam', 'none'],
  ['adam', 'crop_scale'],
  ['momentum', 'none'],
  ['sgd', 'none'],
] as const)(
  'a window goes on from the pool as from steps of training, %s, augmentation %s',
  async (optimizer, augmentation) => {
    // Images that stand still: networks see the same set in every window.
    // Only Adam has an epsilon that may be given.
    const innerEpsilon = optimizer === 'adam' ? common.innerEpsilon : undefined;
    const given = {
      ...common,
      innerEpsilon,
      optimizer,
      lr: 1e-30,
      window: 3,
      total: 9,
      augmentation,
      innerBatch: 3,
    };
    const of = (...ages: readonly [number, boolean][]): Starts => ({
      at: (step) => ({ number: 4, place: 0, age: ages[step][0], fresh: ages[step][1] }),
    });
    const pooled = await outcome({ ...given, pool: 1 }, 3, of([0, true], [3, false], [6, false]));
    // The same networks, in the last window trained alone up to its beginning.
    const alone = await outcome({ ...given, pool: 0 }, 3, of([1, true], [2, true], [6, true]));
    expect(alone).toEqual(pooled);
    expect(Math.hypot(...pooled.images)).toBeGreaterThan(1e-6);
  },
);

test('a gradient is clipped to a multiple of the average norm before it, and not turned', async () => {
  // Without memory outer Adam remembers the last gradient as it was clipped.
  const given = { ...common, lr: 1e-30, beta1: 0, window: 3, total: 9, augmentation: 'none' };
  const [first, whole, clipped] = [
    await outcome({ ...given, clipFactor: 1e-3 }, 1),
    await outcome({ ...given, clipFactor: 0 }, 2),
    await outcome({ ...given, clipFactor: 1e-3 }, 2),
  ];
  const scale = (1e-3 * Math.hypot(...first.images)) / Math.hypot(...whole.images);
  expect(scale).toBeLessThan(1);
  const expected = whole.images.map((value) => scale * value);
  expect(relativeError(clipped.images, expected)).toBeLessThan(1e-12);
});

test('a window that nobody gave is shorter where steps have more images, and fits', () => {
  const windowOf = (given: DistillOptions) =>
    resolveFor('test', { method: 'rat', ...given }, dataset).options.window;
  expect(windowOf({ ipc: 1 })).toBe(20);
  expect(windowOf({ ipc: 2 })).toBe(10);
  expect(windowOf({ ipc: 1, total: 7 })).toBe(7);
  expect(windowOf({ ipc: 2, window: 30 })).toBe(30);
});

test('a window longer than the training is refused', () => {
  expect(() => resolveFor('test', { ...common, window: 6, total: 5 }, dataset)).toThrow(
    expect.objectContaining({
      code: 'ERR_OPTION',
      message: expect.stringMatching(/window is 6 and total is 5/),
    }),
  );
});

test('more real images than are counted are refused', () => {
  expect(() => resolveFor('test', { ...common, iterations: 2 ** 20, batch: 2 ** 12 }, dataset)).toThrow(
    /iterations x batch is 4294967296, expected below 2\^32/,
  );
});
