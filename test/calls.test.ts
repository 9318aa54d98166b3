/** Second-order passes as functions on flat arrays, held to reverse over reverse in float64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { createNetwork } from '../src/networks/index.js';
import { distributionMatching } from '../src/train/calls/distribution-matching.js';
import { gradientMatching } from '../src/train/calls/gradient-matching.js';
import { hessianVectorProduct } from '../src/train/calls/hessian-vector-product.js';
import { kernelRegression } from '../src/train/calls/kernel-regression.js';
import { distances } from '../src/train/gradient-matching.js';
import { LimbeckError } from '../src/util/errors.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { dot, relativeError } from './harness/close.js';
import {
  distributionMatchingOracle,
  gradientMatchingOracle,
  hvpOracle,
  kernelRegressionOracle,
} from './harness/oracle-matching.js';
import type { OracleNetwork } from './harness/oracle-networks.js';

interface Case {
  readonly network: OracleNetwork;
  readonly P: number;
  readonly groups: number;
  readonly n: number;
  readonly B: number;
  readonly soft?: boolean;
}

const cases: Case[] = [
  { network: { name: 'lenet', inputShape: [1, 16, 16], classes: 4 }, P: 2, groups: 3, n: 2, B: 5 },
  {
    network: { name: 'lenet', inputShape: [1, 28, 28], classes: 10 },
    P: 1,
    groups: 2,
    n: 1,
    B: 4,
    soft: true,
  },
  {
    network: { name: 'convnet', inputShape: [3, 8, 8], classes: 3, width: 4, depth: 2 },
    P: 3,
    groups: 3,
    n: 2,
    B: 3,
    soft: true,
  },
  // Wide enough for the cpu engine to take Winograd's algorithm.
  {
    network: { name: 'convnet', inputShape: [2, 12, 14], classes: 3, width: 17, depth: 2 },
    P: 1,
    groups: 2,
    n: 3,
    B: 4,
  },
  {
    network: {
      name: 'convnet',
      inputShape: [2, 8, 6],
      classes: 3,
      width: 4,
      depth: 1,
      norm: 'batch',
      activation: 'gelu',
    },
    P: 2,
    groups: 2,
    n: 3,
    B: 4,
    soft: true,
  },
  {
    network: { name: 'mlp', inputShape: [2, 6, 5], classes: 3, width: 9 },
    P: 3,
    groups: 4,
    n: 2,
    B: 7,
    soft: true,
  },
  {
    network: { name: 'resnet18', inputShape: [2, 16, 16], classes: 3, width: 2 },
    P: 1,
    groups: 2,
    n: 2,
    B: 3,
  },
];

const title = ({ network: { name, inputShape, classes: _, ...options }, P, groups }: Case) =>
  [name, inputShape.join('x'), ...Object.values(options), `P ${P}, G ${groups}`].join(' ');

function arraysOf({ network, P, groups, n, B, soft = false }: Case) {
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const { classes } = network;
  return {
    network: network as Parameters<typeof createNetwork>[0],
    parameters: freshParameters(network, P),
    images: normals(groups * n * pixels, 1),
    labels: labelRows(groups * n, classes, 2, soft),
    realImages: normals(groups * B * pixels, 3),
    realLabels: labelRows(groups * B, classes, 4, false),
  };
}

const answers = new Map<string, unknown>();
/** The oracle's answer, computed once for all engines. */
function known<T>(key: string, compute: () => T): T {
  if (!answers.has(key)) answers.set(key, compute());
  return answers.get(key) as T;
}

const limits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 };
const rowLimits: Record<EngineName, number> = { reference: 1e-9, cpu: 1e-3, webgpu: 1e-3 };

/** A small ridge makes what is solved nearly singular, and rounding of the kernel as much larger. */
const ridges = [
  [1, limits],
  [1e-3, rowLimits],
] as const;

type Values = Readonly<Record<string, ArrayLike<number>>>;

function expectAgreement(what: string, actual: object, expected: { loss: number } & object, limit: number) {
  const { loss, ...arrays } = actual as { loss: number } & Values;
  expect(Math.abs(loss - expected.loss) / Math.abs(expected.loss)).toBeLessThan(limit);
  const errors = Object.entries(arrays).map(([name, values]) => [
    name,
    relativeError(values, (expected as Values & object)[name as never]),
  ]);
  console.log(
    `${what}: ${errors.map(([name, error]) => `${name} ${(error as number).toExponential(1)}`).join(', ')}`,
  );
  for (const [name, error] of errors) expect(error, `${what}: ${name}`).toBeLessThan(limit);
}

