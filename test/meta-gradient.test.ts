import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { createNetwork } from '../src/networks/index.js';
import {
  type MetaGradientOptions,
  metaGradient,
  recordMetaGradient,
} from '../src/train/calls/meta-gradient.js';
import type { Keep } from '../src/train/hypergradient.js';
import { LimbeckError } from '../src/util/errors.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { relativeError } from './harness/close.js';
import { oracle } from './harness/oracle.js';
import type { OracleNetwork } from './harness/oracle-networks.js';

interface Case {
  name: string;
  network: OracleNetwork;
  P: number;
  steps: number;
  epochs: number;
  n: number;
  B: number;
  soft?: boolean;
}

const cases: Case[] = [
  {
    name: 'lenet 16x16, one network, 2 x 2',
    network: { name: 'lenet', inputShape: [1, 16, 16], classes: 4 },
    P: 1,
    steps: 2,
    epochs: 2,
    n: 3,
    B: 5,
  },
  {
    name: 'lenet 28x28, one network, 1 x 3',
    network: { name: 'lenet', inputShape: [1, 28, 28], classes: 10 },
    P: 1,
    steps: 1,
    epochs: 3,
    n: 4,
    B: 6,
  },
  {
    name: 'lenet 3x18x18, three networks, soft labels',
    network: { name: 'lenet', inputShape: [3, 18, 18], classes: 5 },
    P: 3,
    steps: 2,
    epochs: 1,
    n: 3,
    B: 4,
    soft: true,
  },
  {
    name: 'lstm 5x4, three networks, 2 x 2, soft labels',
    network: { name: 'lstm', inputShape: [1, 5, 4], classes: 3, hidden: 6 },
    P: 3,
    steps: 2,
    epochs: 2,
    n: 2,
    B: 5,
    soft: true,
  },
  {
    name: 'mlp 2x6x5, two networks, 3 x 2, soft labels',
    network: { name: 'mlp', inputShape: [2, 6, 5], classes: 3, width: 9 },
    P: 2,
    steps: 3,
    epochs: 2,
    n: 2,
    B: 7,
    soft: true,
  },
];

