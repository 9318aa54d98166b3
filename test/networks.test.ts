import { describe, expect, test } from 'vitest';
import type { Tensor } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as elementwise from '../src/engine/ops/elementwise.js';
import * as random from '../src/engine/ops/random.js';
import { Recorder } from '../src/engine/program.js';
import { ReferenceDevice } from '../src/engine/reference.js';
import { slice } from '../src/engine/view.js';
import {
  createNetwork,
  type NetworkOptions,
  networkNames,
  parseNetworkSpec,
  printNetworkSpec,
  type WeightScheme,
} from '../src/networks/index.js';
import { metaGradient } from '../src/train/calls/meta-gradient.js';
import { drawNetworks } from '../src/train/initialise.js';
import { streams } from '../src/train/streams.js';
import { recordUnrolled } from '../src/train/unrolled.js';
import {
  add,
  constant,
  exp,
  gather,
  gradients,
  log,
  matmul,
  multiply,
  type Node,
  reciprocal,
  rowSums,
  scale,
  transpose,
} from './harness/autograd.js';
import { relativeError } from './harness/close.js';

const colour = { inputShape: [3, 32, 32] as const, classes: 10 };
const grey = { inputShape: [1, 28, 28] as const, classes: 10 };
const sentence = { inputShape: [1, 30, 100] as const, classes: 6 };
const create = (options: object) => createNetwork(options as NetworkOptions);

/** Published, or counted by hand from the published layers. */
const counts: [object, number][] = [
  [{ name: 'lenet', ...grey }, 61_706],
  [{ name: 'alexcifarnet', ...colour }, 1_756_426],
  [{ name: 'convnet', ...colour }, 320_010],
  [{ name: 'convnet', ...colour, classes: 100 }, 504_420],
  [{ name: 'convnet', ...grey }, 317_706],
  [{ name: 'convnet', ...colour, inputShape: [3, 64, 64], depth: 4, classes: 200 }, 857_160],
  [{ name: 'convnet', ...colour, inputShape: [3, 128, 128], depth: 5 }, 615_690],
  [{ name: 'mlp', ...grey }, 784 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10],
  [{ name: 'vgg11', ...colour, norm: 'batch' }, 9_231_114],
  [{ name: 'resnet18', ...colour, norm: 'batch' }, 11_173_962],
  [{ name: 'vgg13', ...colour, norm: 'batch' }, 9_416_010],
  [{ name: 'vgg16', ...colour, norm: 'batch' }, 14_728_266],
  [{ name: 'vgg19', ...colour, norm: 'batch' }, 20_040_522],
  [{ name: 'resnet34', ...colour, norm: 'batch' }, 21_282_122],
  [{ name: 'resnet50', ...colour, norm: 'batch' }, 23_520_842],
  [{ name: 'alexnet', ...colour }, 1_872_202],
  [{ name: 'alexnet', ...grey }, 1_865_802],
  // Grey images of any size are padded by 3, so that those of 16x16 make maps of 20x20, 10x10, 5x5 and 2x2.
  [{ name: 'convnet', ...grey, inputShape: [1, 16, 16] }, 317_706 - 128 * (16 - 4) * 10],
  [{ name: 'vgg11', ...grey }, 9_231_114 - 2 * 9 * 64],
  [{ name: 'convnet', ...grey, norm: 'layer' }, 317_706 + 2 * 128 * (32 * 32 + 16 * 16 + 8 * 8 - 3)],
  [{ name: 'convnet', ...grey, norm: 'one-group' }, 317_706],
  [{ name: 'textconvnet', ...sentence }, 122_106],
  [{ name: 'rnn', ...sentence }, 102_006],
  [{ name: 'lstm', ...sentence }, 404_406],
  [{ name: 'convlstm', ...sentence }, 3_922],
  [{ name: 'lenet', ...grey, classes: 2, logits: 1 }, 61_706 - 9 * 85],
];

