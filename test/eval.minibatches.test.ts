import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateDigits } from '../src/data/digits.js';
import { randomReal } from '../src/data/selection/random-real.js';
import type { Device } from '../src/engine/device.js';
import { loadWithTensors } from '../src/engine/load.js';
import * as gather from '../src/engine/ops/gather.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { reshape, slice } from '../src/engine/view.js';
import { Evaluator } from '../src/eval/evaluator.js';
import { createNetwork } from '../src/networks/index.js';
import {
  batchesOf,
  declareMinibatches,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../src/train/minibatch.js';
import { streams } from '../src/train/streams.js';
import { Owned } from '../src/util/owned.js';
import { keyedPermutation, Stream } from '../src/util/random.js';
import { relativeError } from './harness/close.js';

let device: Device;
beforeAll(() => {
  device = new ReferenceDevice();
});
afterAll(() => device.dispose());

const sgd: MinibatchTraining = {
  optimizer: { kind: 'momentum', momentum: 0.9, weightDecay: 0.05 },
  loss: 'cross-entropy',
  batch: 4,
  epochs: 4,
  schedule: { kind: 'halfway' },
};

describe('training in minibatches', () => {
  const [rows, D, H, K] = [7, 3, 4, 2];
  const network = createNetwork({ name: 'mlp', inputShape: [1, 1, D], classes: K, width: H });
  const stream = new Stream(8, 9);
  const images = Float64Array.from({ length: rows * D }, (_, i) => stream.normal(i));
  const labels = Float64Array.from({ length: rows * K }, (_, i) =>
    Math.floor(i / K) % K === i % K ? 0.8 : 0.2,
  );
  const start = Float64Array.from({ length: network.count }, (_, i) => stream.normal(1000 + i) / 2);

  /** Loss gradient of one batch by the chain rule on arrays: three linear layers with ReLU between them. */
  function gradient(theta: Float64Array, batch: readonly number[], loss: string): Float64Array {
    const g = new Float64Array(theta.length);
    const sizes = [D, H, H, K];
    const offsets = [0, 1, 2].map((l) =>
      [0, 1, 2].slice(0, l).reduce((sum, i) => sum + sizes[i + 1] * (sizes[i] + 1), 0),
    );
    for (const row of batch) {
      const a = [[...images.subarray(row * D, (row + 1) * D)]];
      for (let l = 0; l < 3; l++) {
        const [n, m] = [sizes[l], sizes[l + 1]];
        const z = Array.from({ length: m }, (_, o) =>
          a[l].reduce((sum, x, i) => sum + theta[offsets[l] + o * n + i] * x, theta[offsets[l] + m * n + o]),
        );
        a.push(l < 2 ? z.map((value) => Math.max(0, value)) : z);
      }
      const z = a[3];
      const y = [...labels.subarray(row * K, (row + 1) * K)];
      const all = z.reduce((sum, value) => sum + Math.exp(value), 0);
      const squared = loss === 'squared-error';
      const answer = squared ? z : z.map((value) => Math.exp(value) / all);
      let bar = answer.map((value, k) => ((value - y[k]) * (squared ? 2 / K : 1)) / batch.length);
      for (let l = 2; l >= 0; l--) {
        const [n, m] = [sizes[l], sizes[l + 1]];
        const before = new Array<number>(n).fill(0);
        for (let o = 0; o < m; o++) {
          g[offsets[l] + m * n + o] += bar[o];
          for (let i = 0; i < n; i++) {
            g[offsets[l] + o * n + i] += bar[o] * a[l][i];
            before[i] += bar[o] * theta[offsets[l] + o * n + i];
          }
        }
        bar = before.map((value, i) => (a[l][i] > 0 ? value : 0));
      }
    }
    return g;
  }

  function byHand(training: MinibatchTraining, rate: number): Float64Array {
    const theta = Float64Array.from(start);
    const m = new Float64Array(theta.length);
    const s = new Float64Array(theta.length);
    // Seven images in batches of at most four: two batches of four an epoch, running on into the next.
    for (let t = 0; t < 8; t++) {
      const batch = [0, 1, 2, 3].map((b) => {
        const at = 4 * t + b;
        return keyedPermutation([5, 0, streams.minibatch, Math.floor(at / rows)], rows, at % rows);
      });
      const g = gradient(theta, batch, training.loss);
      const epoch = Math.floor(t / 2);
      const { kind, weightDecay = 0 } = training.optimizer;
      let now = rate;
      // Epochs 0 to 2 at the whole rate: two and a half would be half of them, and the epoch after that one still is.
      if (training.schedule.kind === 'halfway' && epoch >= 3) now = rate / 10;
      if (training.schedule.kind === 'cosine') now = (rate * (1 + Math.cos((Math.PI * t) / 8))) / 2;
      if (training.restart && t === 6) m.fill(0);
      for (let i = 0; i < theta.length; i++) {
        const d = kind === 'adamw' ? g[i] : g[i] + weightDecay * theta[i];
        if (kind === 'adamw') theta[i] -= now * weightDecay * theta[i];
        if (kind.startsWith('adam')) {
          m[i] = 0.9 * m[i] + 0.1 * d;
          s[i] = 0.999 * s[i] + 0.001 * d ** 2;
          theta[i] -=
            (now * (m[i] / (1 - 0.9 ** (t + 1)))) / (Math.sqrt(s[i] / (1 - 0.999 ** (t + 1))) + 1e-8);
        } else {
          m[i] = (kind === 'sgd' ? 0 : 0.9) * m[i] + d;
          theta[i] -= now * (kind === 'nesterov' ? d + 0.9 * m[i] : m[i]);
        }
      }
    }
    return theta;
  }

  const adam = {
    ...sgd,
    optimizer: { kind: 'adam', weightDecay: 0.05 },
    schedule: { kind: 'cosine' },
  } as const;
  it.each<[string, MinibatchTraining, number]>([
    ['momentum', sgd, 0.2],
    ['momentum that begins anew', { ...sgd, restart: true }, 0.2],
    ['nesterov', { ...sgd, optimizer: { kind: 'nesterov' }, restart: true }, 0.1],
    [
      'plain sgd',
      { ...sgd, optimizer: { kind: 'sgd', weightDecay: 0.1 }, schedule: { kind: 'constant' } },
      0.2,
    ],
    ['adam on the squared error', { ...adam, loss: 'squared-error' }, 0.05],
    ['adamw', { ...adam, optimizer: { kind: 'adamw', weightDecay: 0.1 } }, 0.05],
  ])('%s takes the steps of a loop written out in float64', async (_, training, rate) => {
    expect(batchesOf(training, rows)).toEqual({ perEpoch: 2, size: 4, steps: 8 });
    const r = new Recorder('minibatches');
    const data = r.external('images', 1, [rows, 1, 1, D]);
    const y = r.external('labels', 1, [rows, 1, 1, K]);
    const ones = r.external('ones', 1, [2]);
    const same = { gain: slice(ones, 0, [1]), shift: slice(ones, 1, [1]) };
    declareMinibatches(r, 1, {
      network,
      training,
      rows,
      gather: (r, index) => ({
        x: gather.images(r, { data, index, ...same }),
        y: reshape(gather.images(r, { data: y, index, ...same }), [4, K]),
      }),
    });
    const owned = new Owned();
    const { tensors, executable } = await loadWithTensors(device, r.program(), owned);
    await tensors.images.write(images);
    await tensors.labels.write(labels);
    await tensors.ones.write([1, 0]);
    const expected = byHand(training, rate);
    // In one piece, and in pieces that end before, at and behind the step at which the optimiser begins anew.
    for (const ends of [[8], [5, 6, 7, 8]]) {
      await tensors.theta.write(start);
      await startMinibatches(tensors, training, { rows, rate, seed: 5 });
      for (const [i, end] of ends.entries())
        await runMinibatches(executable, tensors, training, { rows, first: i ? ends[i - 1] : 0, end });
      const trained = await tensors.theta.read();
      expect(relativeError(trained, expected)).toBeLessThan(1e-12);
    }
    owned.dispose();
  });

  it('momentum goes on unless asked to begin anew', () => {
    expect(relativeError(byHand({ ...sgd, restart: true }, 0.2), byHand(sgd, 0.2))).toBeGreaterThan(0.01);
  });

  it('keeps the members of a population apart and starts every run anew', async () => {
    const digits = generateDigits({ train: 20, validation: 10, test: 30 });
    const mlp = createNetwork({ name: 'mlp', inputShape: digits.imageShape, classes: 10, width: 5 });
    const geometry = {
      network: mlp,
      steps: 2,
      epochs: 1,
      n: 10,
      minibatches: { ...sgd, epochs: 3 },
      seed: 1,
    };
    const draws = [await randomReal(digits, 2, 0, 0), await randomReal(digits, 2, 0, 1)];
    const labels = Float32Array.from({ length: 200 }, (_, i) => (Math.floor(i / 10) % 10 === i % 10 ? 1 : 0));
    const theta = Float32Array.from({ length: 2 * mlp.count }, (_, i) => stream.normal(i) / 10);
    const two = await Evaluator.create(device, digits, digits.test, { ...geometry, members: 2 });
    const one = await Evaluator.create(device, digits, digits.test, { ...geometry, members: 1 });
    const images = Float32Array.from([...draws[0], ...draws[1]]);
    const together = await two.answers({ images, labels, learningRates: [0.1] }, theta);
    for (const p of [0, 1]) {
      const parameters = theta.subarray(p * mlp.count, (p + 1) * mlp.count);
      const alone = await one.answers({ images: draws[p], labels, learningRates: [0.1] }, parameters);
      expect(alone[0]).toEqual(together[p]);
    }
    two.dispose();
    one.dispose();
  });
});
