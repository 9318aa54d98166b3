/** The baseline without distillation: of the stops of one training, that whose labels teach best on the validation split. */
import { afterAll, expect, test, vi } from 'vitest';
import type { TrainedNetwork } from '../src/methods/teacher.js';
import { createNetwork } from '../src/networks/index.js';
import { smallNetwork, twoClasses } from './harness/made-data.js';

/** What stands in the place of the stops. */
const stops = vi.hoisted(() => ({ all: [] as TrainedNetwork[] }));
vi.mock('../src/eval/early-expert.js', () => ({ earlyExperts: async () => stops.all }));
const { evaluate, openDevice, setOfImages, trainNetworks } = await import('../src/index.js');

const data = twoClasses();
const device = await openDevice('cpu');
afterAll(() => device.dispose());

test('is of the stop that teaches best, wherever it stands', async () => {
  const inverted = { ...data, train: { ...data.train, labels: data.train.labels.map((one) => 1 - one) } };
  const modelOf = async (of: typeof data) =>
    (await trainNetworks(device, of, { network: 'mlp:width=8', epochs: 40, batch: 10, learningRate: 0.1 }))
      .model;
  const trainedOn = async (of: typeof data): Promise<TrainedNetwork> => {
    const model = await modelOf(of);
    return { network: createNetwork(model.network), parameters: model.parameters };
  };
  const [right, wrong] = [await trainedOn(data), await trainedOn(inverted)];
  const { images } = data.train;
  // Labels that are soft, and else say what the classes say.
  const labels = Float32Array.from({ length: 2 * data.train.count }, (_, i) =>
    data.train.labels[i >> 1] === i % 2 ? 0.9 : 0.1,
  );
  const set = setOfImages(
    data,
    { images, labels },
    { values: 'pixels', network: smallNetwork, protocol: 'soft-labels' },
  );
  const options = { networks: 4, learningRate: 0.03, baselines: ['randomReal', 'noDistillation'] };
  for (const order of [
    [wrong, right, wrong],
    [right, wrong, wrong],
  ]) {
    stops.all = order;
    const { baselines } = await evaluate(device, data, set, options);
    expect(baselines.noDistillation.mean).toBeGreaterThan(60);
    // The same where every batch is labelled: each stop labels its own, and none those of hard labels.
    const anew = { ...options, labels: 'teacher', teacher: await modelOf(inverted) } as const;
    const asked = await evaluate(device, data, set, anew);
    expect(asked.accuracy.mean).toBeLessThan(40);
    expect(asked.baselines.randomReal.mean).toBeGreaterThan(60);
    expect(asked.baselines.noDistillation.mean).toBeGreaterThan(60);
  }
});
