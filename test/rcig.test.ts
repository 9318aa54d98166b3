/** Convexified implicit gradients: their systems, both parts of the gradient, and the pool. */
import { describe, expect, test } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { add } from '../src/engine/ops/elementwise.js';
import * as linear from '../src/engine/ops/linear.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { findMethod, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { recordConjugateGradients } from '../src/train/conjugate-gradients.js';
import { copyInto } from '../src/train/groups.js';
import { dot, relativeError } from './harness/close.js';

const dataset = generateDigits({ train: 60, validation: 10, test: 10, size: 12 });
const device = new ReferenceDevice();
/** Smooth, and small enough that its systems are solved to the end: ten images of ten classes have at most 100 eigenvalues beside 1. */
const small = {
  method: 'rcig',
  network: { name: 'custom', layers: [{ linear: 5 }, 'tanh', { linear: 10 }] },
  ipc: 1,
  batch: 12,
  iterations: 40,
  ridge: 0.1,
  solverSteps: 101,
  mostImplicit: 1e6,
  pool: 1,
  beta1: 0,
} as const satisfies DistillOptions;

async function beginProcess(given: DistillOptions): Promise<Process> {
  const options = resolveOptions(given);
  const train = await uploadTraining(device, dataset, options);
  return findMethod(options.method).begin(await settingFor(device, dataset, options, train));
}

type State = Readonly<Record<string, Float64Array>>;
async function stateOf({ tensors }: Process): Promise<State> {
  const read = Object.entries(tensors).map(
    async ([name, tensor]) => [name, Float64Array.from(await tensor.read())] as const,
  );
  return Object.fromEntries(await Promise.all(read));
}

/** The loss of the first outer step from a state, and the gradients that its means of Adam are with beta1 0. */
async function firstStep(process: Process, state: State) {
  for (const [name, values] of Object.entries(state)) await process.tensors[name].write(values);
  await process.goTo(0);
  const { loss } = await process.advance(1);
  const {
    'pixels.m': pixels,
    'labels.m': labels,
    'rawTemperature.m': rawTemperature,
  } = await stateOf(process);
  return { loss, gradient: { pixels, labels, rawTemperature } };
}

const norm = (values: Float64Array) => Math.sqrt(dot(values, values));
const minus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value - b[i]);

describe('the gradient', () => {
  test.each(['pixels', 'labels', 'rawTemperature'] as const)('of %s is that of the loss', async (name) => {
    const process = await beginProcess(small);
    const state = await stateOf(process);
    const gradient = (await firstStep(process, state)).gradient[name];
    const direction = gradient.map((_, i) => Math.sin(1 + i * i));
    const lossAt = async (by: number) => {
      const moved = state[name].map((value, i) => value + by * direction[i]);
      return (await firstStep(process, { ...state, [name]: moved })).loss;
    };
    // Four points: what is left is a fifth derivative times the fourth power of the step.
    const h = 2e-3;
    const near = (await lossAt(h)) - (await lossAt(-h));
    const far = (await lossAt(2 * h)) - (await lossAt(-2 * h));
    const slope = (8 * near - far) / (12 * h);
    const expected = dot(gradient, direction);
    expect(Math.abs(expected)).toBeGreaterThan(1e-5);
    expect(Math.abs(slope / expected - 1)).toBeLessThan(1e-7);
    process.dispose();
  });

  test('has an implicit part that is no longer than so many times the direct one, and points where it pointed', async () => {
    const of = async (mostImplicit: number) => {
      const process = await beginProcess({ ...small, mostImplicit });
      const { gradient } = await firstStep(process, await stateOf(process));
      process.dispose();
      return gradient;
    };
    const [whole, direct, held] = [await of(1e6), await of(1e-12), await of(0.01)];
    for (const name of ['pixels', 'labels'] as const) {
      const [implicit, part] = [minus(whole[name], direct[name]), minus(held[name], direct[name])];
      expect(norm(implicit) / norm(direct[name])).toBeGreaterThan(0.01);
      expect(norm(part) / norm(direct[name]) / 0.01).toBeCloseTo(1, 6);
      expect(dot(part, implicit) / norm(part) / norm(implicit)).toBeCloseTo(1, 6);
    }
  });
});

describe('conjugate gradients', () => {
  const n = 6;
  const half = Float64Array.from({ length: n * n }, (_, i) => Math.sin(1 + i * i));
  /** half halfᵀ + I */
  const product = (x: Float64Array) => {
    const y = x.map((_, j) => x.reduce((sum, value, i) => sum + half[i * n + j] * value, 0));
    return x.map((value, i) => value + y.reduce((sum, one, j) => sum + half[i * n + j] * one, 0));
  };

  async function solve(b: Float64Array, steps: number): Promise<Float64Array> {
    const r = new Recorder('solve');
    const [given, w, out] = [
      r.external('b', 1, [1, n]),
      r.external('half', 1, [n, n]),
      r.external('x', 1, [1, n]),
    ];
    const times = (p: typeof given) => linear.forward(r, { x: linear.backwardInput(r, { yBar: p, w }), w });
    copyInto(
      r,
      recordConjugateGradients(r, given, (p) => add(r, { a: p, b: times(p) }), steps),
      out,
    );
    const tensors = {
      b: await device.tensor('f32', n, b),
      half: await device.tensor('f32', n * n, half),
      x: await device.tensor('f32', n),
    };
    const executable = await device.load(r.program(), tensors);
    await executable.run();
    return Float64Array.from(await tensors.x.read());
  }

  test('solve a system in as many steps as it has eigenvalues, and come nearer with each', async () => {
    const x = Float64Array.from({ length: n }, (_, i) => Math.cos(3 * i));
    const b = product(x);
    expect(relativeError(await solve(b, n), x)).toBeLessThan(1e-9);
    const errors: number[] = [];
    for (let steps = 1; steps < n; steps++) errors.push(relativeError(await solve(b, steps), x));
    expect(errors).toEqual([...errors].sort((a, b) => b - a));
    expect(errors.at(-1)).toBeGreaterThan(1e-9);
    // Steps beyond the solution change nothing.
    expect(relativeError(await solve(b, n + 5), x)).toBeLessThan(1e-9);
  });

  test('of nothing are nothing', async () => {
    expect(await solve(new Float64Array(n), 3)).toEqual(new Float64Array(n));
  });
});

test('networks of the pool are trained by a number of steps that is drawn, and no older than they may be', async () => {
  const process = await beginProcess({ ...small, poolSteps: 3, onlineSteps: 5, networkLr: 1e-3 });
  const moved: number[] = [];
  let before = (await stateOf(process))['pool.0.theta'];
  for (let step = 0; step < 12; step++) {
    await process.advance(1);
    const after = (await stateOf(process))['pool.0.theta'];
    moved.push(Math.max(...minus(after, before).map(Math.abs)));
    before = after;
  }
  // A step of Adam is about the rate while gradients keep their sign; one that begins afresh moves by its weights.
  const sizes = new Set(moved.filter((size) => size < 0.02).map((size) => Math.round(size / 1e-3)));
  expect(sizes.size).toBeGreaterThan(1);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
  process.dispose();
});
