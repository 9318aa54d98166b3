import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, EngineName, Numbers, Tensor } from '../src/engine/device.js';
import { openDevice } from '../src/engine/open.js';
import * as crossentropy from '../src/engine/ops/crossentropy.js';
import { add } from '../src/engine/ops/elementwise.js';
import { Recorder } from '../src/engine/program.js';
import { elements, type View } from '../src/engine/view.js';
import { gelu, leakyRelu, sigmoid, softplus, swish, tanh } from '../src/layers/activation.js';
import { avgPool } from '../src/layers/avg-pool.js';
import { batchNorm } from '../src/layers/batch-norm.js';
import { concat } from '../src/layers/concat.js';
import { conv } from '../src/layers/conv.js';
import { convTranspose } from '../src/layers/conv-transpose.js';
import { dropout } from '../src/layers/dropout.js';
import { globalAvgPool } from '../src/layers/global-avg-pool.js';
import { globalMaxPool } from '../src/layers/global-max-pool.js';
import { groupNorm } from '../src/layers/group-norm.js';
import * as registry from '../src/layers/index.gen.js';
import type { Layer } from '../src/layers/layer.js';
import { layerNorm } from '../src/layers/layer-norm.js';
import { linear } from '../src/layers/linear.js';
import { localResponseNorm } from '../src/layers/local-response-norm.js';
import { maxPool } from '../src/layers/max-pool.js';
import { oneLogit } from '../src/layers/one-logit.js';
import { lstm, rnn } from '../src/layers/recurrent.js';
import { relu } from '../src/layers/relu.js';
import { residual } from '../src/layers/residual.js';
import { rowsAsChannels } from '../src/layers/rows-as-channels.js';
import { sequence } from '../src/layers/sequence.js';
import { createNetwork } from '../src/networks/index.js';
import { Stream } from '../src/util/random.js';
import { dot } from './harness/close.js';