describe.each(['reference', 'cpu', 'webgpu'] as const)('calls on %s', (engine) => {
  let opened: Device;
  let device: Device;
  beforeAll(async () => {
    opened = await openDevice(engine);
    device = poisoning(opened);
  });
  afterAll(() => opened?.dispose());

  describe.each(cases.map((c) => [title(c), c] as const))('%s', (name, c) => {
    test.each(['cross-entropy', 'squared-error', 'binary-cross-entropy'] as const)(
      'hessianVectorProduct, %s',
      async (loss) => {
        const { network, parameters, images, labels } = arraysOf(c);
        const vector = normals(parameters.length, 5);
        const options = { network, parameters, images, labels, vector, loss };
        const expected = known(`hvp ${name} ${loss}`, () =>
          hvpOracle({ ...options, network: c.network, P: c.P }),
        );
        const actual = await hessianVectorProduct(device, options);
        expect(actual.losses.length).toBe(c.P);
        expectAgreement(`${engine}, hvp ${loss} ${name}`, actual, expected, limits[engine]);
      },
    );

    test.each(distances)('gradientMatching, %s', async (distance) => {
      const options = { ...arraysOf(c), groups: c.groups, distance };
      const { parameters: tensors } = createNetwork(options.network);
      const expected = known(`gradients ${name} ${distance}`, () =>
        gradientMatchingOracle({ ...options, network: c.network, P: c.P, tensors }),
      );
      const actual = await gradientMatching(device, options);
      expect(actual.losses.length).toBe(c.P);
      const limit = distance === 'rows' || distance === 'cosine' ? rowLimits[engine] : limits[engine];
      expectAgreement(`${engine}, gradients ${distance} ${name}`, actual, expected, limit);
    });

    test('distributionMatching', async () => {
      const { labels: _, realLabels: __, ...arrays } = arraysOf(c);
      const options = { ...arrays, groups: c.groups };
      const expected = known(`distributions ${name}`, () =>
        distributionMatchingOracle({ ...options, network: c.network, P: c.P }),
      );
      const actual = await distributionMatching(device, options);
      expect(actual.losses.length).toBe(c.P);
      expectAgreement(`${engine}, distributions ${name}`, actual, expected, limits[engine]);
    });

    // Groups are no concern of this one: all images are in one.
    test.each(ridges)('kernelRegression, ridge %s', async (ridge, limit) => {
      const options = { ...arraysOf(c), ridge };
      const expected = known(`regression ${name} ${ridge}`, () =>
        kernelRegressionOracle({ ...options, network: c.network, P: c.P }),
      );
      const actual = await kernelRegression(device, options);
      expect(actual.losses.length).toBe(c.P);
      expectAgreement(`${engine}, regression ridge ${ridge} ${name}`, actual, expected, limit[engine]);
    });
  });

  test('of a Hessian: it is symmetric, and the cross-entropy is linear in the labels', async () => {
    const c = cases[2];
    const { network, parameters, images, labels } = arraysOf(c);
    const [u, v] = [normals(parameters.length, 6), normals(parameters.length, 7)];
    const product = (vector: Float32Array) =>
      hessianVectorProduct(device, { network, parameters, images, labels, vector });
    const [hu, hv] = [await product(u), await product(v)];
    const count = parameters.length / c.P;
    for (let p = 0; p < c.P; p++) {
      const own = (all: ArrayLike<number>, length: number) =>
        Array.from(all).slice(p * length, (p + 1) * length);
      const [left, right] = [
        dot(own(u, count), own(hv.parameters, count)),
        dot(own(v, count), own(hu.parameters, count)),
      ];
      const size = Math.hypot(...own(u, count)) * Math.hypot(...own(hv.parameters, count));
      expect(Math.abs(left - right) / size).toBeLessThan(limits[engine] / 10);
      // g is linear in y, so y H_yw v is g·v.
      const slope = dot(own(hv.gradient, count), own(v, count));
      const byLabels = dot(own(hv.labels, labels.length), labels);
      const scale = Math.hypot(...own(hv.gradient, count)) * Math.hypot(...own(v, count));
      expect(Math.abs(byLabels - slope) / scale).toBeLessThan(limits[engine] / 10);
    }
  });

  test('of equal images: nothing is left to match', async () => {
    const arrays = arraysOf(cases[0]);
    const options = { ...arrays, realImages: arrays.images, realLabels: arrays.labels, groups: 3 };
    for (const distance of ['squared', 'absolute'] as const) {
      const { loss, images } = await gradientMatching(device, { ...options, distance });
      expect(loss).toBe(0);
      expect(Math.hypot(...images)).toBe(0);
    }
    const { labels: _, realLabels: __, ...unlabelled } = options;
    const { loss, images } = await distributionMatching(device, unlabelled);
    expect(loss).toBe(0);
    expect(Math.hypot(...images)).toBe(0);
  });

  test('of images without features: their kernel is zero, has no inverse, and the answers are not numbers', async () => {
    const { parameters, ...arrays } = arraysOf({ ...cases[5], groups: 1 });
    const options = { ...arrays, parameters: parameters.map(() => 0), ridge: 1 };
    const { loss, losses, labels } = await kernelRegression(device, options);
    // Images are behind rectifiers that let nothing through.
    expect([loss, ...losses, ...labels].every(Number.isNaN)).toBe(true);
  });

  test('give the same bits twice, and those of other sizes in between', async () => {
    const run = async (c: Case) => {
      const { labels, realLabels, ...arrays } = arraysOf(c);
      const { realImages: _, ...own } = { ...arrays, labels, vector: normals(arrays.parameters.length, 5) };
      const groups = { groups: c.groups };
      return Promise.all([
        hessianVectorProduct(device, own),
        gradientMatching(device, { ...arrays, labels, realLabels, ...groups, distance: 'rows' }),
        distributionMatching(device, { ...arrays, ...groups }),
        kernelRegression(device, { ...arrays, labels, realLabels, ridge: 0.1 }),
      ]);
    };
    const first = await run(cases[5]);
    // Another network, and the same one in other numbers.
    for (const other of [cases[2], { ...cases[5], P: 1 }, { ...cases[5], n: 3 }]) {
      for (const { losses } of await run(other)) expect(losses).toHaveLength(other.P);
      expect(await run(cases[5])).toEqual(first);
    }
  });
});