/** Every network of the field, small, with every norm, activation and pooling somewhere. */
const networks: OracleNetwork[] = [
  { name: 'convnet', inputShape: [3, 8, 8], classes: 3, width: 4, depth: 2 },
  { name: 'convnet', inputShape: [1, 28, 28], classes: 3, width: 2 },
  {
    name: 'convnet',
    inputShape: [2, 9, 8],
    classes: 3,
    width: 4,
    depth: 2,
    norm: 'batch',
    activation: 'tanh',
  },
  {
    name: 'convnet',
    inputShape: [2, 8, 6],
    classes: 3,
    width: 4,
    depth: 1,
    norm: 'layer',
    activation: 'gelu',
  },
  {
    name: 'convnet',
    inputShape: [1, 6, 6],
    classes: 3,
    width: 8,
    depth: 1,
    norm: 'group',
    activation: 'softplus',
  },
  {
    name: 'convnet',
    inputShape: [1, 8, 8],
    classes: 3,
    width: 3,
    depth: 1,
    norm: 'none',
    activation: 'sigmoid',
  },
  {
    name: 'convnet',
    inputShape: [1, 6, 6],
    classes: 2,
    width: 3,
    depth: 2,
    activation: 'leakyrelu',
    pooling: 'max',
  },
  { name: 'convnet', inputShape: [1, 4, 4], classes: 2, width: 3, depth: 1, pooling: 'none' },
  // Wide enough for the cpu engine to take Winograd's algorithm.
  { name: 'convnet', inputShape: [2, 12, 14], classes: 3, width: 17, depth: 2 },
  { name: 'alexcifarnet', inputShape: [3, 8, 8], classes: 3 },
  { name: 'convnet', inputShape: [2, 6, 7], classes: 3, width: 4, depth: 1, norm: 'one-group' },
  { name: 'convnet', inputShape: [1, 5, 6], classes: 3, width: 4, depth: 1, activation: 'swish' },
  { name: 'alexnet', inputShape: [1, 12, 12], classes: 3, width: 4 },
  // Larger maps: over two images of a single pixel batch norm divides by what rounding leaves of a variance.
  { name: 'alexnet', inputShape: [3, 16, 16], classes: 3, width: 4, norm: 'batch' },
  { name: 'vgg11', inputShape: [1, 32, 32], classes: 3, width: 2, norm: 'none' },
  // Softplus: behind ReLU one of few channels is nearly constant, and batch norm multiplies its rounding errors by a thousand.
  {
    name: 'vgg13',
    inputShape: [3, 32, 32],
    classes: 2,
    width: 2,
    norm: 'batch',
    activation: 'softplus',
    logits: 1,
  },
  { name: 'vgg19', inputShape: [1, 28, 28], classes: 2, width: 1, activation: 'softplus' },
  { name: 'vgg11', inputShape: [3, 32, 32], classes: 2, width: 2, norm: 'batch' },
  { name: 'resnet18', inputShape: [2, 32, 32], classes: 3, width: 2 },
  {
    name: 'resnet34',
    inputShape: [1, 8, 8],
    classes: 3,
    width: 2,
    norm: 'one-group',
    activation: 'softplus',
  },
  {
    name: 'resnet50',
    inputShape: [2, 8, 8],
    classes: 3,
    width: 1,
    norm: 'one-group',
    activation: 'softplus',
  },
  { name: 'resnet18', inputShape: [1, 16, 16], classes: 3, width: 2, norm: 'batch', downsampling: 'avg' },
  { name: 'textconvnet', inputShape: [1, 7, 6], classes: 3, filters: 5 },
  { name: 'rnn', inputShape: [1, 5, 4], classes: 3, hidden: 5, layers: 1, bidirectional: false },
  { name: 'rnn', inputShape: [1, 4, 3], classes: 3, hidden: 4 },
  { name: 'lstm', inputShape: [1, 5, 4], classes: 3, hidden: 5, layers: 1, bidirectional: false },
  { name: 'lstm', inputShape: [1, 4, 3], classes: 3, hidden: 4, layers: 1 },
  { name: 'lstm', inputShape: [1, 4, 3], classes: 3, hidden: 3, layers: 2, bidirectional: false },
  { name: 'lstm', inputShape: [1, 5, 4], classes: 2, hidden: 17, logits: 1 },
  { name: 'convlstm', inputShape: [1, 6, 13], classes: 3, filters: 4, hidden: 3 },
];

/** Two steps, twice: the second sweep meets images and weights that the first has touched. */
const networkCases: Case[] = networks.map((network) => {
  const { name, inputShape, classes: _, ...options } = network;
  const text = Object.values(options).join(' ');
  const sizes = { P: 1, steps: 2, epochs: 1, n: 2, B: 3, soft: true };
  return { name: `${name} ${inputShape.join('x')} ${text}`, network, ...sizes };
});

function optionsOf({ network, P, steps, epochs, n, B, soft = false }: Case): MetaGradientOptions {
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  return {
    network: network as MetaGradientOptions['network'],
    parameters: freshParameters(network, P),
    images: normals(steps * n * pixels, 1),
    labels: labelRows(steps * n, network.classes, 2, soft),
    learningRates: Float32Array.from({ length: steps * epochs }, (_, t) => 0.05 + 0.02 * t),
    steps,
    epochs,
    realImages: normals(B * pixels, 3),
    realLabels: labelRows(B, network.classes, 4, false),
  };
}

const known = new Map<Case, ReturnType<typeof oracle>>();

