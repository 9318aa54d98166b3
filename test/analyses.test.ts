/** Looks at distilled sets along real training: `recognise`, `curvature`, and the command that shows them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alongTraining } from '../src/analysis/along-training.js';
import { realSample } from '../src/analysis/sets.js';
import { heldOutNetworks } from '../src/eval/first-networks.js';
import {
  createNetwork,
  curvature,
  type Device,
  evaluate,
  hessianTrace,
  mix,
  openDevice,
  recognise,
  setOfImages,
} from '../src/index.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';
import { all, readPage, textOf } from './harness/page.js';
import { writtenTo } from './harness/written.js';

const data = twoClasses();
const spec = { ...smallNetwork, inputShape: data.imageShape, classes: data.classes };
const network = createNetwork(spec);
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

/** The training images as a set, with these classes. */
const asSet = (labels: ArrayLike<number>) =>
  setOfImages(data, { images: data.train.images, labels }, { values: 'pixels', network: smallNetwork });
const right = () => asSet(data.train.labels);
const wrong = () => asSet(Array.from(data.train.labels, (label) => 1 - label));
const along = { steps: 6, every: 2, seed: 3 };

test('training that is looked at on the way goes where it would have gone', async () => {
  const networks = 2;
  const snapshots = [];
  for await (const one of alongTraining(device, data, { network, networks, seed: 3, at: [0, 1, 4] }))
    snapshots.push(one);
  expect(snapshots.map(({ step }) => step)).toEqual([0, 1, 4]);
  expect(snapshots[0].parameters).toEqual(await heldOutNetworks(device, network, networks, 3, 0));
  for await (const { parameters } of alongTraining(device, data, { network, networks, seed: 3, at: [4] }))
    expect(parameters).toEqual(snapshots[2].parameters);
  expect(snapshots[2].parameters).not.toEqual(snapshots[1].parameters);
});

describe('recognise', () => {
  test('asks for the class that each image was made for', async () => {
    const sets = [
      { name: 'right', set: right() },
      { name: 'wrong', set: wrong() },
    ];
    const {
      steps,
      real,
      sets: found,
    } = await recognise(device, data, sets, {
      ...{ steps: 150, every: 50, seed: 3, networks: 3 },
    });
    expect(steps).toEqual([0, 50, 100, 150]);
    expect(found.map(({ name }) => name)).toEqual(['right', 'wrong']);
    for (const [i, { mean, std, networks }] of real.entries()) {
      expect(networks).toBe(3);
      // The sample is the whole of so few images.
      expect(found[0].accuracy[i].mean).toBeCloseTo(mean, 9);
      expect(found[0].accuracy[i].std).toBeCloseTo(std, 9);
      expect(found[1].accuracy[i].mean).toBeCloseTo(100 - mean, 9);
    }
    expect(real[3].mean).toBeGreaterThan(real[0].mean);
  });
});

describe('curvature', () => {
  test('is that of the loss on each set, at the networks along training', async () => {
    const { images, labels } = await realSample(data, 30, 3);
    const { steps, losses } = await curvature(device, data, [{ name: 'same', set: right() }], {
      ...along,
      vectors: 4,
      real: 30,
    });
    expect(steps).toEqual([0, 2, 4, 6]);
    expect(losses.map(({ name }) => name)).toEqual(['real images', 'same']);
    const snapshots = alongTraining(device, data, { network, networks: 1, seed: 3, at: steps });
    let i = 0;
    for await (const { parameters } of snapshots) {
      const expected = await hessianTrace(device, {
        network: spec,
        parameters,
        images,
        labels,
        vectors: 4,
        seed: 3,
      });
      expect(losses[0].trace[i]).toEqual(expected);
      // The same images in another order.
      expect(losses[1].trace[i].trace).toBeCloseTo(expected.trace, 6);
      expect(losses[1].largest[i]).toBeCloseTo(losses[0].largest[i], 4);
      i++;
    }
    expect(losses[0].trace[3].trace).not.toBe(losses[0].trace[0].trace);
  });

  test('real images are drawn once each', async () => {
    const { images, labels } = await realSample(data, 7, 1);
    expect([images.length, labels.length]).toEqual([7 * 6, 7 * 2]);
    const seen = new Set(Array.from({ length: 7 }, (_, i) => images.subarray(i * 6, i * 6 + 6).join()));
    expect(seen.size).toBe(7);
    expect((await realSample(data, 7, 2)).images).not.toEqual(images);
  });
});

