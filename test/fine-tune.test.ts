/** Networks that go on learning from other images: what of a model moves, and what stays. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createNetwork,
  type Device,
  type FineTuneOptions,
  fineTune,
  hessianVectorProduct,
  type Model,
  openDevice,
} from '../src/index.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('reference');
});
afterAll(() => device.dispose());

const [mean, std] = [[0.4], [0.2]];
const inputShape = [1, 2, 3] as const;
/** Six images of bytes, and as a network sees them. */
const images = Uint8Array.from({ length: 36 }, (_, i) => (37 * i * i + 11 * i) % 256);
const seen = Float64Array.from(images, (byte) => (byte / 255 - mean[0]) / std[0]);
const labels = [0, 1, 1, 0, 1, 0];
const oneHot = labels.flatMap((label) => [1 - label, label]);

const plain = { name: 'mlp', width: 3, inputShape, classes: 2 };
const count = createNetwork(plain).count;

/** Two networks. */
const model = (changes: Partial<Model> = {}): Model => ({
  ...{ network: plain, loss: 'cross-entropy', classNames: ['cat', 'dog'], normalisation: { mean, std } },
  parameters: Float32Array.from({ length: 2 * count }, (_, i) => 0.5 * Math.sin(i * i + 1)),
  notes: {
    ...{ dataset: 'pets', trainedOn: '2 distilled images (dm)', protocol: 'protocol dc' },
    testAccuracy: { mean: 90, std: 1, networks: 2 },
  },
  ...changes,
});
const once: FineTuneOptions = { optimizer: { kind: 'sgd' }, epochs: 1, learningRate: 0.5 };

test.each(['cross-entropy', 'squared-error'] as const)(
  'one step on all images goes down the gradient of the loss of the model, each network its own: %s',
  async (loss) => {
    const before = model({ loss });
    const { gradient } = await hessianVectorProduct(device, {
      ...{ network: plain, parameters: before.parameters, images: seen, labels: oneHot, loss },
      vector: new Float64Array(2 * count),
    });
    const after = await fineTune(device, before, { images, labels }, once);
    expect(after.loss).toBe(loss);
    for (let i = 0; i < 2 * count; i++)
      expect(after.parameters[i]).toBeCloseTo(before.parameters[i] - 0.5 * gradient[i], 5);
    expect(Math.max(...Array.from(gradient, Math.abs))).toBeGreaterThan(0.01);
    const other = await fineTune(device, before, { images, labels }, { ...once, loss: 'squared-error' });
    expect(other.loss).toBe('squared-error');
    expect(String(other.parameters) === String(after.parameters)).toBe(loss === 'squared-error');
  },
);

test('images come in minibatches of a seed, as often as epochs say, at the usual rate of the optimiser', async () => {
  const tuned = async (options: FineTuneOptions) =>
    (await fineTune(device, model(), { images, labels }, options)).parameters;
  const minibatches: FineTuneOptions = { ...once, batch: 2, epochs: 2 };
  const first = await tuned(minibatches);
  expect(await tuned({ ...minibatches, seed: 0 })).toEqual(first);
  expect(await tuned({ ...minibatches, seed: 1 })).not.toEqual(first);
  expect(await tuned({ ...minibatches, epochs: 1 })).not.toEqual(first);
  const usual = { kind: 'momentum', momentum: 0.9 } as const;
  expect(await tuned({ epochs: 2 })).toEqual(
    await tuned({ epochs: 2, optimizer: usual, learningRate: 0.01, batch: 256 }),
  );
  const adam: FineTuneOptions = { epochs: 2, optimizer: { kind: 'adam' } };
  expect(await tuned(adam)).toEqual(await tuned({ ...adam, learningRate: 0.001 }));
});

test('statistics of batch norm are those of the images that it learned from last', async () => {
  const network = { name: 'custom', layers: ['batchNorm', { linear: 2 }], inputShape, classes: 2 };
  const parameters = Float32Array.from({ length: createNetwork(network).count }, (_, i) => Math.cos(i));
  const before = model({ network, parameters, statistics: Float32Array.of(7, 7) });
  const { statistics } = await fineTune(device, before, { images, labels }, once);
  const average = seen.reduce((a, b) => a + b, 0) / seen.length;
  const variance = seen.reduce((sum, value) => sum + (value - average) ** 2, 0) / seen.length;
  expect(statistics).toHaveLength(2);
  expect(statistics![0]).toBeCloseTo(average, 5);
  expect(statistics![1]).toBeCloseTo(variance, 4);
});

test('notes say what it learned from, and no accuracy of the network that it was', async () => {
  const before = model();
  const after = await fineTune(device, before, { images, labels }, once);
  const { classNames, normalisation, network } = before;
  expect(after).toMatchObject({ classNames, normalisation, network });
  expect(after.notes).toEqual({
    ...{ dataset: 'pets', protocol: 'protocol dc', trainedOn: '2 distilled images (dm), then 6 images' },
  });
});

test.each([
  [2, 'ERR_DATA', /labels\[5\] is 2, expected the number of a class, 0 to 1/],
  [0.5, 'ERR_DATA', /labels\[5\] is 0.5/],
])('a label %f is refused', async (label, code, message) => {
  const wrong = [...labels.slice(0, 5), label];
  await expect(fineTune(device, model(), { images, labels: wrong }, once)).rejects.toMatchObject({
    ...{ code, message: expect.stringMatching(message) },
  });
});

test('numbers that stop being finite are no network', async () => {
  const steep = { ...once, loss: 'squared-error', learningRate: 1e30, epochs: 4 } as const;
  await expect(fineTune(device, model(), { images, labels }, steep)).rejects.toMatchObject({
    code: 'ERR_DIVERGED',
  });
});