/** The oracle's answer, computed once for all engines. */
function expectedOf(c: Case): ReturnType<typeof oracle> {
  const options = optionsOf(c);
  const count = options.parameters.length / c.P;
  const parameters = Array.from({ length: c.P }, (_, p) =>
    (options.parameters as Float32Array).subarray(p * count, (p + 1) * count),
  );
  const expected = known.get(c) ?? oracle({ ...options, network: c.network, parameters });
  known.set(c, expected);
  return expected;
}

/** These add depth to others of the list and no op; a software driver compiles their pipelines for minutes. */
const deep = ['vgg13', 'vgg19', 'resnet34', 'resnet50'];
const casesFor = (engine: EngineName): Case[] =>
  [...cases, ...networkCases].filter(({ network }) => engine !== 'webgpu' || !deep.includes(network.name));

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('metaGradient on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test.each(casesFor(engine))('$name agrees with reverse over reverse in float64', async (c) => {
    const options = optionsOf(c);
    const expected = expectedOf(c);
    const actual = await metaGradient(device, options);
    expect(Math.abs(actual.loss - expected.loss) / expected.loss).toBeLessThan(limits[engine]);
    const names = ['losses', 'images', 'labels', 'learningRates', 'parameters'] as const;
    const errors = names.map((name) => relativeError(actual[name], expected[name]));
    console.log(
      `${engine}, ${c.name}: ${names.map((name, i) => `${name} ${errors[i].toExponential(1)}`).join(', ')}`,
    );
    for (const [i, name] of names.entries()) expect(errors[i], name).toBeLessThan(limits[engine]);
  });

  test('gives the same bits twice', async () => {
    const options = optionsOf(cases[0]);
    const first = await metaGradient(device, options);
    const second = await metaGradient(device, options);
    expect(second).toEqual(first);
  });
});

test('memory for T inner steps grows by the parameters only', () => {
  const network = createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 });
  const geometry = { network, members: 2, n: 40, B: 64, steps: 10 };
  const bytes = (epochs: number) => recordMetaGradient({ ...geometry, epochs }).bytes();
  const [short, long] = [bytes(1), bytes(20)];
  const perStep = 2 * network.count * 4;
  console.log(
    `planned bytes: T = 10: ${short.temporary}, T = 200: ${long.temporary}; one step's parameters: ${perStep}`,
  );
  // Slots are rounded up to 64 bytes.
  expect(long.temporary - short.temporary).toBeLessThanOrEqual(190 * (perStep + 64));
  expect(long.temporary - short.temporary).toBeGreaterThan(0);
});

test('keeping one in the root of T parameter vectors, memory grows with that root, to the same bits', async () => {
  const network = { name: 'mlp', inputShape: [1, 4, 4], classes: 3, width: 40 } as const;
  const built = createNetwork(network);
  const geometry = { network: built, members: 1, n: 2, B: 3, steps: 2 };
  const bytes = (epochs: number, keep: Keep) =>
    recordMetaGradient({ ...geometry, epochs, keep }).bytes().temporary;
  const one = 4 * built.count;
  const sizes = [bytes(30, 'none'), bytes(30, 'sqrt'), bytes(500, 'sqrt')];
  console.log(
    `planned bytes in parameter vectors of ${one}: ${sizes.map((size) => (size / one).toFixed(1)).join(', ')}`,
  );
  // 60 of them against 8 checkpoints and the 7 between two; of 1,000 steps 32 and 31. A step's own gradients come on top.
  expect(sizes[0] / one).toBeGreaterThan(60);
  expect(sizes[1] / one).toBeLessThan(8 + 7 + 14);
  expect(sizes[2] / one).toBeLessThan(32 + 31 + 40);
  const options = {
    network,
    parameters: freshParameters(network, 1),
    images: normals(2 * 2 * 16, 1),
    labels: labelRows(4, 3, 2, true),
    learningRates: [0.05],
    steps: 2,
    epochs: 30,
    realImages: normals(3 * 16, 3),
    realLabels: labelRows(3, 3, 4, false),
    optimizer: { kind: 'adam', epsilon: 0.01 },
  } as const;
  await using device = await openDevice('cpu');
  expect(await metaGradient(device, { ...options, keep: 'sqrt' })).toEqual(
    await metaGradient(device, { ...options, keep: 'all' }),
  );
});

