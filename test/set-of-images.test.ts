/** Images and labels that somebody else made, scored as sets are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalisedImages } from '../src/data/on-device.js';
import {
  type Device,
  encodePng,
  evaluate,
  generateDigits,
  openDevice,
  setOfImages,
  whiten,
} from '../src/index.js';
import { encodeSafetensors } from '../src/util/safetensors.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { npy, zip } from './harness/data-files.js';
import { madeFolders } from './harness/folders.js';

const digits = generateDigits({ train: 60 });
const images = digits.train.images.slice(0, 10 * 784) as Uint8Array;
const labels = digits.train.labels.slice(0, 10);
const normalised = normalisedImages(digits, { images }, [...labels.keys()]);
const oneHot = Float32Array.from({ length: 100 }, (_, i) => Number(labels[Math.floor(i / 10)] === i % 10));

describe('a set of images of others', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('reference');
  });
  afterAll(() => device.dispose());

  it('is not made of nothing', () => {
    expect(() => setOfImages(digits, undefined as never)).toThrow(
      /given is undefined, expected images with their/,
    );
  });

  it('takes bytes and floats of 0 to 1 as pixels, other floats as they are, unless something else is said', async () => {
    const of = (given: Uint8Array | Float32Array, options = {}) =>
      setOfImages(digits, { images: given, labels }, options).images;
    const floats = Float32Array.from(images, (byte) => byte / 255);
    expect(of(images)).toEqual(normalised);
    for (const [i, value] of of(floats).entries()) expect(value).toBeCloseTo(normalised[i], 5);
    expect(of(normalised)).toEqual(normalised);
    expect(of(floats, { values: 'normalised' })).toEqual(floats);
    const small = generateDigits({ size: 8, train: 60 });
    const whitened = await whiten(small);
    const bytes = small.train.images.slice(0, 10 * 64);
    const set = setOfImages(whitened, { images: bytes, labels });
    for (const [i, value] of set.images.entries())
      expect(Math.abs(value - whitened.train.images[i])).toBeLessThan(1e-4);
  });

  it('is scored like any other', async () => {
    const set = setOfImages(
      digits,
      { images, labels },
      { network: 'mlp:width=8', protocol: 'dsa-digits', seed: 4 },
    );
    expect(set).toMatchObject({
      ...{ labels: oneHot, classes: Uint16Array.from(labels), seed: 4 },
      network: { name: 'mlp', width: 8, classes: 10 },
      use: { kind: 'minibatches', protocol: 'dsa-digits' },
      stored: { pictures: 10 },
    });
    const how = { networks: 2, epochs: 2, baselines: ['randomReal'] };
    const { protocol, accuracy, baselines } = await evaluate(device, digits, set, how);
    expect(protocol).toMatch(/^mlp:width=8, protocol dsa-digits/);
    expect(accuracy.networks).toBe(2);
    expect(baselines.randomReal.networks).toBe(2);
    const fourteen = {
      images: digits.train.images.slice(0, 14 * 784),
      labels: digits.train.labels.slice(0, 14),
    };
    const uneven = setOfImages(digits, fourteen, { network: 'mlp:width=8' });
    expect((await evaluate(device, digits, uneven, { ...how, epochs: 1 })).baselineImages).toBe(10);
    const soft = Float32Array.from(oneHot, (label) => 0.1 + 0.5 * label);
    expect(setOfImages(digits, { images, labels: soft }).labels).toEqual(soft);
  });

  it.each([
    ['too few labels', { labels: [1, 2] }, {}, 'ERR_SHAPE'],
    ['a label that is none', { labels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10] }, {}, 'ERR_DATA'],
    ['no labels', { labels: undefined }, {}, 'ERR_OPTION'],
    ['labels without a length', { labels: { 0: 1 } }, {}, 'ERR_OPTION'],
    ['no images', { images: undefined }, {}, 'ERR_OPTION'],
    ['images in a list', { images: [0, 1] }, {}, 'ERR_OPTION'],
    ['other images', { images: images.subarray(1) }, {}, 'ERR_SHAPE'],
    ['learned steps', {}, { protocol: 'learned-steps' }, 'ERR_OPTION'],
    ['other values', {}, { values: 'bytes' }, 'ERR_OPTION'],
  ])('refuses %s', (_, given, options, code) => {
    expect(() => setOfImages(digits, { images, labels, ...given } as never, options as object)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe('limbeck evaluate', () => {
  const made = madeFolders('others');
  let limbeck: ReturnType<typeof commandLine>['limbeck'];
  beforeAll(async () => {
    await buildWhereStale();
    const png = (i: number) =>
      encodePng({ width: 28, height: 28, channels: 1, data: images.slice(i * 784, (i + 1) * 784) });
    const arrays = { 'images.npy': npy([10, 28, 28], images), 'labels.npy': npy([10], labels) };
    const floats = {
      images: { shape: [10, 1, 28, 28], data: normalised },
      labels: { shape: [10, 10], data: oneHot },
    };
    const folder = await made.write({
      'others.npz': zip(arrays),
      'arrays/images.npy': arrays['images.npy'],
      'arrays/labels.npy': arrays['labels.npy'],
      'others.safetensors': encodeSafetensors(floats, { format: 'pt' }),
      'fourteen.npz': zip({
        'images.npy': npy([14, 28, 28], digits.train.images.slice(0, 14 * 784)),
        'labels.npy': npy([14], digits.train.labels.slice(0, 14)),
      }),
      ...Object.fromEntries(Array.from(labels, (label, i) => [`pictures/${label}/a.png`, png(i)])),
      ...Object.fromEntries(['one', 'two'].map((name) => [`words/${name}/a.png`, png(0)])),
    });
    ({ limbeck } = commandLine(folder));
  });
  const how = [
    '--network',
    'mlp:width=8',
    '--epochs',
    '3',
    '--networks',
    '2',
    '--no-baselines',
    '--device',
    'reference',
  ];
  const on = ['--dataset', 'digits', '--digits-size', '60'];

  it('scores arrays and pictures of others alike, and says what it assumes', async () => {
    const accuracies = [];
    for (const path of ['others.npz', 'arrays', 'others.safetensors', 'pictures']) {
      const { status, stdout, stderr } = await limbeck('evaluate', path, ...on, ...how);
      expect({ path, status }).toEqual({ path, status: 0 });
      const taken = path === 'others.safetensors' ? 'floats, taken as they are' : 'bytes, taken as pixels';
      expect(stderr).toContain(`10 images of ${taken}, normalised like digits`);
      expect(stderr).toContain('trained on: mlp, protocol dc (--protocol says otherwise)');
      expect(stdout).toMatch(/^mlp:width=8, protocol dc: .* 3 epochs/);
      accuracies.push(/10 given images +([\d.]+ ± [\d.]+) %/.exec(stdout)?.[1]);
    }
    expect(accuracies[0]).toBeDefined();
    expect(new Set(accuracies).size).toBe(1);
  });

  it('says how many real images stand beside a number that is no multiple of the classes', async () => {
    const others = how.filter((arg) => arg !== '--no-baselines');
    const { stdout } = await limbeck(
      'evaluate',
      'fourteen.npz',
      ...on,
      ...others,
      '--baselines',
      'randomReal',
    );
    expect(stdout).toMatch(/^ {2}14 given images /m);
    expect(stdout).toMatch(/^ {2}10 random real images /m);
  });

  it.each([
    [['others.npz'], /does not say what it was made from: .*--dataset/],
    [['words', ...on], /has a class one, expected those of digits/],
    [['others.npz', ...on, '--normalisation', 'bytes'], /expected one of pixels, normalised/],
    [['missing.npz', ...on], /missing\.npz/],
  ])('refuses %j', async (args, message) => {
    const { status, stderr } = await limbeck('evaluate', ...args, ...how);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });
});
