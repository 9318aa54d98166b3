/** Adaptive truncation: where windows begin and how wide they are, by the gradients that were seen. */
import { expect, test } from 'vitest';
import { loadWithTensors } from '../src/engine/load.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { type Adaptation, AdaptiveStarts } from '../src/methods/adaptive-starts.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { rulesOf } from '../src/methods/rat.js';
import type { Starts } from '../src/methods/starts.js';
import { beginTruncated } from '../src/methods/truncated.js';
import type { TruncatedOptions } from '../src/methods/window.js';
import { createNetwork } from '../src/networks/index.js';
import { findMethod, resolveFor } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { recordInnerLoop } from '../src/train/inner-loop.js';
import { type Owned, owning } from '../src/util/owned.js';
import { twoClasses } from './harness/made-data.js';

const how: Adaptation = { iterations: 30_000, window: 4, total: 12, focus: 1, spread: 0.5 };

/** Starts that know these lengths of gradients by age. */
function knowing(lengths: readonly number[], changes: Partial<Adaptation> = {}): AdaptiveStarts {
  const starts = new AdaptiveStarts(5, { ...how, ...changes });
  starts.goTo(lengths);
  return starts;
}

/** How often windows of some outer steps begin at each age. */
function countAges(starts: AdaptiveStarts, from: number, steps: number): number[] {
  const count = new Array<number>(9).fill(0);
  for (let step = from; step < from + steps; step++) count[starts.at(step).age]++;
  return count;
}

/** Whether counts are those of draws with these probabilities, to five deviations. */
function expectCounts(counts: readonly number[], weights: readonly number[]): void {
  const steps = counts.reduce((a, b) => a + b, 0);
  const sum = weights.reduce((a, b) => a + b, 0);
  for (const [age, weight] of weights.entries()) {
    const p = weight / sum;
    expect(Math.abs(counts[age] - steps * p)).toBeLessThan(5 * Math.sqrt(steps * p * (1 - p)) + 1e-9);
  }
}

/** Falling lengths, and their means over four ages. */
const falling = Array.from({ length: 12 }, (_, age) => 12 - age);
const means = Array.from({ length: 9 }, (_, age) => 10.5 - age);

test('windows begin where gradients are long, then anywhere, then where they are short', () => {
  expectCounts(countAges(knowing(falling), 0, 10_000), means);
  expectCounts(
    countAges(knowing(falling), 10_000, 10_000),
    means.map(() => 1),
  );
  expectCounts(
    countAges(knowing(falling), 20_000, 10_000),
    means.map((mean) => 1 / mean),
  );
  expectCounts(
    countAges(knowing(falling, { focus: 3 }), 0, 10_000),
    means.map((mean) => mean ** 3),
  );
  expectCounts(
    countAges(knowing(falling, { focus: 0 }), 0, 10_000),
    means.map(() => 1),
  );
});

test('ages that no window has met count as the mean of the others', () => {
  expectCounts(
    countAges(knowing([]), 0, 10_000),
    means.map(() => 1),
  );
  // Of the windows from 5 on nothing is known; those from 2 to 4 know one to three ages less.
  const lengths = [8, 8, 2, 2, 2];
  const known = [5, 3.5, 2, 2, 2];
  const usual = known.reduce((a, b) => a + b, 0) / 5;
  expectCounts(countAges(knowing(lengths), 0, 10_000), [...known, usual, usual, usual, usual]);
});

test('windows are wider where lengths vary, narrower where they do not, and end within the training', () => {
  const starts = knowing([1, 1, 1, 1, 1, 1, 1, 1, 9, 1, 9, 1]);
  expect(starts.widths).toEqual([4, 2, 6]);
  const widths = new Map<number, number>();
  for (let step = 0; step < 1000; step++) {
    const { age, width } = starts.at(step);
    widths.set(age, starts.widths[width!]);
    expect(age + starts.widths[width!]).toBeLessThanOrEqual(12);
  }
  // Deviations as parts of the mean: 0 up to age 4, then 2/sqrt(3) twice, 0.8 twice; 0.43 on average. From 7 on six steps do not fit.
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((age) => widths.get(age))).toEqual([2, 2, 2, 2, 2, 6, 6, 4, 4]);
  expect(new AdaptiveStarts(5, { ...how, spread: 0 }).widths).toEqual([4]);
  expect(new AdaptiveStarts(5, { ...how, total: 5 }).widths).toEqual([4, 2, 5]);
  expect(knowing([]).at(0).width).toBe(0);
});

test('what is learned is a running average of mean lengths at the ages of a window', () => {
  const starts = new AdaptiveStarts(5, { ...how, window: 2, total: 3, spread: 0 });
  const { age } = starts.at(0);
  starts.learn(0, Float32Array.of(9, 16, 25, 36));
  expect([...starts.learned.subarray(age, age + 2)]).toEqual([4, 5]);
  starts.learn(0, Float32Array.of(100, 0, 100, 0));
  expect(starts.learned[age]).toBeCloseTo(0.9 * 4 + 0.1 * 10, 6);
  expect(starts.learned[age + 1]).toBeCloseTo(0.9 * 5, 6);
});

test('the next start is drawn by what was just learned, or gone back to', () => {
  const starts = new AdaptiveStarts(5, { ...how, window: 1, focus: 50, spread: 0 });
  const long = (at: number) => Array.from({ length: 12 }, (_, age) => (age === at ? 1000 : 1));
  for (const at of [3, 8]) {
    starts.goTo(long(at));
    expect(starts.at(0).age).toBe(at);
  }
  // Its average falls by a tenth each time, and is as short as the others after 66 windows.
  let windows = 0;
  while (starts.at(0).age === 8 && windows < 100) {
    starts.learn(0, Float32Array.of(0));
    windows++;
  }
  expect(windows).toBeGreaterThan(60);
  expect(windows).toBeLessThan(70);
});