/** One instance of every layer in the folder; the test below fails when one is missing. */
const layers: Record<string, { layer: Layer; inputShape: number[]; random?: boolean }[]> = {
  activation: [leakyRelu(0.2), tanh(), sigmoid(), softplus(), gelu(), swish()].map((layer) => ({
    layer,
    inputShape: [3, 4, 5],
  })),
  avgPool: [
    { layer: avgPool({ kernel: 2, stride: 2, padding: 0 }), inputShape: [3, 6, 5] },
    { layer: avgPool({ kernel: [3, 2], stride: 2, padding: 1 }), inputShape: [2, 7, 6] },
  ],
  batchNorm: [
    { layer: batchNorm(), inputShape: [3, 4, 5] },
    { layer: batchNorm(), inputShape: [7] },
  ],
  concat: [
    {
      layer: concat(
        [conv(3, [3, 5], { stride: 1, padding: 0 }), globalMaxPool()],
        [conv(2, [2, 5], { stride: 1, padding: 0 }), globalMaxPool(), tanh()],
        [linear(4), batchNorm()],
      ),
      inputShape: [2, 6, 5],
    },
    // A branch without parameters, whose output has no tangent in a network's first layer, and dropout in two.
    { layer: concat([dropout(0.3)], [linear(2), dropout(0.4)]), inputShape: [2, 2, 3], random: true },
  ],
  conv: [
    { layer: conv(4, [2, 5], { stride: 1, padding: 0 }), inputShape: [3, 6, 5] },
    { layer: conv(4, 3, { stride: 1, padding: 1 }), inputShape: [3, 6, 5] },
    { layer: conv(5, 3, { stride: 2, padding: 0 }), inputShape: [2, 7, 7] },
    {
      layer: conv(6, 3, { stride: 2, padding: 2, groups: 2, dilation: 2, bias: false }),
      inputShape: [4, 8, 7],
    },
  ],
  convTranspose: [
    { layer: convTranspose(4, 4, { stride: 2, padding: 1 }), inputShape: [3, 3, 4] },
    { layer: convTranspose(2, 3, { stride: 1, padding: 0 }), inputShape: [3, 4, 3] },
  ],
  dropout: [
    { layer: dropout(0.5), inputShape: [3, 4, 5] },
    { layer: dropout(0.3), inputShape: [3, 4, 5], random: true },
  ],
  globalAvgPool: [{ layer: globalAvgPool(), inputShape: [4, 5, 3] }],
  globalMaxPool: [{ layer: globalMaxPool(), inputShape: [4, 5, 3] }],
  groupNorm: [
    { layer: groupNorm('instance'), inputShape: [3, 5, 5] },
    { layer: groupNorm(2), inputShape: [4, 3, 3] },
  ],
  layerNorm: [
    { layer: layerNorm(), inputShape: [3, 4, 5] },
    { layer: layerNorm(), inputShape: [7] },
  ],
  linear: [{ layer: linear(6), inputShape: [2, 3, 4] }],
  localResponseNorm: [
    { layer: localResponseNorm({ size: 4, alpha: 2, beta: 0.75, k: 1 }), inputShape: [7, 3, 5] },
    { layer: localResponseNorm({ size: 3, alpha: 1, beta: 1.25, k: 0.5 }), inputShape: [4, 6, 5] },
  ],
  maxPool: [
    { layer: maxPool({ kernel: 2, stride: 2, padding: 0 }), inputShape: [3, 6, 4] },
    { layer: maxPool({ kernel: 3, stride: 2, padding: 1 }), inputShape: [2, 7, 7] },
    { layer: maxPool({ kernel: [1, 4], stride: 4, padding: 0 }), inputShape: [3, 1, 9] },
  ],
  oneLogit: [{ layer: oneLogit(), inputShape: [1] }],
  recurrent: [
    { layer: rnn({ hidden: 4, layers: 1, bidirectional: false }), inputShape: [1, 5, 3] },
    { layer: rnn({ hidden: 5, layers: 2, bidirectional: true }), inputShape: [1, 4, 3] },
    { layer: rnn({ hidden: 3, layers: 1, bidirectional: true }), inputShape: [1, 1, 4] },
    { layer: lstm({ hidden: 4, layers: 1, bidirectional: false }), inputShape: [2, 3, 5] },
    { layer: lstm({ hidden: 3, layers: 2, bidirectional: false }), inputShape: [1, 5, 4] },
    { layer: lstm({ hidden: 4, layers: 3, bidirectional: true }), inputShape: [1, 4, 3] },
  ],
  relu: [{ layer: relu(), inputShape: [3, 4, 5] }],
  residual: [
    {
      layer: residual([conv(4, 3, { stride: 1, padding: 1 }), relu(), linear(24)], [linear(24)]),
      inputShape: [2, 3, 4],
    },
    { layer: residual([conv(3, 3, { stride: 1, padding: 1 })]), inputShape: [3, 4, 5] },
  ],
  rowsAsChannels: [{ layer: rowsAsChannels(), inputShape: [2, 3, 4] }],
  sequence: [
    {
      layer: sequence(conv(4, 3, { stride: 1, padding: 1 }), relu(), sequence(linear(5), relu()), linear(3)),
      inputShape: [2, 3, 4],
    },
  ],
};

test('every layer of the folder is in the table', () => {
  expect(Object.keys(layers).sort()).toEqual(Object.keys(registry).sort());
});

/** Runs a recording with normal numbers in every external slot that is only read, and returns all external slots. */
async function run(
  device: Device,
  record: (r: Recorder) => void,
  fill: Record<string, ArrayLike<number>> = {},
) {
  const r = new Recorder('identity');
  record(r);
  const program = r.program();
  const tensors: Record<string, Tensor> = {};
  for (const slot of program.slots) {
    if (!slot.external) continue;
    const stream = new Stream(3, slot.id + 1);
    const values = fill[slot.name] ?? Float32Array.from({ length: slot.length }, (_, i) => stream.normal(i));
    tensors[slot.name] = await device.tensor(slot.dtype, slot.length, values);
  }
  const executable = await device.load(program, tensors);
  await executable.run();
  const out: Record<string, Numbers> = {};
  for (const [name, tensor] of Object.entries(tensors)) out[name] = await tensor.read();
  executable.dispose();
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return out;
}

/** The seed and draw of a layer that is tested with random numbers. */
const state = [5, 6, 7, 0];
const modeOf = (r: Recorder, random?: boolean) =>
  random ? { random: { state: r.external('state', 1, [4], 'u32'), stream: 3 } } : {};

