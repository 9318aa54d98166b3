/** Trajectory matching held to reverse over reverse in float64, and the identities between its two gradients. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import {
  type TrajectoryMatchingOptions,
  trajectoryMatching,
} from '../src/train/calls/trajectory-matching.js';
import { keeps } from '../src/train/hypergradient.js';
import { LimbeckError } from '../src/util/errors.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { relativeError } from './harness/close.js';
import { type OracleOptimizer, trajectoryOracle } from './harness/oracle.js';
import type { OracleNetwork } from './harness/oracle-networks.js';

interface Case {
  readonly network: OracleNetwork;
  readonly P: number;
  readonly steps: number;
  readonly epochs: number;
  readonly n: number;
  readonly soft?: boolean;
  readonly sharedRate?: boolean;
  readonly optimizer?: OracleOptimizer;
  readonly gradient?: 'exact' | 'tesla';
}

const mlp = { name: 'mlp', inputShape: [2, 6, 5], classes: 3, width: 9 } as const;
const convnet = { name: 'convnet', inputShape: [3, 8, 8], classes: 3, width: 4, depth: 2 } as const;
const lenet = { name: 'lenet', inputShape: [1, 16, 16], classes: 4 } as const;
const sizes = { P: 2, steps: 2, epochs: 3, n: 3, soft: true };

const cases: Case[] = [
  { network: mlp, ...sizes, P: 3 },
  { network: mlp, ...sizes, sharedRate: true },
  { network: mlp, ...sizes, optimizer: { kind: 'momentum', momentum: 0.5, weightDecay: 0.01 } },
  { network: mlp, ...sizes, optimizer: { kind: 'nesterov', momentum: 0.8 } },
  { network: mlp, ...sizes, optimizer: { kind: 'adam', epsilon: 1e-4 }, sharedRate: true },
  { network: lenet, ...sizes, P: 1, steps: 1, soft: false },
  { network: convnet, ...sizes, epochs: 2 },
  // Wide enough for the cpu engine to take Winograd's algorithm.
  { network: { ...convnet, inputShape: [2, 12, 14], width: 17 }, ...sizes, P: 1, epochs: 1 },
  { network: mlp, ...sizes, P: 3, gradient: 'tesla' },
  { network: mlp, ...sizes, sharedRate: true, gradient: 'tesla' },
  { network: convnet, ...sizes, epochs: 2, gradient: 'tesla' },
];

const title = ({ network, P, optimizer, gradient = 'exact', sharedRate }: Case) =>
  `${network.name} ${network.inputShape.join('x')}, P ${P}, ${optimizer?.kind ?? 'sgd'}, ${gradient}${sharedRate ? ', one rate' : ''}`;

function optionsOf({ network, P, steps, epochs, n, soft = false, ...c }: Case): TrajectoryMatchingOptions {
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const start = freshParameters(network, P);
  const away = normals(start.length, 9, 0.1);
  return {
    network: network as TrajectoryMatchingOptions['network'],
    start,
    target: start.map((value, i) => value + away[i]),
    images: normals(steps * n * pixels, 1),
    labels: labelRows(steps * n, network.classes, 2, soft),
    learningRates: Float32Array.from(
      { length: c.sharedRate ? 1 : steps * epochs },
      (_, t) => (c.optimizer?.kind === 'adam' ? 0.01 : 0.08) + 0.005 * t,
    ),
    steps,
    epochs,
    optimizer: c.optimizer,
    gradient: c.gradient,
  };
}

const known = new Map<Case, ReturnType<typeof trajectoryOracle>>();
function expectedOf(c: Case): ReturnType<typeof trajectoryOracle> {
  const options = optionsOf(c);
  const rows = (values: ArrayLike<number>) =>
    Array.from({ length: c.P }, (_, p) =>
      Array.from(values).slice((p * values.length) / c.P, ((p + 1) * values.length) / c.P),
    );
  const { start, target, ...others } = options;
  const expected =
    known.get(c) ??
    trajectoryOracle({
      ...others,
      network: c.network,
      optimizer: c.optimizer,
      parameters: rows(start),
      targets: rows(target),
      parametersConstant: c.gradient === 'tesla',
    });
  known.set(c, expected);
  return expected;
}

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('trajectoryMatching on %s', (engine) => {
  let opened: Device;
  let device: Device;
  beforeAll(async () => {
    opened = await openDevice(engine);
    device = poisoning(opened);
  });
  afterAll(() => opened?.dispose());

  test.each(cases.map((c) => [title(c), c] as const))('%s', async (name, c) => {
    const expected = expectedOf(c);
    const actual = await trajectoryMatching(device, optionsOf(c));
    expect(Math.abs(actual.loss - expected.loss) / expected.loss).toBeLessThan(limits[engine]);
    const names = ['losses', 'images', 'labels', 'learningRates', 'parameters'] as const;
    const errors = names.map((name) => relativeError(actual[name], expected[name]));
    console.log(
      `${engine}, ${name}: ${names.map((n, i) => `${n} ${errors[i].toExponential(1)}`).join(', ')}`,
    );
    for (const [i, name] of names.entries()) expect(errors[i], name).toBeLessThan(limits[engine]);
  });

  test('of one step both gradients are the same; of more they are not', async () => {
    const both = async (epochs: number) => {
      const options = optionsOf({ network: mlp, ...sizes, steps: 1, epochs });
      const exact = await trajectoryMatching(device, { ...options, gradient: 'exact' });
      return [exact, await trajectoryMatching(device, { ...options, gradient: 'tesla' })];
    };
    const [exact, tesla] = await both(1);
    expect(tesla).toEqual(exact);
    const [exact3, tesla3] = await both(3);
    expect(tesla3.losses).toEqual(exact3.losses);
    expect(relativeError(tesla3.images, exact3.images)).toBeGreaterThan(1e-3);
  });

  test('what is kept changes no bit', async () => {
    const options = optionsOf(cases[2]);
    const results = [];
    for (const keep of keeps) results.push(await trajectoryMatching(device, { ...options, keep }));
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test('a start that is its target is no number, and says so in the answer', async () => {
    const options = optionsOf(cases[0]);
    const { loss, images } = await trajectoryMatching(device, { ...options, target: options.start });
    expect(Number.isFinite(loss)).toBe(false);
    expect(Array.from(images).some(Number.isFinite)).toBe(false);
  });
});

test.each([
  ['no target', { target: undefined }, 'ERR_SHAPE', /target is undefined, expected .*1338.*as many as start/],
  [
    'a short start',
    { start: [1] },
    'ERR_SHAPE',
    /start has 1 numbers, expected a multiple of 669: \[P, count\], parameters of mlp/,
  ],
  [
    'another gradient',
    { gradient: 'both' },
    'ERR_OPTION',
    /gradient is "both", expected one of exact, tesla/,
  ],
  [
    'tesla of Adam',
    { gradient: 'tesla', optimizer: { kind: 'adam' } },
    'ERR_OPTION',
    /gradient tesla is defined for sgd without weight decay, given adam/,
  ],
  [
    'tesla with decay',
    { gradient: 'tesla', optimizer: { kind: 'sgd', weightDecay: 0.1 } },
    'ERR_OPTION',
    /given sgd with a weight decay of 0.1/,
  ],
  ['parameters', { parameters: [1] }, 'ERR_OPTION', /option parameters is unknown/],
] as const)('%s is refused', async (_, change, code, message) => {
  await using device = await openDevice('reference');
  const options = { ...optionsOf(cases[1]), ...change } as unknown as TrajectoryMatchingOptions;
  const error = await trajectoryMatching(device, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(LimbeckError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
});
