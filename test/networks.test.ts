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
];

describe('networks', () => {
  test.each(counts)('%j has the published number of parameters: %i', (options, count) => {
    expect(create(options).count).toBe(count);
  });

  test('are found by reading the folder', () => {
    const names = ['alexcifarnet', 'convnet', 'custom', 'lenet', 'mlp', 'resnet18', 'vgg11'];
    expect([...networkNames].sort()).toEqual(names);
  });

  test.each([
    [{ name: 'convnet', ...grey, depth: 0 }, /depth is 0, expected a whole number of at least 1/],
    [{ name: 'convnet', ...grey, norm: 'weight' }, /norm is "weight", expected one of instance, batch/],
    [{ name: 'lenet', ...grey, width: 3 }, /lenet has no option width; it has: weights/],
    [
      { name: 'mlp', ...grey, weights: 'zero' },
      /weights is "zero", expected one of xavier, kaiming, pytorch/,
    ],
    [{ name: 'convnet', ...grey, norm: 'group', width: 6 }, /expected a number of channels that 4 divides/],
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
    ['xavier', Math.sqrt(2 / (784 + 100)), 0],
    ['kaiming', Math.sqrt(2 / 784), 0],
    ['pytorch', 1 / Math.sqrt(3 * 784), 1 / Math.sqrt(3 * 784)],
  ] as const)('%s: standard deviations of weights and biases', async (weights, ofWeights, ofBiases) => {
    const device = await openDevice('cpu');
    const network = createNetwork({ name: 'mlp', ...grey, inputShape: [1, 28, 28], width: 100, weights });
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
  });
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