describe('wrong arguments', () => {
  const { labels, realLabels, ...arrays } = arraysOf(cases[5]);
  const { realImages: _, ...own } = arrays;
  const vector = arrays.parameters;
  const groups = 4;
  const complete = {
    hessianVectorProduct: { ...own, labels, vector },
    gradientMatching: { ...arrays, labels, realLabels, groups, distance: 'rows' },
    distributionMatching: { ...arrays, groups },
    kernelRegression: { ...arrays, labels, realLabels, ridge: 0.1 },
  };
  const custom = { name: 'custom', inputShape: [2, 6, 5], classes: 3 };
  const layers = [{ conv: 3, kernel: 3 }, 'globalAvgPool'];

  test.each([
    [
      'hessianVectorProduct',
      { vector: [1, 2] },
      'ERR_SHAPE',
      /^hessianVectorProduct: vector has 2 numbers, expected 2007: as many/,
    ],
    ['hessianVectorProduct', { labels: [1] }, 'ERR_SHAPE', /labels has 1 numbers, expected 24: \[n, K\]/],
    ['hessianVectorProduct', { images: [1] }, 'ERR_SHAPE', /images has 1 numbers, expected a multiple of 60/],
    [
      'hessianVectorProduct',
      { loss: 'hinge' },
      'ERR_OPTION',
      /^hessianVectorProduct: loss "hinge" is unknown; there are: cross-entropy/,
    ],
    ['hessianVectorProduct', { groups: 1 }, 'ERR_OPTION', /option groups is unknown/],
    [
      'gradientMatching',
      { distance: 'l2' },
      'ERR_OPTION',
      /distance is "l2", expected one of rows, cosine, squared, absolute/,
    ],
    ['gradientMatching', { distance: undefined }, 'ERR_OPTION', /distance is undefined, expected one of/],
    ['gradientMatching', { groups: 1.5 }, 'ERR_OPTION', /groups is 1.5, expected a whole number above 0/],
    [
      'gradientMatching',
      { groups: 3 },
      'ERR_SHAPE',
      /images has 480 numbers, expected a multiple of 180: \[G, n, C, H, W\]/,
    ],
    [
      'gradientMatching',
      { realLabels: labels },
      'ERR_SHAPE',
      /realLabels has 24 numbers, expected 84: \[G, B, K\]/,
    ],
    [
      'gradientMatching',
      { parameters: [1] },
      'ERR_SHAPE',
      /parameters has 1 numbers, expected a multiple of 669/,
    ],
    [
      'distributionMatching',
      { realImages: undefined },
      'ERR_SHAPE',
      /realImages is undefined, expected an array of a multiple of \d+ numbers: \[G, B, C, H, W\]/,
    ],
    [
      'distributionMatching',
      { distance: 'rows' },
      'ERR_OPTION',
      /option distance is unknown; there are: network/,
    ],
    [
      'distributionMatching',
      { network: 'mlp' },
      'ERR_OPTION',
      /network is "mlp", expected an object with name/,
    ],
    [
      'distributionMatching',
      { network: { ...custom, layers }, parameters: normals(57, 1) },
      'ERR_OPTION',
      /network custom has no features: its last layer is not fully connected/,
    ],
    [
      'kernelRegression',
      { ridge: undefined },
      'ERR_OPTION',
      /ridge is undefined, expected a number of at least 0/,
    ],
    [
      'kernelRegression',
      { ridge: -1e-6 },
      'ERR_OPTION',
      /ridge is -0.000001, expected a number of at least 0/,
    ],
    [
      'kernelRegression',
      { realLabels: labels },
      'ERR_SHAPE',
      /realLabels has 24 numbers, expected 84: \[B, K\]/,
    ],
    ['kernelRegression', { groups: 1 }, 'ERR_OPTION', /option groups is unknown; there are: network/],
  ] as const)('%s %#', async (name, change, code, message) => {
    await using device = await openDevice('reference');
    const calls = { hessianVectorProduct, gradientMatching, distributionMatching, kernelRegression };
    // biome-ignore lint/suspicious/noExplicitAny: calls that TypeScript refuses
    const call = calls[name] as any;
    const error = await call(device, { ...complete[name], ...change }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LimbeckError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
