/** Second-order passes as functions on flat arrays, held to reverse over reverse in float64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import { createNetwork } from '../src/networks/index.js';
import { distributionMatching } from '../src/train/calls/distribution-matching.js';
import { gradientMatching } from '../src/train/calls/gradient-matching.js';
import { hessianVectorProduct } from '../src/train/calls/hessian-vector-product.js';
import { distances } from '../src/train/gradient-matching.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { relativeError } from './harness/close.js';
import { distributionMatchingOracle, gradientMatchingOracle, hvpOracle } from './harness/oracle-matching.js';
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
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

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
  });
});
