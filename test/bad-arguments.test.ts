/** What programs get wrong in a call: each is told what was given, what was expected and where that comes from. */
import { beforeAll, describe, expect, test } from 'vitest';
import * as limbeck from '../src/index.js';
import { learnedSet } from './harness/distilled-set.js';

let device: limbeck.Device;
let dataset: limbeck.Dataset;
beforeAll(async () => {
  device = await limbeck.openDevice('reference');
  dataset = await limbeck.generateDigits({ train: 20, validation: 10, test: 10, size: 16 });
});

// Calls that TypeScript refuses, as JavaScript makes them.
// biome-ignore lint/suspicious/noExplicitAny: that is the point
const api = limbeck as any;

const fitting = learnedSet({
  network: { name: 'lenet', inputShape: [1, 16, 16], classes: 10 },
  images: new Float32Array(10 * 256),
  labels: Float32Array.from({ length: 100 }, (_, i) => Number(i % 11 === 0)),
  learningRates: Float32Array.of(0.02),
});

const calls: [string, () => unknown, RegExp][] = [
  ['openDevice', () => api.openDevice('cpu', null), /openDevice: options is null, expected an object/],
  [
    'openDevice',
    () => api.openDevice('cpu', { treads: 1 }),
    /option treads is unknown; did you mean threads\?/,
  ],
  [
    'metaGradient',
    () => api.metaGradient(),
    /metaGradient: device is undefined, expected a device, as `await open/,
  ],
  ['metaGradient', () => api.metaGradient(device), /metaGradient: options is undefined, expected an object/],
  [
    'metaGradient',
    () => api.metaGradient(device, {}),
    /metaGradient: network is undefined, expected an object with/,
  ],
  [
    'metaGradient',
    () => api.metaGradient(device, { epoch: 1 }),
    /option epoch is unknown; did you mean epochs\?/,
  ],
  [
    'hessianVectorProduct',
    () => api.hessianVectorProduct(),
    /hessianVectorProduct: device is undefined, expected a device/,
  ],
  [
    'gradientMatching',
    () => api.gradientMatching(device, {}),
    /gradientMatching: network is undefined, expected an object with/,
  ],
  [
    'gradientMatching',
    () => api.gradientMatching(device, { group: 2 }),
    /option group is unknown; did you mean groups\?/,
  ],
  [
    'distributionMatching',
    () => api.distributionMatching(device),
    /distributionMatching: options is undefined, expected an object/,
  ],
  [
    'kernelRegression',
    () => api.kernelRegression(device, { regularisation: 1 }),
    /kernelRegression: option regularisation is unknown; there are: network/,
  ],
  ['distill', () => api.distill(dataset, device), /distill: device is another object, expected a device/],
  [
    'distill',
    () => api.distill(device, 'mnist'),
    /distill: dataset is "mnist", expected a data set, as `await load/,
  ],
  ['distill', () => api.distill(device, dataset, null), /distill: options is null, expected an object/],
  [
    'distill',
    () => api.distill(device, dataset, { iteration: 1 }),
    /iteration is unknown; did you mean iterations\?/,
  ],
  [
    'distill',
    () => api.distill(device, dataset, {}, { signals: 1 }),
    /signals is unknown; did you mean signal\?/,
  ],
  ['evaluate', () => api.evaluate(device, dataset), /evaluate: set is undefined, expected a distilled set/],
  [
    'evaluate',
    () => api.evaluate(device, dataset, { network: {}, use: {} }, { nets: 3 }),
    /option nets is unknown; there are: networks/,
  ],
  ['trainNetworks', () => api.trainNetworks(device), /trainNetworks: dataset is undefined/],
  [
    'trainNetworks',
    () => api.trainNetworks(device, dataset, { lr: 1 }),
    /option lr is unknown; there are: network, networks/,
  ],
  ['openDevice', () => api.openDevice('reference', ['x']), /options is a list, expected an object/],
  [
    'distill',
    () => api.distill(api.openDevice('reference'), dataset),
    /device is a promise \(await it\), expected/,
  ],
  ['generateDigits', () => api.generateDigits({ trian: 3 }), /option trian is unknown; did you mean train\?/],
  ['datasetFromArrays', () => api.datasetFromArrays(), /datasetFromArrays: options is undefined/],
  [
    'datasetFromArrays',
    () => api.datasetFromArrays({ imageShape: [1, 8, 8] }),
    /train is undefined, expected an object with/,
  ],
  ['profileStep', () => api.profileStep(), /profileStep: device is undefined/],
  [
    'distill',
    () => api.distill(device, dataset, {}, { signal: new AbortController() }),
    /signal is another object, expected the signal of an AbortController/,
  ],
  [
    'trainNetworks',
    () => api.trainNetworks(device, dataset, { signal: 5 }),
    /signal is 5, expected the signal/,
  ],
  [
    'distill',
    () => api.distill(device, dataset, {}, { onProgress: 'log' }),
    /onProgress is "log", expected a function/,
  ],
  ['distill', () => api.distill(device, dataset, { lr: Number.NaN }), /lr is NaN, expected a number above 0/],
  [
    'evaluate',
    () => api.evaluate(device, dataset, fitting, { baselines: 'all' }),
    /baselines is "all", expected a list/,
  ],
  ['openDevice', () => api.openDevice('cpu', { threads: '2' }), /threads is "2", expected a whole number/],
  ['watch', () => api.watch(Promise.resolve()), /watch: work is a promise \(await it\), expected a function/],
  ['decodeArtefact', () => api.decodeArtefact('runs/x'), /The file is "runs\/x", expected its bytes/],
  ['loadDataset', () => api.loadDataset(), /the data set is undefined, expected a name or the path/],
  [
    'loadDataset',
    () => api.loadDataset('mnist'),
    /neither known nor a file or folder here; limbeck download mnist/,
  ],
  ['createNetwork', () => api.createNetwork(), /createNetwork: options is undefined/],
  ['distillToFolder', () => api.distillToFolder(device), /distillToFolder: dataset is undefined/],
  [
    'distillToFolder',
    () => api.distillToFolder(device, dataset),
    /the folder of a run is undefined, expected its path/,
  ],
  [
    'resumeFolder',
    () => api.resumeFolder(device, dataset, 'nowhere', { forse: 1 }),
    /resumeFolder: option forse is unknown/,
  ],
  ['readRun', () => api.readRun(), /the folder of a run is undefined, expected its path/],
];

