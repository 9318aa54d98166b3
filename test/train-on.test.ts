/** Networks that are trained on a distilled set as it is used, and their file. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { normalisationOf } from '../src/data/normalisation.js';
import {
  type Artefact,
  type Dataset,
  type Device,
  type DistillOptions,
  decodeModel,
  distill,
  encodeModel,
  evaluate,
  fineTune,
  openDevice,
  trainOn,
  whiten,
} from '../src/index.js';
import { decodeSafetensors, encodeSafetensors } from '../src/util/safetensors.js';
import { halfRight, shortRun, twoClasses } from './harness/made-data.js';

const data = twoClasses();
let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

async function artefactOf(dataset: Dataset, options: DistillOptions = {}): Promise<Artefact> {
  const { set } = await distill(device, dataset, { ...shortRun, iterations: 2, ...options });
  const { name, classNames, mean, std, zca } = dataset;
  return {
    set,
    notes: {
      ...{ dataset: name, classNames, mean, std, engine: 'reference', options: {}, validationAccuracy: 0 },
      reading: zca && { zca: true },
    },
  };
}

/** A network with batch norm, for minibatches. */
const layers = [{ conv: 2, kernel: 2 }, 'batchNorm', 'relu', { linear: 2 }];
const minibatches = { protocol: 'dc', epochs: 4, batch: 2 };

describe('networks trained on a set', () => {
  it.each([
    ['by its learned steps from known networks', { init: 'fixed', population: 3 }, {}],
    ['by its learned steps from fresh networks', { init: 'random', seed: 5 }, {}],
    ['in minibatches', { init: 'random' }, minibatches],
    ['with batch norm', { init: 'random', network: { name: 'custom', layers }, ipc: 2 }, minibatches],
  ] as [string, DistillOptions, object][])('%s are those that evaluate tests', async (_, run, how) => {
    const artefact = await artefactOf(data, run);
    const { accuracy, perClass, protocol } = await evaluate(device, data, artefact.set, {
      ...{ networks: 3, withBaselines: false },
      ...how,
    });
    const trained = await trainOn(device, artefact, { networks: 3, dataset: data, ...how });
    expect(trained).toMatchObject({ accuracy, perClass });
    const { model } = trained;
    expect(model.notes).toMatchObject({ protocol, testAccuracy: accuracy, dataset: 'two classes' });
    const count = model.parameters.length / 3;
    expect(
      new Set([0, 1, 2].map((p) => String(model.parameters.subarray(p * count, (p + 1) * count)))).size,
    ).toBe(3);
    const alone = await trainOn(device, artefact, how);
    expect(alone.accuracy).toBeUndefined();
    expect(alone.model.parameters).toEqual(model.parameters.subarray(0, count));
  });

  it.each([
    ['learned steps', {}],
    ['minibatches', { protocol: 'dsa', epochs: 2, batch: 2, augmentation: 'crop_scale' }],
  ])('draw for themselves alone, however many are trained at once: %s', async (_, how) => {
    const layers = [{ linear: 4 }, { dropout: 0.5 }, 'relu', { linear: 2 }];
    const run: DistillOptions = { init: 'random', network: { name: 'custom', layers }, ipc: 2, epochs: 3 };
    const artefact = await artefactOf(data, run);
    const of = async (networks: number) =>
      (await trainOn(device, artefact, { networks, ...how })).model.parameters;
    // Two at once, or three one after the other.
    const [two, three] = [await of(2), await of(3)];
    expect(three.subarray(0, two.length)).toEqual(two);
  });

  it('say the loss that they learned, by which outputs are read', async () => {
    const artefact = await artefactOf(data, { init: 'random' });
    const lossUnder = async (how: object) => (await trainOn(device, artefact, how)).model.loss;
    expect(await lossUnder(minibatches)).toBe('cross-entropy');
    expect(await lossUnder({ protocol: 'frepo', epochs: 2, batch: 2 })).toBe('squared-error');
  });

  it('see test images as the distilled ones were made, whatever the data set is like now', async () => {
    const artefact = await artefactOf(data, { init: 'random' });
    const own = await trainOn(device, artefact, { dataset: data });
    const shifted = await trainOn(device, artefact, { dataset: { ...data, mean: [5], std: [0.1] } });
    expect(shifted).toEqual(own);
    expect(own.model.normalisation).toEqual(normalisationOf(data));
  });

  it('may be of another architecture or seed', async () => {
    const artefact = await artefactOf(data, { init: 'fixed' });
    const of = async (options: object) => (await trainOn(device, artefact, options)).model;
    const wide = await of({ network: 'mlp:width=5' });
    expect(wide.network).toMatchObject({ name: 'mlp', width: 5, classes: 2 });
    expect(wide.notes.protocol).toMatch(/^mlp:width=5, random initialisation/);
    expect(await of({ network: { name: 'mlp', width: 3 } })).toEqual(await of({}));
    expect((await of({ network: 'mlp:width=5', seed: 1 })).parameters).not.toEqual(wide.parameters);
    // All that is random is of that seed, batches too: as if the set had it.
    const how = { ...minibatches, seed: 9 };
    const fresh = await artefactOf(data, { init: 'random', ipc: 3 });
    const ofSeed = { ...fresh, set: { ...fresh.set, seed: 9 } };
    const [asked, own] = [await trainOn(device, fresh, how), await trainOn(device, ofSeed, minibatches)];
    expect(asked.model.parameters).toEqual(own.model.parameters);
  });

  it.each([
    ['more known networks than there are', { networks: 2 }, /at most 1/],
    ['other data', { dataset: { ...halfRight(), imageShape: [1, 3, 2] } }, /evaluate on the data set/],
    ['whitened data', { dataset: { ...data, zca: {} } }, /not ZCA-whitened, and two classes is/],
    ['an unknown option', { lr: 1 }, /trainOn: option lr is unknown/],
    ['a protocol that is not there', { protocol: 'dd' }, /protocol "dd" is unknown/],
  ])('refuse %s', async (_, options, message) => {
    const artefact = await artefactOf(data, { init: 'fixed' });
    await expect(trainOn(device, artefact, options as object)).rejects.toThrow(message);
  });

  it('of whitened images need the data set, and know the whitening', async () => {
    const whitened = await whiten(data);
    const artefact = await artefactOf(whitened);
    await expect(trainOn(device, artefact)).rejects.toThrow(/expected that data set/);
    const { model } = await trainOn(device, artefact, { dataset: whitened });
    expect(model.normalisation.zca?.transform).toEqual(whitened.zca!.transform);
  });
});

