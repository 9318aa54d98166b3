/** Networks as ONNX files, held to the float64 reference by a runtime of others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createNetwork,
  type Device,
  encodeModel,
  exportOnnx,
  type Model,
  type NetworkOptions,
  networkNames,
  openDevice,
  predict,
} from '../src/index.js';
import { Stream } from '../src/util/random.js';
import { buildWhereStale, commandLine } from './harness/command-line.js';
import { madeFolders } from './harness/folders.js';

env.wasm.numThreads = 1;

let device: Device;
let cpu: Device;
beforeAll(async () => {
  [device, cpu] = [await openDevice('reference'), await openDevice('cpu')];
});
afterAll(() => Promise.all([device.dispose(), cpu.dispose()]));

/** A network whose numbers are all random; norms neither begin as 1 and 0 nor have statistics of nothing. */
function modelOf(options: NetworkOptions, networks = 1): Model {
  const { parameters, count, statisticsCount, inputShape, classes } = createNetwork(options);
  const source = new Stream(5, 0);
  const theta = new Float32Array(networks * count);
  for (let p = 0; p < networks; p++)
    for (const { kind, fanIn, offset, shape } of parameters)
      for (let i = p * count + offset; i < p * count + offset + shape.reduce((a, b) => a * b, 1); i++)
        theta[i] = (kind === 'scale' ? 1 : 0) + source.normal(i) / (kind === 'weight' ? Math.sqrt(fanIn) : 4);
  const statistics = Float32Array.from(
    { length: networks * statisticsCount },
    (_, i) => 0.6 + Math.abs(source.normal(1e6 + i)) / 2,
  );
  return {
    ...{ network: options, parameters: theta, loss: 'squared-error' as const },
    ...(statisticsCount && { statistics }),
    classNames: Array.from({ length: classes }, (_, k) => `class ${k}`),
    normalisation: {
      mean: [0.5, 0.4, 0.3].slice(0, inputShape[0]),
      std: [0.2, 0.3, 0.4].slice(0, inputShape[0]),
    },
    notes: { dataset: 'random', trainedOn: 'nothing', protocol: 'not at all' },
  };
}

const pixels = (count: number) => {
  const source = new Stream(6, 0);
  return Float32Array.from({ length: count }, (_, i) => 0.5 + source.normal(i) / 5);
};

async function run(bytes: Uint8Array, images: Float32Array, [C, H, W]: readonly number[]) {
  const session = await InferenceSession.create(bytes);
  const shape = [images.length / (C * H * W), C, H, W];
  const outputs = await session.run({ images: new Tensor('float32', images, shape) });
  const read = (name: string) => outputs[name]?.data as Float32Array;
  const { outputNames } = session;
  await session.release();
  return { outputNames, logits: read('logits'), probabilities: read('probabilities') };
}

/** The largest difference, relative to the largest logit where that is above 1. */
function errorOf(logits: Float32Array, expected: Float32Array): number {
  expect(logits).toHaveLength(expected.length);
  const largest = expected.reduce((most, score) => Math.max(most, Math.abs(score)), 0);
  expect(largest).toBeGreaterThan(0.01);
  return Math.max(...logits.map((logit, i) => Math.abs(logit - expected[i]))) / Math.max(largest, 1);
}

/** Holds a network's logits to the reference, for one image and for three. */
async function agrees(model: Model) {
  const { inputShape } = model.network;
  const bytes = exportOnnx(model);
  for (const count of [1, 3]) {
    const images = pixels(count * inputShape.reduce((a, b) => a * b, 1));
    const { scores } = await predict(device, model, images);
    const { logits } = await run(bytes, images, inputShape);
    // In the deepest networks float32 itself is further off, here as there.
    const rounding = errorOf((await predict(cpu, model, images)).scores, scores);
    expect(errorOf(logits, scores)).toBeLessThan(Math.max(1e-5, 5 * Math.min(rounding, 1e-5)));
  }
}

const grey = { inputShape: [1, 28, 28], classes: 10 } as const;
const colour = { inputShape: [3, 32, 32], classes: 4 } as const;

const sentence = { inputShape: [1, 9, 12], classes: 3 } as const;

/** Every network of the list, narrow where that is an option. */
const networks: Record<string, object> = {
  alexcifarnet: colour,
  alexnet: { ...colour, width: 8 },
  convlstm: { ...sentence, filters: 5 },
  convnet: { ...grey, width: 8 },
  custom: { ...grey, layers: [{ linear: 5 }, 'tanh', { linear: 10 }] },
  lenet: grey,
  lstm: { ...sentence, hidden: 7 },
  mlp: { ...grey, width: 16 },
  resnet18: { ...colour, width: 4 },
  resnet34: { ...colour, width: 4, norm: 'batch' },
  resnet50: { ...colour, width: 4, downsampling: 'avg' },
  rnn: { ...sentence, hidden: 6 },
  textconvnet: { ...sentence, filters: 8 },
  vgg11: { ...colour, width: 4 },
  vgg13: { ...colour, width: 4, norm: 'batch' },
  vgg16: { ...colour, width: 4 },
  vgg19: { ...colour, width: 4 },
};

const small = { name: 'convnet', inputShape: [3, 16, 12], classes: 3, width: 8, depth: 2 } as const;
const custom = (...layers: object[]) => ({
  ...{ name: 'custom', inputShape: [3, 9, 8] as const, classes: 3 },
  layers: [...layers, { linear: 3 }],
});
const flat = { linear: 6 };