test.each(calls)('%s %#', async (_, call, message) => {
  const error = await Promise.resolve()
    .then(call)
    .catch((thrown) => thrown);
  expect(error).toBeInstanceOf(limbeck.LimbeckError);
  expect(error).toMatchObject({ code: 'ERR_OPTION', message: expect.stringMatching(message) });
});

describe('arrays of a call', () => {
  const network = { name: 'mlp', width: 2, inputShape: [1, 1, 2], classes: 2 } as const;
  const { count } = limbeck.createNetwork(network);
  const given = () => ({
    network,
    parameters: new Float32Array(count).fill(0.5),
    images: [1, 2],
    labels: [1, 0],
    learningRates: [0.1],
    ...{ steps: 1, epochs: 1, realImages: [2, 1], realLabels: [0, 1] },
  });

  test('are read when it is made, not when its turn comes', async () => {
    const expected = await limbeck.metaGradient(device, given());
    const options = given();
    const [first, second] = [limbeck.metaGradient(device, options), limbeck.metaGradient(device, options)];
    options.parameters.fill(9);
    options.images[0] = 9;
    expect(await first).toEqual(expected);
    expect(await second).toEqual(expected);
  });

  test.each<[string, unknown, RegExp]>([
    ['images', '12', /images\[0\] is "1", expected a number/],
    ['images', { length: 2 }, /images\[0\] is undefined, expected a number/],
    ['labels', [1n, 0n], /labels\[0\] is 1n, expected a number/],
  ])('hold numbers: %s %#', async (name, values, message) => {
    const refused = { code: 'ERR_OPTION', message: expect.stringMatching(message) };
    await expect(api.metaGradient(device, { ...given(), [name]: values })).rejects.toMatchObject(refused);
  });
});