describe('a network that goes on learning', () => {
  const { images, labels } = data.train;
  it.each([
    ['nothing', undefined, /fineTune: given is undefined, expected images with their labels/],
    ['no images', { labels }, /fineTune: given is another object, expected images with their labels/],
    ['no labels', { images }, /fineTune: labels is undefined, expected a list or a typed array/],
    ['labels of another number', { images, labels: [0] }, /fineTune: there are 1 labels for/],
  ])('is not given %s', async (_, given, message) => {
    const { model } = await trainOn(device, await artefactOf(data));
    await expect(fineTune(device, model, given as never)).rejects.toMatchObject({
      ...{ name: 'LimbeckError', message: expect.stringMatching(message) },
    });
  });
});

describe('the file of a network', () => {
  it('gives back what it was made of', async () => {
    const artefact = await artefactOf(data, { init: 'random', network: { name: 'custom', layers }, ipc: 2 });
    for (const networks of [1, 2]) {
      const { model } = await trainOn(device, artefact, { networks, dataset: data, ...minibatches });
      expect(model.statistics).toHaveLength(networks * 4);
      expect(decodeModel(encodeModel(model))).toEqual(model);
    }
    const whitened = await whiten(data);
    const { model } = await trainOn(device, await artefactOf(whitened), { dataset: whitened });
    expect(decodeModel(encodeModel(model))).toEqual(model);
  });

  it('is refused where it is damaged or another', async () => {
    const artefact = await artefactOf(data);
    const { model } = await trainOn(device, artefact);
    const bytes = encodeModel(model);
    bytes[bytes.length - 1] ^= 1;
    expect(() => decodeModel(bytes)).toThrow(/checksum/);
    expect(() => encodeModel({ ...model, classNames: ['0'] })).toThrow(
      /classNames is a list, expected a list of 2 texts/,
    );
    const { tensors, metadata } = decodeSafetensors(encodeModel(model));
    const stored = Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data }]);
    const text = metadata.model.replace('"zca":false', '"zca":true');
    const unwhitened = encodeSafetensors(Object.fromEntries(stored), { ...metadata, model: text });
    expect(() => decodeModel(unwhitened)).toThrow(/tensor zca_mean is missing/);
    const named = metadata.model.replace(/"classNames":\[[^\]]*\]/, '"classNames":["0"]');
    const short = encodeSafetensors(Object.fromEntries(stored), { ...metadata, model: named });
    expect(() => decodeModel(short)).toThrow(/classNames is a list, expected a list of 2 texts/);
    const { encodeArtefact } = await import('../src/index.js');
    expect(() => decodeModel(encodeArtefact(artefact))).toThrow(/limbeck train --on FILE makes one/);
  });
});