describe('networks', () => {
  test.each(counts)('%j has the published number of parameters: %i', (options, count) => {
    expect(create(options).count).toBe(count);
  });

  test('are found by reading the folder', () => {
    const first = ['alexcifarnet', 'alexnet', 'convnet', 'custom', 'lenet', 'mlp'];
    const sequences = ['textconvnet', 'rnn', 'lstm', 'convlstm'];
    const families = ['resnet18', 'resnet34', 'resnet50', 'vgg11', 'vgg13', 'vgg16', 'vgg19'];
    expect([...networkNames].sort()).toEqual([...first, ...sequences, ...families].sort());
  });

  test.each([
    [{ name: 'convnet', ...grey, depth: 0 }, /depth is 0, expected a whole number of at least 1/],
    [{ name: 'convnet', ...grey, norm: 'weight' }, /norm is "weight", expected one of instance, batch/],
    [{ name: 'lenet', ...grey, width: 3 }, /lenet has no option width; it has: weights, gain, logits/],
    [
      { name: 'mlp', ...grey, weights: 'zero' },
      /weights is "zero", expected one of xavier, xavier-uniform, kaiming, kaiming-uniform, orthogonal, pytorch/,
    ],
    [{ name: 'lenet', ...grey, gain: -1 }, /gain is -1, expected a number above 0/],
    [{ name: 'convnet', ...grey, gain: 2 }, /gain is 2, but PyTorch's weights have none/],
    [{ name: 'mlp', ...grey, logits: 1 }, /logits is 1 for 10 classes, expected 1 for two classes/],
    [{ name: 'mlp', ...grey, classes: 2, logits: 2 }, /logits is 2 for 2 classes, expected 1 for two/],
    [{ name: 'convnet', ...grey, norm: 'group', width: 6 }, /expected a number of channels that 4 divides/],
    [{ name: 'textconvnet', ...sentence, dropout: 1 }, /dropout is 1, expected a number from 0 to below 1/],
    [{ name: 'textconvnet', ...sentence, inputShape: [1, 4, 9] }, /the height of the input is 4, too small/],
    [{ name: 'lstm', ...sentence, hidden: 0 }, /hidden is 0, expected a whole number of at least 1/],
    [{ name: 'custom', ...grey }, /custom has no layers/],
    [{ name: 'custom', ...grey, layers: ['rilu'] }, /layers\[0\] is "rilu", expected one of relu/],
    [{ name: 'custom', ...grey, layers: [{ conv: 4 }] }, /expected a whole number of at least 1 for kernel/],
    [{ name: 'custom', ...grey, layers: [{ linear: 2.5 }] }, /a whole number of at least 1 for linear/],
    [{ name: 'custom', ...grey, layers: [{ linear: 10, width: 3 }] }, /only linear in it/],
    [{ name: 'custom', ...grey, layers: [{ linear: 9 }] }, /the last layer gives \[9\], expected \[10\]/],
    [
      { name: 'custom', ...grey, layers: [{ residual: [{ conv: 4, kernel: 3, padding: 1 }] }] },
      /the branch gives \[4, 28, 28\] and the shortcut \[1, 28, 28\]/,
    ],
  ])('%j is refused', (options, message) => {
    expect(() => create(options)).toThrow(message);
  });

  test('have a text form', () => {
    const spec = { name: 'convnet', width: 64, norm: 'batch' };
    expect(parseNetworkSpec('convnet:width=64:norm=batch')).toEqual(spec);
    expect(printNetworkSpec(spec)).toBe('convnet:width=64:norm=batch');
    expect(() => parseNetworkSpec('convnet:64')).toThrow(/"64" is not an option, expected name=value/);
  });
});

describe('first weights', () => {
  test.each([
    ['xavier', undefined, Math.sqrt(2 / (784 + 100)), 0, 4],
    ['xavier', 3, 3 * Math.sqrt(2 / (784 + 100)), 0, 4],
    ['xavier-uniform', 0.5, 0.5 * Math.sqrt(2 / (784 + 100)), 0, Math.sqrt(3)],
    ['kaiming', undefined, Math.sqrt(2 / 784), 0, 4],
    ['kaiming', 1, Math.sqrt(1 / 784), 0, 4],
    ['kaiming-uniform', undefined, Math.sqrt(2 / 784), 0, Math.sqrt(3)],
    ['orthogonal', 2, 2 / Math.sqrt(784), 0, 3],
    ['pytorch', undefined, 1 / Math.sqrt(3 * 784), 1 / Math.sqrt(3 * 784), Math.sqrt(3)],
  ] as const)('%s, gain %j: deviations of weights and biases, and how far they go', async (...row) => {
    const [weights, gain, ofWeights, ofBiases, most] = row;
    const device = await openDevice('cpu');
    const network = createNetwork({ name: 'mlp', ...grey, width: 100, weights, gain });
    const theta = await device.tensor('f32', 40 * network.count);
    await drawNetworks(device, network, theta, 1, 1);
    const values = await theta.read();
    device.dispose();
    const deviation = (offset: number, length: number) => {
      let squares = 0;
      for (let p = 0; p < 40; p++)
        for (let i = 0; i < length; i++) squares += values[p * network.count + offset + i] ** 2;
      return Math.sqrt(squares / (40 * length));
    };
    expect(deviation(0, 78_400) / ofWeights - 1).toBeCloseTo(0, 2);
    if (ofBiases) expect(deviation(78_400, 100) / ofBiases - 1).toBeCloseTo(0, 1);
    else expect(deviation(78_400, 100)).toBe(0);
    const largest =
      Array.from(values.subarray(0, 78_400)).reduce((a, b) => Math.max(a, Math.abs(b)), 0) / ofWeights;
    // A uniform distribution ends at the root of three deviations, and comes close to it; a normal one goes on.
    if (most === Math.sqrt(3)) expect(Math.abs(largest - most)).toBeLessThan(1e-3);
    else expect(largest).toBeGreaterThan(most);
  });

  test('another scheme that is asked for has its usual gain, not that of the network', async () => {
    const device = await openDevice('reference');
    const drawn = async (weights: WeightScheme, gain?: number, initialisation?: WeightScheme) => {
      const network = createNetwork({ name: 'mlp', ...grey, width: 3, weights, gain });
      const theta = await device.tensor('f32', network.count);
      await drawNetworks(device, network, theta, 1, 1, 0, { initialisation });
      return theta.read();
    };
    expect(await drawn('xavier', 3, 'kaiming')).toEqual(await drawn('kaiming'));
    expect(await drawn('xavier', 3)).not.toEqual(await drawn('xavier'));
    await device.dispose();
  });

  test.each(['reference', 'cpu'] as const)(
    'orthogonal ones are orthonormal and uniform, on %s',
    async (engine) => {
      const device = await openDevice(engine);
      const options = { inputShape: [1, 1, 3] as const, classes: 3, weights: 'orthogonal' as const };
      // Tall, square and wide matrices, one of convolutions among them.
      const network = createNetwork({
        ...options,
        name: 'custom',
        layers: [{ conv: 8, kernel: 1 }, { conv: 4, kernel: 3, padding: 1 }, { linear: 12 }, { linear: 3 }],
      });
      const [P, seed] = [300, 1];
      const theta = await device.tensor('f32', P * network.count);
      await drawNetworks(device, network, theta, seed, 1);
      const values = await theta.read();
      await device.dispose();
      for (const { kind, shape, offset, name } of network.parameters) {
        if (kind !== 'weight') continue;
        const rows = shape[0];
        const columns = shape.slice(1).reduce((a, b) => a * b);
        const [vectors, length] = [Math.min(rows, columns), Math.max(rows, columns)];
        let mean = 0;
        for (let p = 0; p < P; p++) {
          const w = values.subarray(p * network.count + offset, p * network.count + offset + rows * columns);
          const at = (i: number, k: number) => (rows <= columns ? w[i * columns + k] : w[k * columns + i]);
          mean += w[0] / P;
          for (let i = 0; i < vectors; i++)
            for (let j = 0; j <= i; j++) {
              let product = 0;
              for (let k = 0; k < length; k++) product += at(i, k) * at(j, k);
              const error = Math.abs(product - (i === j ? 1 : 0));
              expect(error, name).toBeLessThan(engine === 'cpu' ? 1e-6 : 1e-14);
            }
        }
        // Of a uniform direction each coordinate has mean 0 and variance 1 / length: within four standard errors.
        expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(P * length));
      }
    },
  );
});

