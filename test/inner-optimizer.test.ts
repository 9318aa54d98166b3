/** Inner optimisers and losses: steps by hand, and gradients through them against reverse over reverse in float64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName, Tensor } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { createNetwork } from '../src/networks/index.js';
import {
  type MetaGradientOptions,
  metaGradient,
  recordMetaGradient,
} from '../src/train/calls/meta-gradient.js';
import { optimizerOf } from '../src/train/inner-optimizer.js';
import { type LossName, lossNames, lossOf } from '../src/train/loss.js';
import { type OptimizerOptions, trainingName } from '../src/train/training.js';
import { Stream } from '../src/util/random.js';
import { relativeError } from './harness/close.js';
import { type OracleOptions, oracle } from './harness/oracle.js';

const network = { name: 'mlp', inputShape: [1, 3, 4], classes: 3, width: 6 } as const;
const [P, steps, epochs, n, B, pixels, K] = [2, 2, 2, 3, 5, 12, 3];
const { count } = createNetwork(network);

function normals(length: number, stream: number, gain = 1): Float32Array {
  const source = new Stream(21, stream);
  return Float32Array.from({ length }, (_, i) => gain * source.normal(i));
}

/** Soft labels between 0 and 1. */
const labels = (rows: number, stream: number) => normals(rows * K, stream).map((v) => 1 / (1 + Math.exp(-v)));

/** One meta-gradient; everything but the optimiser and the losses is always the same. */
function problem(change: Partial<MetaGradientOptions> = {}): MetaGradientOptions {
  return {
    network,
    parameters: normals(P * count, 1, 0.4),
    images: normals(steps * n * pixels, 2),
    labels: labels(steps * n, 3),
    learningRates: Float32Array.from({ length: steps * epochs }, (_, t) => 0.05 + 0.02 * t),
    steps,
    epochs,
    realImages: normals(B * pixels, 4),
    realLabels: labels(B, 5),
    parametersGradient: true,
    ...change,
  };
}

const expected = (o: MetaGradientOptions) =>
  oracle({
    ...(o as unknown as OracleOptions),
    parameters: Array.from({ length: P }, (_, p) =>
      Array.from(o.parameters).slice(p * count, (p + 1) * count),
    ),
  });

const results = ['losses', 'images', 'labels', 'learningRates', 'parameters', 'parametersGradient'] as const;

/** The largest relative error of all results against the oracle. */
async function worstError(device: Device, options: MetaGradientOptions): Promise<number> {
  const [actual, want] = [await metaGradient(device, options), expected(options)];
  const errors = results.map((name) => relativeError(actual[name]!, want[name]));
  return errors.some(Number.isNaN) ? Number.NaN : Math.max(...errors);
}

/** Every kind, with weight decay and some without. */
const optimizers: OptimizerOptions[] = [
  { kind: 'sgd' },
  { kind: 'sgd', weightDecay: 0.1 },
  { kind: 'momentum' },
  { kind: 'momentum', momentum: 0.7, weightDecay: 0.1 },
  { kind: 'nesterov', weightDecay: 0.1 },
  { kind: 'adam', weightDecay: 0.1 },
  { kind: 'adam', beta1: 0.5, beta2: 0.9, epsilon: 1e-3 },
  { kind: 'adamw', weightDecay: 0.1, epsilon: 1e-3 },
];
const shared = [0.07];
const nameOf = (optimizer: OptimizerOptions) => trainingName({ optimizer, loss: 'cross-entropy' });

describe('gradients through a whole training on the reference engine', () => {
  const device = new ReferenceDevice();

  test.each(
    optimizers.flatMap((optimizer) => lossNames.map((loss) => [nameOf(optimizer), loss, optimizer] as const)),
  )('%s, %s: rates per step and shared', async (_, loss, optimizer) => {
    expect(await worstError(device, problem({ optimizer, loss }))).toBeLessThan(1e-12);
    expect(await worstError(device, problem({ optimizer, loss, learningRates: shared }))).toBeLessThan(1e-12);
  });

  test.each(lossNames)('%s as the outer loss', async (outerLoss) => {
    expect(await worstError(device, problem({ outerLoss }))).toBeLessThan(1e-12);
  });
});

