import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classCounts } from '../src/data/classes.js';
import type { Dataset } from '../src/data/dataset.js';
import { generateDigits } from '../src/data/digits.js';
import type { DistilledSet } from '../src/data/distilled-set.js';
import { herding } from '../src/data/selection/herding.js';
import { randomReal } from '../src/data/selection/random-real.js';
import type { Device } from '../src/engine/device.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { evaluate } from '../src/eval/evaluate.js';
import { summarise } from '../src/eval/statistics.js';
import { Trial } from '../src/eval/trial.js';
import { createNetwork } from '../src/networks/index.js';
import { trainNetworks } from '../src/runs/train-networks.js';
import { learnedSet, stepsOf } from './harness/distilled-set.js';

let device: Device;
beforeAll(() => {
  device = new ReferenceDevice();
});
afterAll(() => device.dispose());

describe('evaluation', () => {
  const digits = generateDigits({ train: 60, validation: 20, test: 40 });
  const network = { name: 'mlp', inputShape: digits.imageShape, classes: 10, width: 6 };
  const labels = Float32Array.from({ length: 200 }, (_, i) =>
    Math.floor(i / 10) % 10 === i % 10 ? 0.9 : 0.01,
  );
  let set: DistilledSet;
  beforeAll(async () => {
    set = learnedSet({
      ...{ network, labels, seed: 3, steps: 2, learningRates: Float32Array.of(0.1, 0.05) },
      images: await randomReal(digits, 2, 9, 0),
    });
  });

  it('compares architectures and baselines, the same twice, and by class', async () => {
    const options = {
      networks: 3,
      architectures: [{ name: 'mlp', width: 9 }],
      baselines: ['randomReal', 'herding', 'neighboursOfRandom'],
    };
    const one = await evaluate(device, digits, set, options);
    expect(Object.keys(one.baselines)).toEqual(['randomReal', 'herding', 'neighboursOfRandom']);
    expect(one.baselines.neighboursOfRandom.learningRate).toBeUndefined();
    expect(one.baselines.neighboursOfRandom.networks).toBe(10);
    const [other] = one.others;
    expect(other.network).toBe('mlp:width=9');
    expect(Object.keys(other.baselines)).toEqual(['randomReal', 'herding']);
    expect([other.accuracy.networks, other.baselines.herding.networks]).toEqual([3, 3]);
    const counts = classCounts(digits.test.labels, 10);
    for (const { perClass, accuracy } of [one, other]) {
      const mean = perClass.reduce((sum, value, k) => sum! + (value! * counts[k]) / 40, 0);
      expect(mean).toBeCloseTo(accuracy.mean, 9);
    }
    expect(await evaluate(device, digits, set, options)).toEqual(one);
  });

  it('trains other architectures as often as the protocol says, whatever the set has initialisations', async () => {
    const { count } = createNetwork(network);
    const initialParameters = Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 28);
    const fixed = { ...set, use: { ...stepsOf(set), init: 'fixed', initialParameters } as const };
    const options = { architectures: [{ name: 'mlp', width: 3 }], withBaselines: false };
    const { accuracy, others } = await evaluate(device, digits, fixed, options);
    expect([accuracy.networks, others[0].accuracy.networks]).toEqual([1, 20]);
  });

  it('compares with as many real images as there are stored pictures, whatever they decode to', async () => {
    const options = { protocol: 'dc', epochs: 5, networks: 2, baselines: ['randomReal', 'classMeans'] };
    const packed = { ...set, stored: { ...set.stored, pictures: 10 } };
    const [images, classes] = [set.images.subarray(0, set.images.length / 2), set.classes.subarray(0, 10)];
    const use = { ...stepsOf(set), steps: 1, learningRates: stepsOf(set).learningRates.subarray(0, 1) };
    const half = { ...set, images, classes, labels: labels.subarray(0, 100) };
    const small = { ...half, stored: { ...set.stored, pictures: 10 }, use };
    const of = async (one: DistilledSet) => (await evaluate(device, digits, one, options)).baselines;
    const expected = await of(small);
    expect(await of(packed)).toEqual(expected);
    expect(await of(set)).not.toEqual(expected);
  });

  it('takes one rate for all steps as that rate in every step', async () => {
    const geometry = { network: createNetwork(network), steps: 2, epochs: 1, n: 10 };
    const trial = new Trial(device, digits, { geometry, networks: 3, seed: 3 });
    const rates = [0.02, 0.1, 0.5];
    const runs = (repeats: number) =>
      rates.map((rate, i) => ({
        network: i,
        images: set.images,
        labels,
        rates: new Array<number>(repeats).fill(rate),
      }));
    const one = await trial.test(runs(1));
    const two = await trial.test(runs(2));
    trial.dispose();
    expect(one).toEqual(two);
    expect(new Set(one.map(String)).size).toBeGreaterThan(1);
  });

  it('says before any work that there is nothing to test on', async () => {
    const nobody = { images: new Uint8Array(0), labels: new Uint8Array(0), count: 0 };
    const empty = { ...digits, test: nobody };
    const nothing = { code: 'ERR_DATA', message: expect.stringContaining('no test images') };
    await expect(evaluate(device, empty, set)).rejects.toMatchObject(nothing);
    const onProgress = () => expect.unreachable('it trained');
    await expect(trainNetworks(device, empty, { network, onProgress })).rejects.toMatchObject(nothing);
  });

  it('tests the draws that are best on the validation split', async () => {
    const options = { networks: 9, baselines: ['randomReal', 'bestOfRandom'] };
    const { baselines } = await evaluate(device, digits, set, options);
    const { learningRate, mean, std } = baselines.bestOfRandom;
    expect(learningRate).toBe(baselines.randomReal.learningRate);

    const geometry = { network: createNetwork(network), steps: 2, epochs: 1, n: 10 };
    const trial = new Trial(device, digits, { geometry, networks: 9, seed: 3 });
    const hard = labels.map((value) => (value > 0.5 ? 1 : 0));
    const run = async (network: number, draw: number, rate = learningRate!) => ({
      network,
      images: await randomReal(digits, 2, 3, draw),
      labels: hard,
      rates: [rate, rate],
    });
    // The rate that four networks do best with, the first of equals.
    const grid = [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1];
    const sums: number[] = [];
    for (const rate of grid) {
      const runs = await Promise.all([0, 1, 2, 3].map((i) => run(i, i, rate)));
      sums.push((await trial.validate(runs)).reduce((a, b) => a + b));
    }
    expect(learningRate).toBe(grid[sums.indexOf(Math.max(...sums))]);
    const score: number[] = [];
    for (let draw = 0; draw < 20; draw++) {
      const runs = await Promise.all([0, 1, 2, 3].map((i) => run(i, draw)));
      score.push((await trial.validate(runs)).reduce((a, b) => a + b));
    }
    const kept = [...score.keys()].sort((a, b) => score[b] - score[a] || a - b).slice(0, 8);
    const runs = await Promise.all([...Array(9).keys()].map((i) => run(i, kept[i % 8])));
    const answers = await trial.test(runs);
    trial.dispose();
    const expected = summarise(
      answers.map((counts) => (100 * counts.reduce((sum, row, k) => sum + row[k], 0)) / 40),
    );
    expect(Math.max(...score)).toBeGreaterThan(Math.min(...score));
    expect({ mean, std }).toEqual({ mean: expected.mean, std: expected.std });
  });

  it('chooses among rates a hundredth as large where Adam trains', async () => {
    const training = { optimizer: { kind: 'adam' }, loss: 'cross-entropy' } as const;
    const adam = { ...set, use: { ...stepsOf(set), training } };
    const { baselines } = await evaluate(device, digits, adam, { networks: 1, baselines: ['herding'] });

    const geometry = { network: createNetwork(network), steps: 2, epochs: 1, n: 10, training };
    const trial = new Trial(device, digits, { geometry, networks: 1, seed: 3 });
    const images = await herding(digits, 2, 3, 0);
    const hard = labels.map((value) => (value > 0.5 ? 1 : 0));
    const grid = [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1].map((rate) => rate / 100);
    const sums: number[] = [];
    for (const rate of grid) {
      const runs = [0, 1, 2, 3].map((network) => ({ network, images, labels: hard, rates: [rate, rate] }));
      sums.push((await trial.validate(runs)).reduce((a, b) => a + b));
    }
    trial.dispose();
    expect(baselines.herding.learningRate).toBe(grid[sums.indexOf(Math.max(...sums))]);
  });

  it('trains network i alike whatever the number of networks', async () => {
    const geometry = { network: createNetwork(network), steps: 2, epochs: 1, n: 10 };
    const results = [];
    for (const networks of [3, 12]) {
      const common = { geometry, networks, seed: 3 } as const;
      const trial = new Trial(device, digits, common);
      const runs = Array.from({ length: networks }, (_, i) => ({
        network: i,
        images: set.images,
        labels: set.labels,
        rates: stepsOf(set).learningRates,
      }));
      results.push(await trial.test(runs));
      trial.dispose();
    }
    expect(results[1].slice(0, 3)).toEqual(results[0]);
    expect(new Set(results[1].map(String)).size).toBeGreaterThan(6);
    for (const later of [10, 11]) expect(results[1].slice(0, 10)).not.toContainEqual(results[1][later]);
    expect(device.memory()).toMatchObject({ tensors: 0, executables: 0 });
  });

  it('takes the largest part of a label as its class where the protocol has hard labels', async () => {
    const soft = Float32Array.from(labels, (value) => (value > 0.5 ? 0.12 : 0.1));
    const hard = labels.map((value) => (value > 0.5 ? 1 : 0));
    const options = { protocol: 'dc', networks: 2, epochs: 20, withBaselines: false };
    const one = await evaluate(device, digits, { ...set, labels: soft }, options);
    expect(one).toEqual(await evaluate(device, digits, { ...set, labels: hard }, options));
  });

  it.each<[string, (set: DistilledSet) => DistilledSet, number]>([
    ['mean of the learned rates', (set) => set, Math.fround(0.1) / 2 + Math.fround(0.05) / 2],
    [
      'rate that was learned for ordinary training',
      (set) => ({ ...set, use: { kind: 'minibatches', protocol: 'tesla', learningRate: 0.0625 } }),
      0.0625,
    ],
  ])('trains at the %s where a protocol takes it', async (_, made, learningRate) => {
    const whitened = { ...digits, zca: {} as NonNullable<Dataset['zca']> };
    const common = { protocol: 'tesla', networks: 2, epochs: 20, withBaselines: false };
    const { accuracy, perClass } = await evaluate(device, whitened, made(set), common);
    const same = await evaluate(device, whitened, set, { ...common, learningRate });
    expect([accuracy, perClass]).toEqual([same.accuracy, same.perClass]);
    const usual = await evaluate(device, whitened, set, { ...common, learningRate: 0.01 });
    expect(usual.perClass).not.toEqual(perClass);
  });

  it('trains under a protocol and says so', async () => {
    const result = await evaluate(device, digits, set, {
      protocol: 'dc',
      networks: 1,
      baselines: ['herding'],
    });
    expect(result.protocol).toMatch(
      /^mlp:width=6, protocol dc: SGD with momentum 0.9, weight decay 0.0005 at rate 0.01, .*301 epochs in batches of 256/,
    );
    expect(result.baselines.herding.learningRate).toBe(0.01);
    expect(result.accuracy.mean).toBeGreaterThan(20);
  });
});
