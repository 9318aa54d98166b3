/** Neural feature regression as a run: its labels, its steps and its pool of networks. */
import { expect, test } from 'vitest';
import type { Dataset } from '../src/data/dataset.js';
import { generateDigits } from '../src/data/digits.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import type { DistillOptions } from '../src/methods/index.js';
import type { Process } from '../src/methods/method.js';
import { createNetwork } from '../src/networks/index.js';
import { findMethod, resolveOptions } from '../src/runs/options.js';
import { settingFor, uploadTraining } from '../src/runs/setting.js';
import { drawNetworks } from '../src/train/initialise.js';
import { streams } from '../src/train/streams.js';
import { twoClasses } from './harness/made-data.js';

const dataset = generateDigits({ train: 100, validation: 10, test: 10, size: 12 });
const device = new ReferenceDevice();
const small = {
  method: 'frepo',
  network: 'mlp:width=8',
  ipc: 2,
  batch: 20,
  iterations: 40,
  ridge: 0.01,
  pool: 3,
  onlineSteps: 4,
  lr: 0.01,
  labelLr: 0.02,
  seed: 5,
} as const;

async function beginProcess(given: DistillOptions, data: Dataset = dataset): Promise<Process> {
  const options = resolveOptions(given);
  const train = await uploadTraining(device, data, options);
  return findMethod(options.method).begin(await settingFor(device, data, options, train));
}

type State = Readonly<Record<string, Float64Array>>;
const stateOf = async ({ tensors }: Process): Promise<State> =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(tensors).map(
        async ([name, tensor]) => [name, Float64Array.from(await tensor.read())] as const,
      ),
    ),
  );
const norm = (values: Float64Array) => Math.hypot(...values);
const minus = (a: Float64Array, b: Float64Array) => a.map((value, i) => value - b[i]);

test('labels begin as one-hot ones without their mean; a first step moves images and labels by their rate, of their own length', async () => {
  const process = await beginProcess(small);
  const before = await stateOf(process);
  for (let i = 0; i < 20; i++)
    for (let k = 0; k < 10; k++) expect(before.labels[i * 10 + k]).toBeCloseTo(k === i % 10 ? 0.9 : -0.1, 6);
  await process.advance(1);
  const after = await stateOf(process);
  for (const [name, rate] of [
    ['pixels', small.lr],
    ['labels', small.labelLr],
  ] as const)
    expect(norm(minus(after[name], before[name])) / norm(before[name]) / rate).toBeCloseTo(1, 9);
  const { labels, use } = await process.result();
  expect(labels).toEqual(Float32Array.from(after.labels));
  expect(use).toEqual({ kind: 'minibatches', protocol: 'frepo' });
  process.dispose();
});

test('where a large ridge leaves no prediction the loss is half the square of real labels without their mean; first labels are those over the root of K / 10', async () => {
  for (const [data, expected, first] of [
    [dataset, (0.9 ** 2 + 9 * 0.1 ** 2) / 2, 0.9],
    [twoClasses(), (2 * 0.5 ** 2) / 2, 0.5 * Math.sqrt(5)],
  ] as const) {
    const process = await beginProcess({ ...small, ridge: 1e12 }, data);
    expect((await process.result()).labels[0]).toBeCloseTo(first, 6);
    expect((await process.advance(1)).loss).toBeCloseTo(expected, 6);
    process.dispose();
  }
});

test('the gradient of the labels is that of the loss', async () => {
  const process = await beginProcess({ ...small, beta1: 0 });
  const first = await stateOf(process);
  const lossAt = async (labels: Float64Array) => {
    for (const [name, values] of Object.entries({ ...first, labels }))
      await process.tensors[name].write(values);
    await process.goTo(0);
    return (await process.advance(1)).loss;
  };
  await lossAt(first.labels);
  const gradient = Float64Array.from(await process.tensors['labels.m'].read());
  const direction = first.labels.map((_, i) => Math.sin(i * i));
  const moved = (by: number) => lossAt(first.labels.map((value, i) => value + by * direction[i]));
  const slope = ((await moved(1e-5)) - (await moved(-1e-5))) / 2e-5;
  const expected = gradient.reduce((sum, value, i) => sum + value * direction[i], 0);
  expect(Math.abs(slope / expected - 1)).toBeLessThan(1e-6);
  process.dispose();
});

test('a step trains the one network it saw, at its rate; one that had its steps is drawn afresh', async () => {
  const process = await beginProcess({ ...small, networkLr: 1e-3 });
  const network = createNetwork({ name: 'mlp', width: 8, inputShape: [1, 12, 12], classes: 10 });
  const fresh = await device.tensor('f32', network.count);
  const trained = [0, 0, 0];
  const drawn: number[] = [];
  let before = await stateOf(process);
  for (let step = 0; step < 24; step++) {
    await process.advance(1);
    const after = await stateOf(process);
    const seen = [0, 1, 2].filter(
      (i) => norm(minus(after[`pool.${i}.theta`], before[`pool.${i}.theta`])) > 0,
    );
    expect(seen).toHaveLength(1);
    const [index] = seen;
    await drawNetworks(device, network, fresh, small.seed, streams.trainingNetworks, step);
    const from = trained[index] % small.onlineSteps ? before[`pool.${index}.theta`] : await fresh.read();
    if (trained[index] % small.onlineSteps === 0) drawn.push(index);
    trained[index]++;
    const largest = Math.max(...minus(after[`pool.${index}.theta`], Float64Array.from(from)).map(Math.abs));
    // A step of Adam is at most the rate while gradients keep their sign, and no more than a few rates ever.
    expect(largest).toBeGreaterThan(0.5e-3);
    expect(largest).toBeLessThan(2e-3);
    before = after;
  }
  expect(trained.every((steps) => steps > 0)).toBe(true);
  expect(drawn.length).toBeGreaterThan(4);
  process.dispose();
});

test('refuses more real images than can be told apart', () => {
  expect(() => resolveOptions({ method: 'frepo', iterations: 2 ** 23 })).toThrow(/expected below 2\^32/);
});