const limits: Partial<Record<EngineName, number>> = { cpu: 1e-4, webgpu: 1e-4 };

describe.each(['cpu', 'webgpu'] as const)('gradients through a whole training on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  // The losses in turn; with weight decay every kernel and flag is in use, which is enough for the slower engine.
  const some = optimizers.filter(({ weightDecay }) => engine === 'cpu' || weightDecay);
  test.each(some.map((optimizer, i) => [nameOf(optimizer), lossNames[i % 3], optimizer] as const))(
    '%s, %s: right, and the same bits twice',
    async (name, loss, optimizer) => {
      const options = problem({ optimizer, loss, outerLoss: loss });
      const error = await worstError(device, options);
      console.log(`${engine}, ${name}, ${loss}: ${error.toExponential(1)}`);
      expect(error).toBeLessThan(limits[engine]!);
      const first = await metaGradient(device, options);
      expect(await metaGradient(device, options)).toEqual(first);
      expect(await worstError(device, { ...options, learningRates: shared })).toBeLessThan(limits[engine]!);
    },
  );
});

/** Runs a recording on the reference engine and returns what the external slot `of` holds; others begin at 0. */
async function run(r: Recorder, values: Record<string, number[]>, of: string): Promise<number[]> {
  const device = new ReferenceDevice();
  const program = r.program();
  const tensors: Record<string, Tensor> = {};
  for (const { name, external, length } of program.slots)
    if (external) tensors[name] = await device.tensor('f32', length, values[name]);
  await (await device.load(program, tensors)).run();
  return [...(await tensors[of].read())];
}

describe('two steps by hand', () => {
  const gradients = [
    [2, -1],
    [-3, 0.5],
  ];
  const rates = [0.1, 0.2];
  const start = [1, -2];

  /** Theta after both steps, from gradients that are simply given. */
  async function steps(options: OptimizerOptions): Promise<number[]> {
    const optimizer = optimizerOf(options);
    const r = new Recorder('two steps');
    let theta = r.external('theta', 1, [2]);
    const shape = optimizer.stateShape?.(2);
    let state = shape && r.external('state', 1, shape);
    gradients.forEach((_, t) => {
      const [g, rate] = [r.external(`g${t}`, 1, [2]), r.external(`rate${t}`, 1, [1])];
      const next = optimizer.step(
        r,
        { theta, g, rate, state },
        { theta: r.external(`theta${t + 1}`, 1, [2]) },
      );
      ({ theta, state } = next);
    });
    const values: Record<string, number[]> = { theta: start };
    for (const [t, g] of gradients.entries())
      Object.assign(values, { [`g${t}`]: g, [`rate${t}`]: [rates[t]] });
    return run(r, values, 'theta2');
  }

  /** The same two steps of each parameter, one number at a time. */
  const byHand = (one: (theta: number, g: readonly [number, number]) => number) =>
    start.map((theta, i) => one(theta, [gradients[0][i], gradients[1][i]]));

  test.each<[string, OptimizerOptions, (theta: number, g: readonly [number, number]) => number]>([
    ['sgd', { kind: 'sgd' }, (theta, [a, b]) => theta - 0.1 * a - 0.2 * b],
    [
      'sgd, weight decay: each step first shrinks theta by rate x decay',
      { kind: 'sgd', weightDecay: 0.5 },
      (theta, [a, b]) => 0.9 * (0.95 * theta - 0.1 * a) - 0.2 * b,
    ],
    [
      'momentum: the first velocity is the gradient, the second holds 0.9 of it',
      { kind: 'momentum' },
      (theta, [a, b]) => theta - 0.1 * a - 0.2 * (0.9 * a + b),
    ],
    [
      'momentum, weight decay: the penalty goes through the velocity',
      { kind: 'momentum', momentum: 0.5, weightDecay: 1 },
      (theta, [a, b]) => {
        const first = a + theta;
        const at = theta - 0.1 * first;
        return at - 0.2 * (0.5 * first + b + at);
      },
    ],
    [
      'nesterov: the gradient, and 0.9 of the velocity that holds it already',
      { kind: 'nesterov' },
      (theta, [a, b]) => theta - 0.1 * 1.9 * a - 0.2 * (b + 0.9 * (0.9 * a + b)),
    ],
    [
      'adam: the first step is the sign of the gradient',
      { kind: 'adam', beta1: 0.5, beta2: 0.75, epsilon: 1e-300 },
      (theta, [a, b]) => {
        const mHat = (0.25 * a + 0.5 * b) / 0.75;
        const vHat = (0.1875 * a * a + 0.25 * b * b) / 0.4375;
        return theta - 0.1 * Math.sign(a) - (0.2 * mHat) / Math.sqrt(vHat);
      },
    ],
    [
      'adam, weight decay: the penalty is part of the gradient',
      { kind: 'adam', beta1: 0, beta2: 0, epsilon: 0.25, weightDecay: 1 },
      (theta, [a, b]) => {
        const first = theta - (0.1 * (a + theta)) / (Math.abs(a + theta) + 0.25);
        return first - (0.2 * (b + first)) / (Math.abs(b + first) + 0.25);
      },
    ],
    [
      'adamw: theta shrinks beside a step that knows nothing of it',
      { kind: 'adamw', beta1: 0, beta2: 0, epsilon: 1e-300, weightDecay: 0.5 },
      (theta, [a, b]) => 0.9 * (0.95 * theta - 0.1 * Math.sign(a)) - 0.2 * Math.sign(b),
    ],
  ])('%s', async (_, options, one) => {
    const [actual, want] = [await steps(options), byHand(one)];
    for (const [i, value] of want.entries()) expect(Math.abs(actual[i] - value)).toBeLessThan(1e-14);
  });
});