/** Sets that no file could hold: what is wrong, and how it is said. */
const badSets: [string, () => object, RegExp][] = [
  ['no images', () => ({ images: undefined }), /images is missing, expected F32 of 2560/],
  [
    'half the images',
    () => ({ images: fitting.images.slice(1280) }),
    /images is of type Float32Array with 1280/,
  ],
  ['no labels', () => ({ labels: new Float32Array(0) }), /labels is of type Float32Array with 0 elements/],
  ['no classes', () => ({ classes: [0, 1] }), /classes is missing or not I32/],
  ['NaN', () => ({ images: fitting.images.map(() => Number.NaN) }), /images holds NaN at place 0/],
  ['no network', () => ({ network: undefined }), /set.network is missing, expected an object/],
  [
    'another network',
    () => ({ network: { ...fitting.network, name: 'x' } }),
    /set.network: network "x" is unknown/,
  ],
  ['no rates', () => ({ use: { ...fitting.use, learningRates: undefined } }), /learning_rates is missing/],
  [
    'NaN rates',
    () => ({ use: { ...fitting.use, learningRates: Float32Array.of(Number.NaN) } }),
    /learning_rates holds NaN/,
  ],
  [
    'another init',
    () => ({ use: { ...fitting.use, init: 'x' } }),
    /set.use.init is "x", expected one of fixed/,
  ],
];

test.each(badSets)('a set with %s is refused', async (_, change, message) => {
  const set = { ...fitting, ...change() };
  const refused = { code: 'ERR_DATA', message: expect.stringMatching(message) };
  await expect(api.evaluate(device, dataset, set, { networks: 1 })).rejects.toMatchObject(refused);
  await expect(api.distill(device, dataset, {}, { first: set })).rejects.toMatchObject(refused);
  expect(() => api.encodeArtefact({ set, notes: {} })).toThrow(expect.objectContaining(refused));
});

/** Data sets that no file could bring. */
const badData: [string, () => object, RegExp][] = [
  ['no test split', () => ({ test: undefined }), /dataset.test is missing, expected an object/],
  [
    'a label out of range',
    () => ({ test: { ...dataset.test, labels: dataset.test.labels.map(() => 10) } }),
    /dataset.test.labels\[0\] is 10, expected a class from 0 to 9/,
  ],
  [
    'a pixel that is no number',
    () => ({ test: { ...dataset.test, images: new Float32Array(2560).fill(Number.NaN) } }),
    /dataset.test.images\[0\] is NaN/,
  ],
  [
    'half the images',
    () => ({ train: { ...dataset.train, images: dataset.train.images.slice(2560) } }),
    /dataset.train has 20 labels and 2560 pixels, expected 20 and 5120/,
  ],
  ['no deviations', () => ({ std: [] }), /dataset.std is a list, expected a list of 1 numbers from 0 on/],
];

test.each(badData)('data with %s are refused', async (_, change, message) => {
  const bad = { ...dataset, ...change() };
  const refused = { code: 'ERR_DATA', message: expect.stringMatching(message) };
  await expect(api.evaluate(device, bad, fitting)).rejects.toMatchObject(refused);
  await expect(api.trainNetworks(device, bad)).rejects.toMatchObject(refused);
});

test('training that diverges is an error, not chance', async () => {
  const work = limbeck.trainNetworks(device, dataset, {
    network: { name: 'mlp', width: 4 },
    learningRate: 1e30,
    epochs: 2,
    batch: 5,
  });
  await expect(work).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
    message: expect.stringMatching(
      /diverged in epoch 1: parameters are not finite; a learning rate below 1e\+30 may help/,
    ),
  });
});