describe('a network of layers', () => {
  const layers = [
    { conv: 6, kernel: 5, padding: 2 },
    'relu',
    { maxPool: 2 },
    { conv: 16, kernel: 5 },
    'relu',
    { maxPool: 2 },
    { linear: 120 },
    'relu',
    { linear: 84 },
    'relu',
    { linear: 10 },
  ];

  test('computes what the named one does', async () => {
    const device = new ReferenceDevice();
    const sine = (length: number, by: number) =>
      Float64Array.from({ length }, (_, i) => 0.1 * Math.sin(by * i * i + i));
    const options = {
      parameters: sine(61_706, 0.7),
      images: sine(2 * 784, 0.3),
      labels: Float64Array.from({ length: 20 }, (_, i) => (i % 11 === 0 ? 1 : 0)),
      learningRates: [0.1, 0.05],
      steps: 1,
      epochs: 2,
      realImages: sine(3 * 784, 0.9),
      realLabels: Float64Array.from({ length: 30 }, (_, i) => (i % 11 === 0 ? 1 : 0)),
    };
    const inputShape = [1, 28, 28] as [number, number, number];
    const named = await metaGradient(device, {
      ...options,
      network: { name: 'lenet', inputShape, classes: 10 },
    });
    const network = { name: 'custom', inputShape, classes: 10, layers };
    const own = await metaGradient(device, { ...options, network });
    expect(own.loss).toBe(named.loss);
    // ReLU and pooling change places: the same winners, the same numbers.
    expect(relativeError(own.images, named.images)).toBeLessThan(1e-12);
  });

  test('with dropout: the sweep back through training draws its masks again', async () => {
    const [T, n, I, K] = [3, 2, 6, 2];
    const network = create({
      name: 'custom',
      inputShape: [1, 2, 3],
      classes: K,
      layers: [{ dropout: 0.5 }, { linear: K }, 'tanh', { dropout: 0.25 }],
    });
    const r = new Recorder('dropping');
    const state = r.external('state', 1, [4], 'u32');
    const loop = {
      network,
      theta: r.external('theta', 1, [network.count]),
      images: r.external('images', 1, [1, n, 1, 2, 3]),
      labels: r.external('labels', 1, [1, n, K]),
      rates: r.external('rates', 1, [T]),
      steps: 1,
      epochs: T,
      random: { state, stream: streams.dropout },
    };
    const real = { x: r.external('x', 1, [1, 1, 2, 3]), y: r.external('y', 1, [1, K]) };
    const results = {
      losses: r.external('losses', 1, [1]),
      images: r.external('imagesBar', 1, loop.images.shape),
    };
    recordUnrolled(r, 1, loop, real, results);
    // The masks themselves: dropout of ones, from the same address.
    const states = random.fork(r, { state }, { count: T, stream: streams.dropout });
    const ones = (length: number) => elementwise.fill(r, 1, r.temporary('ones', 1, [length]));
    for (let t = 0; t < T; t++)
      for (const [layer, rate, length] of [
        [0, 0.5, n * I],
        [1, 0.25, n * K],
      ]) {
        const source = { state: slice(states, 4 * t, [4]), x: ones(length) };
        const mask = random.dropout(r, source, { rate, stream: streams.dropout + layer, masks: 1 });
        elementwise.add(r, { a: mask, b: mask }, 1, 0, r.external(`mask${t}${layer}`, 1, [length]));
      }

    const device = new ReferenceDevice();
    const program = r.program();
    const tensors: Record<string, Tensor> = {};
    for (const { external, name, dtype, length, id } of program.slots)
      if (external) {
        const values = Float64Array.from({ length }, (_, i) => Math.sin(3 * id + i * i));
        tensors[name] = await device.tensor(dtype, length, name === 'state' ? [9, 0, 4, 0] : values);
      }
    const executable = await device.load(program, tensors);
    const value = Object.fromEntries(
      await Promise.all(
        Object.entries(tensors).map(async ([name, t]) => [name, Float64Array.from(await t.read())]),
      ),
    );
    await executable.run();
    const read = async (name: string) => constant(Float64Array.from(await tensors[name].read()));

    const images = constant(value.images);
    let theta = constant(value.theta);
    const range = (length: number, from: number) => Int32Array.from({ length }, (_, i) => from + i);
    const tanh = (x: Node) => {
      const e = exp(scale(x, 2));
      const one = constant(x.value.map(() => 1));
      return multiply(add(e, scale(one, -1)), reciprocal(add(e, one)));
    };
    const logits = (x: Node, rows: number) => {
      const w = transpose(gather(theta, range(K * I, 0)), K, I);
      const biases = Int32Array.from({ length: rows * K }, (_, i) => K * I + (i % K));
      return tanh(add(matmul(x, w, rows, I, K), gather(theta, biases)));
    };
    const crossEntropy = (z: Node, y: Node, rows: number) => {
      const row = Int32Array.from({ length: rows * K }, (_, i) => Math.floor(i / K));
      const logp = add(z, scale(gather(log(rowSums(exp(z), rows, K)), row), -1));
      return scale(rowSums(multiply(y, logp), 1, rows * K), -1 / rows);
    };
    for (let t = 0; t < T; t++) {
      const z = multiply(logits(multiply(images, await read(`mask${t}0`)), n), await read(`mask${t}1`));
      const [g] = gradients(crossEntropy(z, constant(value.labels), n), [theta]);
      theta = add(theta, scale(g, -value.rates[t]));
    }
    const loss = crossEntropy(logits(constant(value.x), 1), constant(value.y), 1);
    const [imagesBar] = gradients(loss, [images]);
    const masks = await Promise.all([0, 1, 2].map((t) => read(`mask${t}0`)));
    expect(new Set(masks.map((mask) => mask.value.join())).size).toBe(3);
    expect(relativeError(await tensors.losses.read(), loss.value)).toBeLessThan(1e-12);
    expect(relativeError(await tensors.imagesBar.read(), imagesBar.value)).toBeLessThan(1e-12);
  });
});