const N = 3;
const P = 2;

/** Relative to the size of the terms, so that cancellation cannot hide behind a small result. */
const limits: Record<EngineName, number> = { reference: 1e-13, cpu: 1e-5, webgpu: 1e-5 };

describe.each(['reference', 'cpu', 'webgpu'] as const)('four passes on %s', (engine) => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice(engine);
  });
  afterAll(() => device?.dispose());

  test.each(
    Object.values(layers)
      .flat()
      .map((c) => [c.layer.name, c] as const),
  )('%s: <yBar, yDot> = <xBar, xDot> + <thetaBar, thetaDot>', async (_, { layer, inputShape, random }) => {
    const shapes = layer.parameters(inputShape).map(({ shape }) => shape);
    const xShape = [N, ...inputShape];
    const yShape = [N, ...layer.outputShape(inputShape)];
    const externals = (r: Recorder, prefix: string, members: number) =>
      shapes.map((shape, i) => r.external(`${prefix}${i}`, members, shape));
    const out = await run(
      device,
      (r) => {
        const x = r.external('x', 1, xShape);
        const passes = layer.forward(r, x, externals(r, 'theta', P), modeOf(r, random));
        // A copy brings a temporary out.
        const bringOut = (view: View | undefined, name: string) =>
          add(r, { a: view!, b: view! }, 1, 0, r.external(name, view!.members, view!.shape));
        const members = passes.y.members;
        const thetaBar = externals(r, 'thetaBar', P);
        bringOut(
          passes.backward({ yBar: r.external('yBar', members, yShape), thetaBar, wantX: true }),
          'xBar',
        );
        const thetaDot = externals(r, 'thetaDot', P);
        bringOut(passes.tangentForward({ xDot: r.external('xDot', 1, xShape), thetaDot }), 'yDot');
      },
      {
        state,
      },
    );
    const members = out.yBar.length / elements(yShape);
    const repeat = (values: Numbers) =>
      Array.from({ length: members * values.length }, (_, i) => values[i % values.length]);
    const left = dot(out.yBar, out.yDot);
    let right = dot(out.xBar, repeat(out.xDot));
    let size = Math.abs(right);
    for (let i = 0; i < shapes.length; i++) {
      const term = dot(out[`thetaBar${i}`], out[`thetaDot${i}`]);
      right += term;
      size += Math.abs(term);
    }
    const scale = Math.max(size, Math.sqrt(dot(out.yBar, out.yBar) * dot(out.yDot, out.yDot)));
    expect(Math.abs(left - right) / scale).toBeLessThan(limits[engine]);
  });

  /**
   * F(x, theta, yBar) = <yBar, y(x, theta)> has the gradient (xBar, thetaBar, y). The two tangent passes give its
   * tangent (xBarDot, thetaBarDot, yDot) in a direction (xDot, thetaDot, yBarDot): a symmetric form, Hess F.
   */
  test.each(
    Object.values(layers)
      .flat()
      .map((c) => [c.layer.name, c] as const),
  )('%s: <u, Hess F v> = <v, Hess F u> over (x, theta, yBar)', async (_, { layer, inputShape, random }) => {
    const thetaShapes = layer.parameters(inputShape).map(({ shape }) => shape);
    const xShape = [N, ...inputShape];
    const yShape = [N, ...layer.outputShape(inputShape)];
    const record = (r: Recorder) => {
      const theta = (suffix: string) =>
        thetaShapes.map((shape, i) => r.external(`theta${i}${suffix}`, 1, shape));
      const passes = layer.forward(r, r.external('x', 1, xShape), theta(''), modeOf(r, random));
      const yBar = r.external('yBar', 1, yShape);
      passes.backward({ yBar, wantX: true });
      const tangents = { xDot: r.external('xDot', 1, xShape), thetaDot: theta('Dot') };
      const yDot = passes.tangentForward(tangents)!;
      const yBarDot = r.external('yBarDot', 1, yShape);
      const thetaBarDot = theta('BarDot');
      const xBarDot = passes.tangentBackward({ yBar, yBarDot, ...tangents, thetaBarDot, wantX: true })!;
      // Brings the temporaries out.
      add(r, { a: xBarDot, b: xBarDot }, 1, 0, r.external('xBarDot', 1, xShape));
      add(r, { a: yDot, b: yDot }, 1, 0, r.external('yDot', 1, yShape));
    };
    /** Each variable's shape, and the slots of its part of a direction and of the product with it. */
    const variables = [
      { shape: xShape, direction: 'xDot', product: 'xBarDot' },
      { shape: yShape, direction: 'yBarDot', product: 'yDot' },
      ...thetaShapes.map((shape, i) => ({
        shape,
        direction: `theta${i}Dot`,
        product: `theta${i}BarDot`,
      })),
    ];
    const [u, v] = [1, 2].map((which) =>
      variables.map(({ shape }, i) => {
        const stream = new Stream(8, i, which);
        return Float32Array.from({ length: elements(shape) }, (_value, at) => stream.normal(at));
      }),
    );
    const hess = async (vector: Numbers[]) => {
      const fill = Object.fromEntries(variables.map(({ direction }, i) => [direction, vector[i]]));
      const out = await run(device, record, { ...fill, state });
      return variables.map(({ product }) => out[product]);
    };
    const [hessU, hessV] = [await hess(u), await hess(v)];
    const form = (a: Numbers[], b: Numbers[]) => a.reduce((sum, part, i) => sum + dot(part, b[i]), 0);
    const scale = Math.sqrt(form(u, u) * form(hessV, hessV));
    expect(scale).toBeGreaterThan(1);
    expect(Math.abs(form(u, hessV) - form(v, hessU)) / scale).toBeLessThan(limits[engine]);
  });

  test.each([
    ['lenet', [1, 16, 16]],
    ['mlp', [1, 4, 5]],
  ] as const)('%s: the Hessian is symmetric, <u, H v> = <v, H u>', async (name, inputShape) => {
    const network = createNetwork({ name, inputShape, classes: 4 });
    const direction = new Stream(5, 1);
    const other = new Stream(5, 2);
    const vectors = {
      u: Float32Array.from({ length: network.count }, (_, i) => direction.normal(i)),
      v: Float32Array.from({ length: network.count }, (_, i) => other.normal(i)),
    };
    const weights = new Stream(5, 3);
    const theta = Float32Array.from({ length: network.count }, (_, i) => 0.15 * weights.normal(i));
    const y = Float32Array.from({ length: N * 4 }, (_, i) => (i % 4 === Math.floor(i / 4) ? 1 : 0));
    const products: Record<string, Numbers> = {};
    for (const [at, vector] of Object.entries(vectors)) {
      const fill = { theta, thetaDot: vector, y };
      const out = await run(
        device,
        (r) => {
          const passes = network.forward(
            r,
            r.external('x', 1, [N, ...inputShape]),
            r.external('theta', 1, [network.count]),
          );
          const labels = r.external('y', 1, [N, 4]);
          const { logp } = crossentropy.forward(r, { z: passes.z, y: labels });
          passes.backward(crossentropy.backward(r, { logp, y: labels }, 1 / N));
          const thetaDot = r.external('thetaDot', 1, [network.count]);
          const zDot = passes.tangentForward(thetaDot);
          const { zBarDot } = crossentropy.tangentBackward(r, { logp, y: labels, zDot }, 1 / N);
          passes.tangentBackward(zBarDot, { thetaDot, thetaBarDot: r.external('hv', 1, [network.count]) });
        },
        fill,
      );
      products[at] = out.hv;
    }
    const [uHv, vHu] = [dot(vectors.u, products.v), dot(vectors.v, products.u)];
    const scale = Math.sqrt(dot(products.v, products.v) * dot(vectors.u, vectors.u));
    expect(scale).toBeGreaterThan(0);
    expect(Math.abs(uHv - vHu) / scale).toBeLessThan(limits[engine]);
  });
});

test('fans of a convolution are those of one of its groups', () => {
  for (const groups of [1, 2, 4])
    for (const { fanIn, fanOut } of conv(12, 3, { stride: 1, padding: 1, groups }).parameters([8, 5, 5]))
      expect({ fanIn, fanOut }).toEqual({ fanIn: (8 / groups) * 9, fanOut: (12 / groups) * 9 });
});