describe('losses by hand', () => {
  /** The passes on z = (ln 3, 0), y = (1/4, 1), zDot = (16, 8), scale 2; sigma(ln 3) = 3/4, sigma(0) = 1/2. */
  async function passes(name: LossName): Promise<number[][]> {
    const values = { z: [Math.log(3), 0], y: [0.25, 1], zDot: [16, 8] };
    const record = (r: Recorder) => {
      const [z, y, zDot] = Object.keys(values).map((key) => r.external(key, 1, [1, 2]));
      const loss = lossOf(name).forward(r, z, y);
      const { zBarDot, yBarDot } = loss.tangentBackward(zDot, 2);
      return [loss.losses(), loss.backward(2), zBarDot, yBarDot];
    };
    return Promise.all(
      [0, 1, 2, 3].map((index) => {
        const r = new Recorder('loss');
        const view = record(r)[index];
        elementwise.add(r, { a: view, b: view }, 1, 0, r.external('out', 1, view.shape));
        return run(r, values, 'out');
      }),
    );
  }

  test.each<[LossName, number[][]]>([
    [
      'squared-error',
      [[((Math.log(3) - 0.25) ** 2 + 1) / 2], [2 * (Math.log(3) - 0.25), -2], [32, 16], [-32, -16]],
    ],
    [
      'binary-cross-entropy',
      [
        // -1/4 log 3/4 - 3/4 log 1/4, and -log 1/2.
        [(-0.25 * Math.log(0.75) - 0.75 * Math.log(0.25) + Math.log(2)) / 2],
        [0.5, -0.5],
        [3, 2],
        [-16, -8],
      ],
    ],
  ])('%s', async (name, want) => {
    const actual = await passes(name);
    for (const [i, values] of want.entries())
      for (const [k, value] of values.entries()) expect(actual[i][k]).toBeCloseTo(value, 13);
  });
});

