/** Only the last steps of a training are differentiated: held to float64 in which the state before them is a constant. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { type MetaGradientOptions, metaGradient } from '../src/train/calls/meta-gradient.js';
import { keeps } from '../src/train/hypergradient.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { relativeError } from './harness/close.js';
import { type OracleOptimizer, oracle } from './harness/oracle.js';

const network = { name: 'mlp', inputShape: [2, 6, 5], classes: 3, width: 9 } as const;
const [P, steps, epochs, n, B] = [2, 3, 2, 2, 5];
const T = steps * epochs;
const pixels = 2 * 6 * 5;

function optionsOf(optimizer: OracleOptimizer, rates: number, window?: number): MetaGradientOptions {
  return {
    network,
    parameters: freshParameters(network, P),
    images: normals(steps * n * pixels, 1),
    labels: labelRows(steps * n, network.classes, 2, true),
    learningRates: Float32Array.from({ length: rates }, (_, t) => 0.08 + 0.02 * t),
    steps,
    epochs,
    realImages: normals(B * pixels, 3),
    realLabels: labelRows(B, network.classes, 4, false),
    optimizer,
    window,
    parametersGradient: true,
  };
}

const optimizers: OracleOptimizer[] = [
  { kind: 'sgd' },
  { kind: 'nesterov', momentum: 0.8, weightDecay: 0.01 },
  { kind: 'adam', epsilon: 0.01 },
];
const cases = optimizers.flatMap((optimizer) =>
  [1, 2, 4].flatMap((window) =>
    [T, 1].map((rates) => ({
      kind: optimizer.kind,
      optimizer,
      window,
      rates,
      name: `${optimizer.kind} ${window} ${rates}`,
    })),
  ),
);

const names = ['losses', 'images', 'labels', 'learningRates', 'parameters'] as const;
const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };

const known = new Map<string, ReturnType<typeof oracle>>();
function expectedOf({ name, optimizer, rates, window }: (typeof cases)[number]) {
  const options = optionsOf(optimizer, rates, window);
  const all = options.parameters as Float32Array;
  const parameters = Array.from({ length: P }, (_, p) =>
    all.subarray((p * all.length) / P, ((p + 1) * all.length) / P),
  );
  const expected = known.get(name) ?? oracle({ ...options, network, optimizer, parameters });
  known.set(name, expected);
  return expected;
}

const zeros = (length: number) => new Array(length).fill(0);
/** The first numbers are exactly 0, and of the others some are not. */
function expectZerosFirst(values: ArrayLike<number>, count: number): void {
  const all = Array.from(values);
  expect(all.slice(0, count)).toEqual(zeros(count));
  expect(Math.hypot(...all)).toBeGreaterThan(0);
}

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  let opened: Device;
  let device: Device;
  beforeAll(async () => {
    opened = await openDevice(engine);
    device = poisoning(opened);
  });
  afterAll(() => opened?.dispose());

  test.each(cases)('$kind, the last $window of 6 steps, $rates rates', async (c) => {
    const { optimizer, window, rates } = c;
    const expected = expectedOf(c);
    const actual = await metaGradient(device, optionsOf(optimizer, rates, window));
    for (const name of names)
      expect(relativeError(actual[name], expected[name]), name).toBeLessThan(limits[engine]);

    // Batches and rates of earlier steps alone, and the networks before them, get exactly nothing.
    const unused = Math.max(0, steps - window);
    expectZerosFirst(actual.images, unused * n * pixels);
    expectZerosFirst(actual.labels, unused * n * network.classes);
    expectZerosFirst(actual.learningRates, rates === 1 ? 0 : T - window);
    expect(Array.from(actual.parametersGradient!)).toEqual(zeros(actual.parameters.length));
  });

  test('a window of all steps is none', async () => {
    const [all, none] = [T, undefined].map((window) => optionsOf(optimizers[1], T, window));
    expect(await metaGradient(device, all)).toEqual(await metaGradient(device, none));
  });

  test('what is kept changes no bit', async () => {
    const options = optionsOf(optimizers[2], T, 3);
    const results = [];
    for (const keep of keeps) results.push(await metaGradient(device, { ...options, keep }));
    for (const result of results) expect(result).toEqual(results[0]);
  });
});
