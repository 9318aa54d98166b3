/** What moves a learned variable, against the rules' own formulae in float64. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import { openDevice } from '../src/engine/open.js';
import * as random from '../src/engine/ops/random.js';
import { Recorder } from '../src/engine/program.js';
import {
  recordUpdate,
  startVariable,
  stateNames,
  type UpdateRule,
  type Variable,
} from '../src/methods/variable.js';
import { type Owned, owning } from '../src/util/owned.js';
import { normals } from './harness/arrays.js';
import { relativeError } from './harness/close.js';

const limits: Record<EngineName, number> = { reference: 1e-12, cpu: 1e-6, webgpu: 1e-6 };
const iterations = 5;
const constants = { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, rate: 0.02 } as const;
const clip = 7;

/** A variable before its first step, and the program of a step. */
async function begun(device: Device, update: UpdateRule, first: Float32Array, owned: Owned) {
  const variable: Variable = { name: 'x', shape: [first.length], first, update };
  const r = new Recorder('update');
  const [theta, bar] = ['x', 'bar'].map((name) => r.external(name, 1, variable.shape));
  const state = r.external('state', 1, [4], 'u32');
  recordUpdate(r, variable, { theta, bar, state }, { iterations, average: 0 });
  random.advance(r, { state });
  const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
  await startVariable(variable, tensors, iterations);
  return { variable, tensors, executable };
}

/** The variable after every step along the same gradient. */
async function moved(device: Device, update: UpdateRule, first: Float32Array, gradient: Float32Array) {
  return owning(async (owned) => {
    const { tensors, executable } = await begun(device, update, first, owned);
    await tensors.bar.write(gradient);
    const after: number[] = [];
    for (let t = 0; t < iterations; t++) {
      await executable.run();
      after.push(...(await tensors.x.read()));
    }
    owned.dispose();
    return after;
  });
}

/** LAMB (You et al. 2020), in the words of its paper. */
function lamb(first: Float32Array, gradient: Float32Array, limit: number): number[] {
  const { beta1, beta2, epsilon, rate } = constants;
  const norm = (x: Float64Array) => Math.hypot(...x);
  let theta = Float64Array.from(first);
  let [m, v] = [0, 0].map(() => new Float64Array(first.length));
  const shortened = Math.min(1, limit / norm(Float64Array.from(gradient)));
  const g = Float64Array.from(gradient, (one) => one * shortened);
  const after: number[] = [];
  for (let t = 0; t < iterations; t++) {
    m = m.map((one, i) => beta1 * one + (1 - beta1) * g[i]);
    v = v.map((one, i) => beta2 * one + (1 - beta2) * g[i] ** 2);
    const direction = m.map(
      (one, i) => one / (1 - beta1 ** (t + 1)) / (Math.sqrt(v[i] / (1 - beta2 ** (t + 1))) + epsilon),
    );
    const [size, length] = [norm(theta), norm(direction)];
    const trust = size > 0 && length > 0 ? size / length : 1;
    const now = (rate * (1 + Math.cos((Math.PI * t) / iterations))) / 2;
    theta = theta.map((one, i) => one - now * trust * direction[i]);
    after.push(...theta);
  }
  return after;
}

const devices = {} as Record<EngineName, Device>;
const engines = ['reference', 'cpu', 'webgpu'] as const;
beforeAll(async () => {
  for (const engine of engines) devices[engine] = await openDevice(engine);
});
afterAll(async () => {
  for (const device of Object.values(devices)) await device.dispose();
});

test.each(engines)(
  'LAMB on %s: a cosine, a limit for the norm, and a variable that begins at zero',
  async (engine) => {
    const update = { kind: 'lamb', ...constants, schedule: { kind: 'cosine' } } as const;
    const [first, gradient] = [normals(131, 1), normals(131, 2)];
    const zero = first.map(() => 0);
    for (const [start, limit] of [
      [first, Number.POSITIVE_INFINITY],
      [first, clip],
      [zero, clip],
    ] as const) {
      const limited = Number.isFinite(limit) ? { ...update, clip: limit } : update;
      const actual = await moved(devices[engine], limited, start, gradient);
      expect(relativeError(actual, lamb(start, gradient, limit))).toBeLessThan(limits[engine]);
    }
    // Nothing moves what has no gradient.
    expect(await moved(devices[engine], update, first, zero)).toEqual(
      Array(iterations)
        .fill([...first])
        .flat(),
    );
  },
);

test.each(engines)(
  'no gradient that is not finite goes unseen in what a rule keeps, however it is clipped: %s',
  async (engine) => {
    const adamLike = { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, rate: 0.02 };
    const rules = [
      { kind: 'adam', ...adamLike },
      { kind: 'lamb', ...adamLike },
      { kind: 'momentum', momentum: 0.9, rate: 0.02 },
      { kind: 'momentum', momentum: 0, rate: 0.02 },
    ] as const;
    const clips = [undefined, 3, { factor: 2, decay: 0.75 }] as const;
    const first = normals(131, 1);
    for (const rule of rules)
      for (const clip of clips)
        for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const after = await keptAfter(devices[engine], { ...rule, clip }, first, wrong);
          expect(after, JSON.stringify([rule.kind, clip, String(wrong)])).toBe(false);
        }
    // The same steps without it are finite.
    expect(await keptAfter(devices[engine], { ...rules[0], clip: 3 }, first, 1)).toBe(true);
  },
);

/** Whether all that is saved of a variable is finite some steps after one whose gradient had a wrong value in one place. */
async function keptAfter(device: Device, update: UpdateRule, first: Float32Array, wrong: number) {
  return owning(async (owned) => {
    const { variable, tensors, executable } = await begun(device, update, first, owned);
    const gradient = normals(first.length, 2);
    // After an ordinary step, so that a moving limit has a mean.
    for (const values of [gradient, gradient.with(70, wrong), gradient, gradient]) {
      await tensors.bar.write(values);
      await executable.run();
    }
    const kept = [];
    for (const name of stateNames(variable, 0)) kept.push(...(await tensors[name].read()));
    owned.dispose();
    return kept.every(Number.isFinite);
  });
}