/** Layers as no network of the list has them. */
const more: [string, NetworkOptions][] = [
  ...['instance', 'batch', 'layer', 'group', 'one-group', 'none'].map((norm) => [
    `norm ${norm}`,
    { ...small, norm },
  ]),
  ...['relu', 'leakyrelu', 'sigmoid', 'tanh', 'softplus', 'gelu', 'swish'].map((activation) => [
    `activation ${activation}`,
    { ...small, activation },
  ]),
  ...['avg', 'max', 'none'].map((pooling) => [`pooling ${pooling}`, { ...small, pooling }]),
  ...['rnn', 'lstm'].flatMap((name) =>
    [1, 2].map((layers) => [
      `${name} of ${layers}, one way`,
      { ...sentence, name, hidden: 4, layers, bidirectional: false },
    ]),
  ),
  ['lstm of one layer, both ways', { ...sentence, name: 'lstm', hidden: 5, layers: 1 }],
  ['one logit', { ...small, classes: 2, logits: 1 }],
  ['groups and dilation', custom({ conv: 6, kernel: 3, groups: 3, dilation: 2, padding: 1, stride: 2 })],
  ['a convolution without bias', custom({ conv: 4, kernel: 2, bias: false }, { dropout: 0.5 })],
  [
    'a transposed convolution',
    custom({ conv: 3, kernel: 3, stride: 2 }, { convTranspose: 2, kernel: 4, stride: 2, padding: 1 }),
  ],
  ['overlapping pools', custom({ maxPool: 3, stride: 2, padding: 1 }, { avgPool: 3, stride: 1, padding: 1 })],
  ['global pooling', custom({ conv: 4, kernel: 3 }, 'globalAvgPool' as never)],
  ['local response norm, even', custom({ conv: 7, kernel: 3 }, { localResponseNorm: 4, alpha: 2, k: 0.5 })],
  ['local response norm, odd', custom({ conv: 7, kernel: 3 }, { localResponseNorm: 3, alpha: 2, beta: 1.5 })],
  ['a steep leaky ReLU', custom({ conv: 4, kernel: 3 }, { leakyRelu: 0.3 })],
  ...['batchNorm', 'layerNorm'].map((norm) => [`${norm} of features`, custom(flat, norm as never)]),
  ['group norm of features', custom(flat, { groupNorm: 2 })],
  [
    'a block within a block',
    custom({
      residual: [{ conv: 4, kernel: 1 }, 'batchNorm', { residual: [{ conv: 4, kernel: 1 }, 'batchNorm'] }],
      shortcut: [{ conv: 4, kernel: 1 }, 'batchNorm'],
    }),
  ],
] as [string, NetworkOptions][];

describe('an ONNX file gives the logits of the network', () => {
  it('of every one of the list', () => {
    expect(Object.keys(networks).sort()).toEqual([...networkNames].sort());
  });
  it.each(Object.entries(networks))('%s', async (name, options) => {
    await agrees(modelOf({ name, ...options } as NetworkOptions));
  });
  it.each(more)('%s', async (_, options) => {
    await agrees(modelOf(options));
  });
  it('of whitened images', async () => {
    const model = modelOf({ name: 'mlp', inputShape: [3, 4, 2], classes: 3, width: 4 });
    const half = pixels(24 * 24);
    const symmetric = Float32Array.from(half, (value, i) => value + half[(i % 24) * 24 + Math.floor(i / 24)]);
    const zca = { mean: pixels(24), transform: symmetric };
    await agrees({ ...model, normalisation: { mean: [0, 0, 0], std: [1, 1, 1], zca } });
  });
});

describe('an ONNX file', () => {
  const options: NetworkOptions = { ...small, norm: 'batch' };
  const images = pixels(3 * 16 * 12);

  it('has probabilities where the network has them', async () => {
    for (const loss of ['cross-entropy', 'binary-cross-entropy'] as const) {
      const model = { ...modelOf(options), loss };
      const { scores } = await predict(device, model, images);
      const { outputNames, probabilities } = await run(exportOnnx(model), images, small.inputShape);
      expect(outputNames).toEqual(['logits', 'probabilities']);
      for (const [i, score] of scores.entries())
        expect(Math.abs(probabilities[i] - score)).toBeLessThan(1e-5);
    }
    const { outputNames } = await run(exportOnnx(modelOf(options)), images, small.inputShape);
    expect(outputNames).toEqual(['logits']);
  });

  it('is of one of several networks', async () => {
    const model = modelOf(options, 2);
    const of = async (member: number) =>
      (await run(exportOnnx(model, { member }), images, small.inputShape)).logits;
    const [one, other] = [await of(0), await of(1)];
    const { scores } = await predict(device, model, images);
    for (const [i, score] of scores.entries()) {
      expect(Math.abs((one[i] + other[i]) / 2 - score)).toBeLessThan(1e-5);
      expect(one[i]).not.toBe(other[i]);
    }
    for (const member of [2, -1, 0.5])
      expect(() => exportOnnx(model, { member })).toThrow(/expected a whole number from 0 to 1/);
  });
});

describe('limbeck export', () => {
  const made = madeFolders('onnx');
  it('writes the file, and says where there is nothing to export', async () => {
    await buildWhereStale();
    const model = modelOf({ name: 'lenet', ...grey }, 2);
    const folder = await made.write({ 'net/network.safetensors': encodeModel(model) });
    const { limbeck } = commandLine(folder);
    const done = await limbeck('export', 'net', '--onnx', 'one.onnx', '--member', '1');
    expect(done).toEqual({
      status: 0,
      stdout: '',
      stderr: 'Wrote one.onnx: images ["N",1,28,28] of pixels in 0..1\n',
    });
    expect(new Uint8Array(readFileSync(join(folder, 'one.onnx')))).toEqual(exportOnnx(model, { member: 1 }));
    expect((await limbeck('export', 'net')).stderr).toMatch(/export needs a network and a file/);
    expect((await limbeck('export', 'none', '--onnx', 'a.onnx')).stderr).toMatch(/none cannot be read/);
  });
});