describe('mix', () => {
  test('adds the same real images to a set and to random ones in its place', async () => {
    const few = (labels: readonly number[]) =>
      setOfImages(
        data,
        { images: data.train.images.subarray(0, 24), labels },
        { values: 'pixels', network: smallNetwork },
      );
    const sets = [
      { name: 'right', set: few([0, 1, 0, 1]) },
      { name: 'wrong', set: few([1, 0, 1, 0]) },
    ];
    const stages: string[] = [];
    const options = {
      added: [0, 10],
      networks: 2,
      seed: 5,
      onProgress: ({ stage }: { stage: string }) => stages.push(stage),
    };
    const { added, protocol, sets: found } = await mix(device, data, sets, options);
    expect(added).toEqual([0, 10]);
    expect(protocol).toMatch(/protocol full-batch: SGD with momentum 0\.9 at rate 0\.01, 300 epochs/);
    // Either set with and without additions; their control once.
    expect(stages).toHaveLength(6);
    const [right, wrong] = found;
    // Two images of each class stand in for either set.
    expect(right.control).toEqual(wrong.control);
    expect(right.accuracy[0].mean).toBeGreaterThan(wrong.accuracy[0].mean);
    // What ten of each class say outweighs what two of each say wrongly.
    expect(wrong.accuracy[1].mean).toBeGreaterThan(wrong.accuracy[0].mean);
    for (const { accuracy, control } of found)
      for (const { networks } of [...accuracy, ...control]) expect(networks).toBe(2);
  });

  test('random images in the place of a set are none of those that are added', async () => {
    const own = await openDevice('reference');
    const count = 2 * (2 + 10);
    const written = writtenTo(own, count * 6);
    const set = setOfImages(
      data,
      { images: data.train.images.subarray(0, 24), labels: [0, 1, 0, 1] },
      { values: 'pixels', network: smallNetwork },
    );
    await mix(own, data, [{ name: 'four', set }], { added: [10], networks: 1, seed: 5 });
    await own.dispose();
    const control = written.at(-1)!;
    const images = Array.from({ length: count }, (_, i) => control.slice(6 * i, 6 * i + 6).join());
    expect(new Set(images).size).toBe(count);
  });

  test('without additions it is the set under the protocol, and a control of the same real images', async () => {
    const set = right();
    const { sets: found } = await mix(device, data, [{ name: 'all', set }], { added: [0], networks: 2 });
    const plain = { ...set, use: { kind: 'minibatches', protocol: 'full-batch' } } as const;
    const { accuracy } = await evaluate(device, data, plain, { networks: 2, withBaselines: false });
    expect(found[0].accuracy).toEqual([accuracy]);
    // The whole split, once more in another order.
    expect(found[0].control[0].mean).toBeCloseTo(accuracy.mean, 3);
  });
});

test('mix shows no image twice: no more are added than there are beside the set', async () => {
  const set = setOfImages(
    data,
    { images: data.train.images.subarray(0, 24), labels: [0, 1, 0, 1] },
    { values: 'pixels', network: smallNetwork },
  );
  const sets = [{ name: 'four', set }];
  // Fifteen of each class are there.
  expect((await mix(device, data, sets, { networks: 1 })).added).toEqual([0, 2, 10]);
  await expect(mix(device, data, sets, { added: [14] })).rejects.toThrow(/added is 14, expected at most 13/);
  const { images } = data.train;
  const twice = Float32Array.from({ length: 40 * 6 }, (_, i) => images[i % images.length]);
  const labels = Array.from({ length: 40 }, (_, i) => i % 2);
  const many = setOfImages(data, { images: twice, labels }, { values: 'pixels', network: smallNetwork });
  await expect(mix(device, data, [{ name: 'many', set: many }])).rejects.toThrow(
    /a set has 20 images of each class, and the smallest class of two classes 15/,
  );
});

