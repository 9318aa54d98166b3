/** What each image of a set does to test images: by training without it, and by products with the inverse of the Hessian. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trainFullBatch } from '../src/analysis/full-batch.js';
import { hessianProducts } from '../src/analysis/hessian-products.js';
import { GaussNewton, type Learned, LossesAlong, solveDamped } from '../src/analysis/influence-products.js';
import { leavingEachOut } from '../src/analysis/influence-retraining.js';
import { normalisedImages } from '../src/data/on-device.js';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import {
  createNetwork,
  type Device,
  generateDigits,
  hessianVectorProduct,
  type Influence,
  influence,
  openDevice,
  setOfImages,
} from '../src/index.js';
import { influenceByItem } from '../src/report/influence-section.js';
import { Owned } from '../src/util/owned.js';
import { rankCorrelation } from '../src/util/rank-correlation.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { all, readPage, textOf } from './harness/page.js';

const data = twoClasses();
const spec = { ...smallNetwork, inputShape: data.imageShape, classes: data.classes };
const network = createNetwork(spec);
const n = 6;
const pixels = 6;
const few = setOfImages(
  data,
  { images: data.train.images.subarray(0, n * pixels), labels: data.train.labels.subarray(0, n) },
  { values: 'pixels', network: smallNetwork },
);
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

/** Largest difference, which NaN makes NaN. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe('by retraining', () => {
  const options = { steps: 20, rate: 0.1, images: 10, seed: 3 };
  let found: Influence;
  beforeAll(async () => {
    found = await influence(device, data, few, options);
  });

  test('an image is left out as if it had never been there', async () => {
    const first = await heldOutNetworks(device, network, 1, 3, 0);
    const training = { network, parameters: first, steps: 20, rate: 0.1, seed: 3 };
    const lossesOf = async (rows: readonly number[]) => {
      const part = (values: Float32Array, size: number) =>
        Float32Array.from(rows.flatMap((row) => [...values.subarray(row * size, (row + 1) * size)]));
      const parameters = await trainFullBatch(device, {
        ...training,
        images: part(few.images, pixels),
        labels: part(few.labels, 2),
      });
      const { losses } = await testedWith(parameters, found.rows);
      return losses;
    };
    const everything = [...Array(n).keys()];
    const whole = await lossesOf(everything);
    expect(apart(found.losses, whole)).toBeLessThan(1e-6);
    for (const left of everything) {
      const without = await lossesOf(everything.filter((row) => row !== left));
      const expected = without.map((loss, j) => loss - whole[j]);
      expect(apart(found.influence[left], expected)).toBeLessThan(1e-6);
    }
    // Not by much less than what is measured.
    expect(
      Math.max(
        ...found.influence.map((values) =>
          apart(
            values,
            values.map(() => 0),
          ),
        ),
      ),
    ).toBeGreaterThan(1e-3);
  });

  test('labels of some of the networks are those of all', () => {
    const labels = Float32Array.of(1, 0, 0, 1, 1, 0);
    const all = leavingEachOut(labels, 3)(0, 4);
    const rest = [1.5, 0, 0, 1.5, 1.5, 0];
    const without = (i: number) => rest.map((value, j) => (j >> 1 === i ? 0 : value));
    expect([...all]).toEqual([...labels, ...without(0), ...without(1), ...without(2)]);
    expect(leavingEachOut(labels, 3)(2, 2)).toEqual(all.slice(12));
  });

  test('test images are drawn once each, and the accuracy is that on them', async () => {
    expect(new Set(found.rows).size).toBe(10);
    const right = found.losses.filter((loss) => Math.exp(-loss) > 0.5).length;
    expect(found.accuracy).toBeCloseTo((100 * right) / 10, 9);
    const others = await influence(device, data, few, { ...options, seed: 4 });
    expect(others.rows).not.toEqual(found.rows);
  });

  /** The loss of a network on test images, one at a time. */
  async function testedWith(parameters: Float32Array, rows: readonly number[]) {
    const losses: number[] = [];
    for (const row of rows) {
      const labels = [0, 0];
      labels[data.test.labels[row]] = 1;
      const images = normalisedImages(data, data.test, [row]);
      const vector = new Float32Array(network.count);
      const { loss } = await hessianVectorProduct(device, {
        network: spec,
        parameters,
        images,
        labels,
        vector,
      });
      losses.push(loss);
    }
    return { losses };
  }
});