test.each(['cpu', 'reference'] as const)('%s: what is kept changes no bit', async (engine) => {
  const device = await openDevice(engine);
  const [none, ...others] = await Promise.all(
    (['none', 'small', 'all', 'sqrt'] as const).map((keep) =>
      metaGradient(device, { ...optionsOf(cases[0]), keep }),
    ),
  );
  for (const kept of others) expect(kept).toEqual(none);
  await device.dispose();
});

test('of large steps all are kept, the last, or none', () => {
  const network = createNetwork({ name: 'convnet', inputShape: [3, 16, 16], classes: 10, width: 8 });
  const steps = (keep: Keep) =>
    recordMetaGradient({ network, members: 1, n: 10, B: 160, steps: 4, epochs: 1, keep }).steps.length;
  const [none, small, all] = (['none', 'small', 'all'] as const).map(steps);
  expect((none - all) / 4).toBeGreaterThan(10);
  expect(none - small).toBe((none - all) / 4);
});

test('small steps are kept whole, up to 128 MiB of them', () => {
  const network = createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 });
  const program = (epochs: number) =>
    recordMetaGradient({ network, members: 2, n: 10, B: 64, steps: 10, epochs });
  /** Forward passes of the first layer: of training, of the real batch, and of the tangents. */
  const passes = (epochs: number) =>
    program(epochs).steps.filter(({ operands }) => operands.x?.shape.join() === '10,1,28,28' && operands.y)
      .length;
  expect(passes(1)).toBe(20);
  // Of 200 steps some sixty fit; the others are computed again.
  expect(passes(20)).toBeGreaterThan(2 * 200 + 130);
  expect(passes(20)).toBeLessThan(2 * 200 + 145);
  const steps = (keep: Keep) =>
    recordMetaGradient({ network, members: 1, n: 10, B: 64, steps: 3, epochs: 2, keep }).steps.length;
  expect(steps('none')).toBeGreaterThan(steps('small'));
  expect(steps('all')).toBe(steps('small'));
  const most = 2 ** 27 + 190 * (2 * network.count * 4 + 64);
  expect(program(20).bytes().temporary - program(1).bytes().temporary).toBeLessThanOrEqual(most);
});

test.each([
  [
    'parameters',
    { parameters: new Float32Array(7) },
    'ERR_SHAPE',
    /parameters has 7 numbers, expected a multiple of/,
  ],
  ['labels', { labels: new Float32Array(3) }, 'ERR_SHAPE', /labels has 3 numbers, expected/],
  ['steps', { steps: 0 }, 'ERR_OPTION', /steps is 0/],
  [
    'window',
    { window: 0 },
    'ERR_OPTION',
    /window is 0, expected a whole number above 0 and at most 4 \(steps \* epochs\)/,
  ],
  ['window', { window: 5 }, 'ERR_OPTION', /window is 5, expected a whole number above 0 and at most 4/],
  ['keep', { keep: 'some' }, 'ERR_OPTION', /keep is "some", expected one of none, small, all/],
  [
    'network',
    { network: { name: 'resnet', inputShape: [1, 28, 28], classes: 10 } },
    'ERR_OPTION',
    /"resnet" is unknown; there are: alexcifarnet, alexnet, .*convnet/,
  ],
  [
    'tiny images',
    { network: { name: 'lenet', inputShape: [1, 8, 8], classes: 10 } },
    'ERR_SHAPE',
    /too small/,
  ],
] as const)('arrays that do not fit: %s', async (_, change, code, message) => {
  const device = await openDevice('reference');
  const error = await metaGradient(device, {
    ...optionsOf(cases[0]),
    ...change,
  } as MetaGradientOptions).catch((e) => e);
  expect(error).toBeInstanceOf(LimbeckError);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});