test.each([
  [
    () => mix(device, data, [{ name: 'a', set: right() }], { added: [-1] }),
    /added is -1, expected a whole number of at least 0/,
  ],
  [
    () => mix(device, data, [{ name: 'a', set: right() }], { added: [] }),
    /added is a list, expected a list of whole numbers/,
  ],
  [() => recognise(device, data, []), /sets is a list, expected at least one/],
  [() => recognise(device, data, [{ name: 'a', set: right() }], { networks: 0 }), /networks is 0/],
  [() => recognise(device, data, [{ name: 'a', set: right() }], { steps: 0 }), /steps is 0/],
  [() => curvature(device, data, [{ name: 'a', set: right() }], { every: 1.5 }), /every is 1\.5/],
  [() => curvature(device, data, [{ name: 'a', set: right() }], { vectors: 1 }), /vectors is 1/],
  [
    () => {
      const set = { ...right(), network: { ...spec, classes: 3 }, labels: new Float32Array(90).fill(1 / 3) };
      return curvature(device, data, [{ name: 'a', set }]);
    },
    /3 classes/,
  ],
  [() => curvature(device, data, [{ name: 'a', set: right() }], { looks: 2 } as never), /looks/],
  [
    () =>
      curvature(device, data, [
        { name: 'a', set: { ...right(), labels: right().labels.map((v) => v - 0.5) } },
      ]),
    /labels of image 0 of a sum to 0, expected a sum above 0/,
  ],
  [
    () =>
      recognise(device, data, [{ name: 'a', set: right() }], {
        network: { name: 'custom', layers: [{ conv: 2, kernel: 1 }, 'batchNorm', 'relu', { linear: 2 }] },
      }),
    /has batch norm/,
  ],
])('refuses what it cannot do: %#', async (call, message) => {
  await expect(call()).rejects.toThrow(message);
});

describe('limbeck analyse', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limbeck-analyse-'));
  const { limbeck } = commandLine(folder);
  const digits = '--device cpu --digits-size 60'.split(' ');
  beforeAll(async () => {
    await buildWhereStale();
    const run = '--network mlp:width=8 --iterations 2 --batch 8 --networks 2 --init random --json'.split(' ');
    for (const name of ['a', 'b']) {
      const { status, stderr } = await limbeck(
        'distill',
        ...digits,
        ...run,
        '--seed',
        name === 'a' ? '1' : '2',
        '--out',
        name,
      );
      expect(status, stderr).toBe(0);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const files = ['a', 'b'].map((name) => `${name}/distilled.safetensors`);

  test.each([
    ['recognise', ['--networks', '2'], /^ +2 +\d+\.\d ± \d+\.\d % +\d+\.\d ± \d+\.\d % +\d/m],
    ['mix', ['--networks', '2', '--added', '0,1'], /^ +1 +\d+\.\d ± \d+\.\d % +\d+\.\d ± \d+\.\d %/m],
    ['curvature', ['--vectors', '2', '--real', '20'], /^ +2 +\S+ ± \S+ +\S+ +\S+ ± \S+ +\S+/m],
  ])('%s shows every set by its run, in a table and on a page', async (kind, more, row) => {
    const steps = kind === 'mix' ? [] : ['--steps', '2', '--every', '1'];
    const given = ['analyse', kind, ...files, ...digits, ...steps, ...more];
    const { status, stdout, stderr } = await limbeck(...given, '--out', 'page.html');
    expect(status, stderr).toBe(0);
    const names = kind === 'mix' ? ['a', 'random for a', 'b', 'random for b'] : ['real images', 'a', 'b'];
    expect(stdout).toMatch(new RegExp(`${names.join(' .*')}`));
    expect(stdout).toMatch(row);
    const page = readPage(readFileSync(join(folder, 'page.html'), 'utf8'));
    const keys = all(page, 'span').map(textOf);
    expect(keys).toEqual(names.map((name) => name.replace('random', 'random real images')));
    expect(all(page, 'polyline')).toHaveLength(kind === 'curvature' ? 6 : names.length);
    const json = await limbeck(...given, '--json');
    expect(Object.keys(JSON.parse(json.stdout))).toEqual(['dataset', kind]);
  });

  test.each([
    [
      ['analyse'],
      /analyse needs one of recognise, curvature, mix, agreement, influence, theory, and files, of which theory has none/,
    ],
    [['analyse', 'looks', files[0]], /analyse needs one of/],
    [['analyse', 'curvature'], /and files/],
    [
      ['analyse', 'recognise', files[0], '--vectors', '3'],
      /--vectors is 3, which analyse recognise does not have/,
    ],
    [['analyse', 'curvature', 'none.safetensors'], /none\.safetensors cannot be read/],
  ])('refuses %j', async (given, message) => {
    const { status, stderr } = await limbeck(...given, ...digits);
    expect(status, stderr).toBe(2);
    expect(stderr).toMatch(message);
  });
});