describe('by products', () => {
  const damping = 0.05;
  const learned = async () => ({
    network,
    parameters: await heldOutNetworks(device, network, 1, 3, 0),
    images: few.images,
    labels: few.labels,
  });

  const groupsOf = async (of: Learned) => {
    const groups: Float64Array[][] = [];
    for await (const few of solveDamped(device, of, damping)) groups.push(few);
    return groups;
  };
  const everyDirection = async (of: Learned) => (await groupsOf(of)).flat();

  test('the Gauss-Newton matrix is the Hessian within each layer', async () => {
    // With ReLU, logits are linear in the parameters of one layer alone.
    const of = await learned();
    const owned = new Owned();
    const matrix = await GaussNewton.load(device, of, 3, owned);
    const starts = [0, 2, 4].map((weight) => network.parameters[weight].offset);
    const within = (from: number, to: number) =>
      Float64Array.from({ length: network.count }, (_, i) => (i >= from && i < to ? Math.sin(i + 1) : 0));
    const layers = starts.map((from, i) => [from, starts[i + 1] ?? network.count] as const);
    const vectors = layers.map(([from, to]) => within(from, to));
    const products = await matrix.times(vectors);
    const hessian = await hessianProducts(device, { ...of, network: spec }, vectors);
    for (const [i, [from, to]] of layers.entries()) {
      const expected = hessian[i].subarray(from, to);
      expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-3);
      expect(apart(products[i].subarray(from, to), expected)).toBeLessThan(1e-6);
    }
    owned.dispose();
  });

  test('each direction solves the damped system for the gradient of its image', async () => {
    const of = await learned();
    const directions = await everyDirection(of);
    const owned = new Owned();
    const products = await (await GaussNewton.load(device, of, n, owned)).times(directions);
    owned.dispose();
    for (let i = 0; i < n; i++) {
      const { gradient } = await hessianVectorProduct(device, {
        ...{ network: spec, parameters: of.parameters, vector: new Float32Array(network.count) },
        images: few.images.subarray(i * pixels, (i + 1) * pixels),
        labels: few.labels.subarray(i * 2, (i + 1) * 2),
      });
      const left = products[i].map((value, j) => value + damping * directions[i][j]);
      const right = Array.from(gradient, (value) => value / n);
      expect(apart(left, right)).toBeLessThan(1e-3 * Math.max(...right.map(Math.abs)));
    }
  });

  test('the loss of each test image changes as its gradient says', async () => {
    const of = await learned();
    const { parameters } = of;
    const directions = await everyDirection(of);
    const rows = [3, 0, 5];
    const owned = new Owned();
    const asked = { device, dataset: data, network, rows };
    const along = await (await LossesAlong.load(asked, parameters, n, owned)).of(directions);
    owned.dispose();
    for (const [j, row] of rows.entries()) {
      const labels = [0, 0];
      labels[data.test.labels[row]] = 1;
      const { gradient } = await hessianVectorProduct(device, {
        ...{ network: spec, parameters, labels, vector: new Float32Array(network.count) },
        images: normalisedImages(data, data.test, [row]),
      });
      for (const [i, direction] of directions.entries()) {
        const expected = direction.reduce((sum, value, k) => sum + value * gradient[k], 0);
        expect(along[i][j]).toBeCloseTo(expected, 6);
      }
    }
  });

  test('a few directions are there at a time, and the last, which are fewer, are the same as among others', async () => {
    const [count, of] = [19, await learned()];
    const many = { ...of, images: data.train.images.subarray(0, count * pixels) as Float32Array };
    const labels = Float32Array.from({ length: 2 * count }, (_, i) =>
      data.train.labels[i >> 1] === i % 2 ? 1 : 0,
    );
    const groups = await groupsOf({ ...many, labels });
    expect(groups.map(({ length }) => length)).toEqual([8, 8, 3]);
    // Image 18 in the place of image 0, among the first.
    const turned = <Numbers extends Float32Array>(values: Numbers, size: number) => {
      const out = values.slice();
      out.set(values.subarray(18 * size, 19 * size), 0);
      out.set(values.subarray(0, size), 18 * size);
      return out;
    };
    const other = { ...many, images: turned(many.images, pixels), labels: turned(labels, 2) };
    const [first] = (await solveDamped(device, other, damping).next()).value!;
    expect(apart(first, groups[2][2])).toBeLessThan(1e-6 * Math.max(...first.map(Math.abs)));
  });

  test('it is about the same test images and the same network', async () => {
    const options = { steps: 20, rate: 0.1, images: 10, seed: 3 };
    const exact = await influence(device, data, few, options);
    const products = await influence(device, data, few, { ...options, by: 'products' });
    expect([products.by, products.rows, products.accuracy]).toEqual(['products', exact.rows, exact.accuracy]);
    expect(products.losses).toEqual(exact.losses);
    const [a, b] = [exact, products].map((one) => one.influence.flatMap((values) => [...values]));
    // The same direction, no more: what training does to so small a network is far from its first order.
    expect(rankCorrelation(a, b)).toBeGreaterThan(0.2);
  });
});