test('a start takes no time that grows with the width of windows', () => {
  const [window, total] = [200, 400];
  const starts = new AdaptiveStarts(5, { ...how, window, total });
  const norms = Float32Array.from({ length: 300 }, (_, i) => 1 + (i % 7));
  const begun = performance.now();
  for (let step = 0; step < 3000; step++) {
    for (let asked = 0; asked < 3; asked++) starts.at(step);
    starts.learn(step, norms);
  }
  // Far less; with each mean by itself far more.
  expect(performance.now() - begun).toBeLessThan(6000);
});

const device = new ReferenceDevice();

/** Two networks after T steps of SGD at rate 0.1, and the squared norms that were recorded on the way. */
async function trained(T: number) {
  const network = createNetwork({ name: 'mlp', width: 3, inputShape: [1, 2, 3], classes: 2 });
  const r = new Recorder('some steps');
  const squaredNorms = r.external('squaredNorms', 2, [4]);
  const loop = {
    ...{ network, theta: r.external('theta', 2, [network.count]), steps: 1, epochs: T },
    images: r.external('images', 1, [1, 4, 1, 2, 3]),
    labels: r.external('labels', 1, [1, 4, 2]),
    rates: r.external('rates', 1, [1]),
  };
  recordInnerLoop(r, 2, loop, { squaredNorms, theta: r.external('end', 2, [network.count]) });
  return owning(async (owned) => {
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    await tensors.theta.write(Float64Array.from({ length: 2 * network.count }, (_, i) => Math.sin(i)));
    await tensors.images.write(Float64Array.from({ length: 24 }, (_, i) => Math.cos(3 * i)));
    await tensors.labels.write([1, 0, 0, 1, 1, 0, 0, 1]);
    await tensors.rates.write([0.1]);
    await executable.run();
    const read = async (name: string) => Float64Array.from(await tensors[name].read());
    const result = { start: await read('theta'), end: await read('end'), norms: await read('squaredNorms') };
    owned.dispose();
    return result;
  });
}

test('norms are those of the gradients that a step moves by', async () => {
  const runs = [await trained(1), await trained(2), await trained(3)];
  const places = [runs[0].start, ...runs.map(({ end }) => end)];
  const { norms } = runs[2];
  const half = norms.length / 2;
  for (const p of [0, 1]) {
    for (const t of [0, 1, 2]) {
      const size = places[0].length / 2;
      const moved = places[t + 1].map((value, i) => value - places[t][i]).subarray(p * size, (p + 1) * size);
      const expected = moved.reduce((sum, value) => sum + value ** 2, 0) / 0.1 ** 2;
      expect(expected).toBeGreaterThan(0);
      expect(Math.abs(norms[p * half + t] - expected) / expected).toBeLessThan(1e-6);
    }
    expect(norms[p * half + 3]).toBe(0);
  }
});

const dataset = twoClasses();

const given: DistillOptions = {
  ...{ method: 'at', network: 'mlp:width=4', ipc: 2, batch: 4, window: 3, total: 9, iterations: 12 },
  ...{ networkLr: 0.05, innerEpsilon: 0.01, population: 2, focus: 3 },
};

/** A process before its first step, at windows of its own or at `starts`. */
async function begun(owned: Owned, starts?: Starts): Promise<Process> {
  const { options } = resolveFor('test', given, dataset);
  const train = owned.own(await uploadTraining(device, dataset, options));
  const setting = await settingFor(device, dataset, options, train);
  if (!starts) return owned.own(await findMethod('at').begin(setting));
  const o = { ...options, pool: 0 } as unknown as Parameters<typeof rulesOf>[0] & TruncatedOptions;
  return owned.own(await beginTruncated('at', setting, o, rulesOf(o), starts));
}

test('a run learns from its windows, and goes on with what it has learned', async () => {
  await owning(async (owned) => {
    const [whole, late] = [await begun(owned), await begun(owned)];
    await whole.advance(6);
    const learned = await whole.tensors.learned.read();
    expect(learned.length).toBe(9);
    expect(learned.filter((length) => length > 0).length).toBeGreaterThan(5);
    for (const [name, tensor] of Object.entries(whole.tensors))
      await late.tensors[name].write(await tensor.read());
    await late.goTo(6);
    for (const process of [whole, late]) await process.advance(6);
    expect(await late.result()).toEqual(await whole.result());
    expect(await late.tensors.learned.read()).toEqual(await whole.tensors.learned.read());
    owned.dispose();
  });
});

test('windows are as wide as their start says', async () => {
  const seen: number[][] = [];
  const starts: Starts = {
    ...{ widths: [3, 1], learned: new Float32Array(1) },
    at: (step) => ({ number: step, place: 0, age: 0, fresh: true, width: step % 2 }),
    learn: (_, squaredNorms) => void seen.push(Array.from(squaredNorms)),
  };
  await owning(async (owned) => {
    await (await begun(owned, starts)).advance(2);
    owned.dispose();
  });
  const [wide, narrow] = seen;
  expect(wide.length).toBe(6);
  expect(wide.every((norm) => norm > 0)).toBe(true);
  // The second window writes its one step of each network, and leaves what there was behind it.
  expect(wide.map((norm, i) => norm !== narrow[i])).toEqual([true, false, false, true, false, false]);
});