describe('parameters whose gradient is always 0, under Adam', () => {
  /** Nothing ever reaches pixel 0 or hidden unit 1 of either layer, so 1 / epsilon of 1e8 is in every product. */
  function withDead(optimizer: OptimizerOptions): MetaGradientOptions {
    const options = problem({ optimizer });
    const images = Float32Array.from(options.images, (v, i) => (i % pixels === 0 ? 0 : v));
    const parameters = Float32Array.from(options.parameters);
    const { parameters: tensors } = createNetwork(network);
    for (let p = 0; p < P; p++)
      for (const { kind, shape, offset } of tensors)
        if (kind === 'bias' && shape[0] === network.width) parameters[p * count + offset + 1] = -50;
    return { ...options, images, parameters };
  }

  test.each(['reference', 'cpu', 'webgpu'] as const)('%s: finite, and the exact limit', async (engine) => {
    const device = await openDevice(engine);
    const options = withDead({ kind: 'adam' });
    const gradient = await metaGradient(device, options);
    for (const name of results) expect(gradient[name]!.every(Number.isFinite), name).toBe(true);
    // Dead weights stay where they are.
    const [before, after] = [options.parameters, gradient.parameters];
    for (let p = 0; p < P; p++)
      for (let unit = 0; unit < network.width; unit++) {
        const at = p * count + unit * pixels;
        expect(after[at]).toBe(before[at]);
      }
    expect(await worstError(device, options)).toBeLessThan(engine === 'reference' ? 1e-11 : 1e-4);
    await device.dispose();
  });

  test('the slope of one step at 0 is rate / epsilon', async () => {
    const r = new Recorder('dead');
    const [theta, g, lambda] = ['theta', 'g', 'lambda'].map((name) => r.external(name, 1, [1]));
    const rate = r.external('rate', 1, [1]);
    const state = r.external('state', 1, [2, 2]);
    const optimizer = optimizerOf({ kind: 'adam', epsilon: 0.5 });
    const next = optimizer.step(r, { theta, g, rate, state }, { theta: r.external('out', 1, [1]) });
    const { v } = optimizer.sweep(r)({ lambda, theta, rate, g, before: state, after: next.state });
    elementwise.add(r, { a: v, b: v }, 1, 0, r.external('v', 1, [1]));
    const [slope] = await run(r, { lambda: [3], rate: [0.25] }, 'v');
    expect(slope).toBeCloseTo((-3 * 0.25) / 0.5, 14);
  });
});

test('per inner step the program keeps theta, with momentum a velocity, with Adam two moments', () => {
  const net = createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 });
  const vectors = (optimizer: OptimizerOptions) => {
    // With so many images a step is not worth keeping whole.
    const geometry = { network: net, members: 1, n: 40, B: 16, steps: 10 };
    const training = { optimizer, loss: 'cross-entropy' } as const;
    const bytes = (epochs: number) => recordMetaGradient({ ...geometry, epochs, training }).bytes().temporary;
    return (bytes(4) - bytes(1)) / 30 / 4 / net.count;
  };
  const kinds = ['sgd', 'momentum', 'nesterov', 'adam', 'adamw'] as const;
  const kept = kinds.map((kind) => vectors({ kind }));
  for (const [i, want] of [1, 2, 2, 3, 3].entries()) expect(kept[i], kinds[i]).toBeCloseTo(want, 2);
});

test.each<[Partial<MetaGradientOptions>, RegExp]>([
  [{ optimizer: { kind: 'lion' as 'sgd' } }, /optimizer "lion" is unknown; there are: sgd, momentum/],
  [{ optimizer: { kind: 'sgd', momentum: 0.9 } }, /optimizer sgd has no momentum; it takes weightDecay/],
  [{ optimizer: { kind: 'adam', beta2: 1 } }, /beta2 is 1, expected a number from 0 up to, not including, 1/],
  [{ optimizer: { kind: 'adam', epsilon: 0 } }, /epsilon is 0, expected a number above 0/],
  [
    { optimizer: { kind: 'nesterov', weightDecay: -1 } },
    /weightDecay is -1, expected a number of at least 0/,
  ],
  [{ loss: 'hinge' as 'squared-error' }, /loss "hinge" is unknown; there are: cross-entropy, squared-error/],
  [{ outerLoss: 'hinge' as 'squared-error' }, /^metaGradient: outerLoss "hinge" is unknown/],
])('options that there are not: %j', async (change, message) => {
  const error = metaGradient(new ReferenceDevice(), problem(change));
  await expect(error).rejects.toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
});

test('two learning rates for four steps are refused', async () => {
  const error = metaGradient(new ReferenceDevice(), problem({ learningRates: [0.1, 0.2] }));
  await expect(error).rejects.toMatchObject({
    code: 'ERR_SHAPE',
    message: expect.stringMatching(
      /learningRates has 2 numbers, expected 4: \[steps \* epochs\], or \[1\]: one for all/,
    ),
  });
});