test('by image: over its class and over others, what it helps most first', () => {
  const found: Influence = {
    by: 'retraining',
    rows: [7, 2, 5],
    losses: new Float64Array(3),
    accuracy: 50,
    influence: [Float64Array.of(1, -2, 3), Float64Array.of(4, 5, 6)],
  };
  const labels = [9, 9, 1, 9, 9, 0, 9, 0];
  expect(influenceByItem(found, [0, 1], labels)).toEqual([
    { item: 1, class: 1, own: 5, others: 5, helped: [5, 2, 7] },
    { item: 0, class: 0, own: 2, others: -2, helped: [5, 7, 2] },
  ]);
});

test.each([
  [{ by: 'guessing' }, /by is "guessing", expected retraining or products/],
  [{ rate: 0 }, /rate is 0, expected a positive number/],
  [{ damping: Number.NaN }, /damping is NaN, expected a positive number/],
  [{ damping: 1 }, /damping is 1, which retraining does not have/],
  [{ steps: 0 }, /steps is 0, expected a whole number of at least 1/],
  [{ images: 0.5 }, /images is 0\.5/],
  [{ looks: 3 }, /looks/],
])('refuses %j', async (options, message) => {
  await expect(influence(device, data, few, options as never)).rejects.toThrow(message);
});

test('refuses labels that have no minimum', async () => {
  const centred = { ...few, labels: few.labels.map((value) => value - 0.5) };
  await expect(influence(device, data, centred)).rejects.toThrow(
    /labels of image 0 of the set sum to 0, expected a sum above 0/,
  );
});

test('refuses networks with batch norm', async () => {
  const digits = generateDigits({ train: 20, validation: 10, test: 10, seed: 1 });
  const set = setOfImages(digits, { images: digits.train.images, labels: digits.train.labels });
  const refused = influence(device, digits, set, { network: { name: 'convnet', width: 4, norm: 'batch' } });
  await expect(refused).rejects.toThrow(/has batch norm/);
});

test('refuses a set of one image', async () => {
  const one = setOfImages(
    data,
    { images: data.train.images.subarray(0, pixels), labels: [0] },
    { values: 'pixels', network: smallNetwork },
  );
  await expect(influence(device, data, one)).rejects.toThrow(/one image, expected several/);
});

describe('limbeck analyse influence', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-influence-'));
  const { limbeck } = commandLine(folder);
  const digits = '--device cpu --digits-size 60'.split(' ');
  beforeAll(async () => {
    await buildWhereStale();
    const run = '--network mlp:width=8 --iterations 2 --batch 8 --networks 2 --init random --json'.split(' ');
    const { status, stderr } = await limbeck('distill', ...digits, ...run, '--out', 'a');
    expect(status, stderr).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(['retraining', 'products'])('shows every image, by %s', async (by) => {
    const given = ['analyse', 'influence', 'a/distilled.safetensors', ...digits, '--by', by];
    const damping = by === 'products' ? ['--damping', '50'] : [];
    const more = ['--steps', '5', '--images', '12', ...damping];
    const { status, stdout, stderr } = await limbeck(...given, ...more, '--out', 'page.html');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(
      /^a: a network that learned from all of them is right on \d+\.\d % of the test images; .*\n +image +class +in its class +in others$/m,
    );
    expect(stdout.match(/^ +\d+ +\d +\S+ +\S+$/gm)).toHaveLength(10);
    const page = readPage(readFileSync(join(folder, 'page.html'), 'utf8'));
    expect(all(page, 'h2').map(textOf)).toEqual(['a']);
    // Ten images with nine test images each.
    expect(all(page, 'img')).toHaveLength(100);
    const json = await limbeck(...given, ...more, '--json');
    const [one] = JSON.parse(json.stdout).influence;
    expect(one.influence.map((values: number[]) => values.length)).toEqual(Array(10).fill(12));
  });
});
