import type { OpCase } from '../../src/engine/op.js';
import { ops } from '../../src/engine/ops/index.gen.js';

/** What random numbers do not meet: ties, NaN, labels that do not add up to one, large logits, wide borders. */
/** Numbers with a NaN here and there: alone in a window, two in one, first and last, none. */
const someNaN = (count: number) =>
  Array.from({ length: count }, (_, i) => (i % 7 === 3 || i % 29 === 0 ? Number.NaN : Math.sin(i * i)));

/** Numbers with infinities, whole windows of the negative one among them. */
const someInfinite = (count: number) =>
  Array.from({ length: count }, (_, i) => (i % 3 && i % 101 ? Number.NEGATIVE_INFINITY : 1 / (i % 5)));

/** Max pooling of x `[1, 2, 6, W]` with NaN in it. */
function poolingNaN(W: number, kernel: number, padding: number): OpCase {
  return {
    name: `maxpool2d k${kernel} p${padding} of NaN, ${W} wide`,
    fill: { x: { kind: 'values', values: () => someNaN(12 * W) } },
    record(r) {
      const x = r.external('x', 1, [1, 2, 6, W]);
      const shape = [1, 2, 3, Math.floor((W + 2 * padding - kernel) / 2) + 1];
      const into = { y: r.external('y', 1, shape), index: r.external('index', 1, shape, 'u32') };
      ops.maxpool2d.forward(r, { x }, { kernel, stride: 2, padding }, into);
    },
  };
}

/** All passes of norm and lrn with NaN in x: it stays in its group or window, and fills that. */
function normalisingNaN(shape: readonly number[], groups: number | 'batch'): OpCase {
  return {
    name: `norm of NaN, ${groups} groups of ${shape.join('x')}`,
    fill: { x: { kind: 'values', values: () => nanInFirst(shape) } },
    record(r) {
      const [x, xDot, yBar] = ['x', 'xDot', 'yBar'].map((name) => r.external(name, 1, shape));
      const [gamma, beta] = ['gamma', 'beta'].map((name) => r.external(name, 1, [shape[1]]));
      const geometry = { groups, eps: 1e-5, frozen: false };
      const { saved } = ops.norm.forward(r, { x, gamma, beta }, geometry, { y: r.external('y', 1, shape) });
      const tangents = { x, saved, xDot, gammaDot: gamma, betaDot: beta };
      const { savedDot } = ops.norm.tangent(r, tangents, geometry, { yDot: r.external('yDot', 1, shape) });
      ops.norm.backward(r, { x, saved, yBar }, geometry, { xBar: r.external('xBar', 1, shape) });
      const operands = { x, saved, yBar, xDot, savedDot, yBarDot: xDot };
      ops.norm.tangentBackward(r, operands, geometry, { xBarDot: r.external('xBarDot', 1, shape) });
    },
  };
}

function lrnNaN(shape: readonly number[], beta: number): OpCase {
  return {
    name: `lrn of NaN, beta=${beta}`,
    fill: { x: { kind: 'values', values: () => nanInFirst(shape) } },
    record(r) {
      const [x, xDot, yBar] = ['x', 'xDot', 'yBar'].map((name) => r.external(name, 1, shape));
      const geometry = { size: 4, alpha: 1, beta, k: 1 };
      const { d } = ops.lrn.forward(r, { x }, geometry, { y: r.external('y', 1, shape) });
      const { dDot } = ops.lrn.tangent(r, { x, d, xDot }, geometry, { yDot: r.external('yDot', 1, shape) });
      ops.lrn.backward(r, { x, d, yBar }, geometry, { into: r.external('xBar', 1, shape) });
      const operands = { x, d, yBar, xDot, dDot, yBarDot: xDot };
      ops.lrn.tangentBackward(r, operands, geometry, { into: r.external('xBarDot', 1, shape) });
    },
  };
}

/** One NaN in the first channel, so that other groups, channels far away and other positions have none. */
const nanInFirst = (shape: readonly number[]) =>
  Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i === 1 ? Number.NaN : Math.sin(i * i)));

/** A matrix that has no factor: a member whose second pivot is below 0, and one whose first is 0. */
const notPositiveDefinite = [4, 2, 0, 2, 0.5, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1];

export const corners: readonly OpCase[] = [
  {
    name: 'cholesky of matrices that are not positive definite',
    fill: { a: { kind: 'values', values: () => notPositiveDefinite } },
    record(r) {
      const l = ops.cholesky.factor(r, { a: r.external('a', 2, [3, 3]) }, 0, {
        into: r.external('l', 2, [3, 3]),
      });
      ops.cholesky.solve(r, { l, b: r.external('b', 2, [3, 2]) }, { into: r.external('x', 2, [3, 2]) });
    },
  },
  normalisingNaN([2, 4, 5, 7], 2),
  normalisingNaN([2, 3, 9, 9], 'batch'),
  lrnNaN([2, 7, 3, 3], 0.75),
  lrnNaN([1, 7, 5, 5], 1.25),
  // Widths that fill vectors of every instruction set, and such as leave a rest.
  poolingNaN(64, 2, 0),
  poolingNaN(23, 2, 0),
  poolingNaN(23, 3, 1),
  poolingNaN(64, 3, 1),
  {
    name: 'maxpool2d of infinities',
    fill: { x: { kind: 'values', values: () => someInfinite(12 * 69) } },
    record(r) {
      const x = r.external('x', 1, [1, 2, 6, 69]);
      const into = {
        y: r.external('y', 1, [1, 2, 6, 69]),
        index: r.external('index', 1, [1, 2, 6, 69], 'u32'),
      };
      ops.maxpool2d.forward(r, { x }, { kernel: 3, stride: 1, padding: 1 }, into);
    },
  },
  {
    name: 'avgpool2d of NaN',
    fill: { x: { kind: 'values', values: () => someNaN(12 * 69) } },
    record(r) {
      const x = r.external('x', 1, [1, 2, 6, 69]);
      const geometry = { kernel: 2, stride: 2, padding: 0 };
      ops.avgpool2d.forward(r, { x }, geometry, { into: r.external('y', 1, [1, 2, 3, 34]) });
    },
  },
  {
    name: 'relu of NaN',
    fill: { x: { kind: 'values', values: () => someNaN(71) } },
    record(r) {
      ops.relu.forward(r, { x: r.external('x', 1, [71]) }, { into: r.external('y', 1, [71]) });
    },
  },
  {
    name: 'relu mask of NaN',
    fill: { y: { kind: 'values', values: () => someNaN(71) } },
    record(r) {
      const operands = { y: r.external('y', 1, [71]), u: r.external('u', 1, [71]) };
      ops.relu.mask(r, operands, { into: r.external('out', 1, [71]) });
    },
  },
  {
    name: 'maxpool2d with ties',
    fill: { x: { kind: 'below', limit: 3 } },
    record(r) {
      const x = r.external('x', 2, [2, 3, 7, 6]);
      const geometry = { kernel: 3, stride: 2, padding: 1 };
      const y = r.external('y', 2, [2, 3, 4, 3]);
      ops.maxpool2d.forward(r, { x }, geometry, { y, index: r.external('index', 2, [2, 3, 4, 3], 'u32') });
    },
  },
  {
    name: 'accuracy with ties',
    fill: { z: { kind: 'below', limit: 3 }, y: { kind: 'below', limit: 2 } },
    record(r) {
      const operands = { z: r.external('z', 2, [90, 4]), y: r.external('y', 1, [90, 4]) };
      ops.accuracy.confusion(r, operands, { into: r.external('counts', 2, [4, 4]) });
    },
  },
  {
    name: 'relu of zeros',
    fill: { y: { kind: 'below', limit: 2 } },
    record(r) {
      const y = r.external('y', 1, [40]);
      ops.relu.mask(r, { y, u: r.external('u', 1, [40]) }, { into: r.external('out', 1, [40]) });
    },
  },
  {
    name: 'crossentropy with labels of any sum',
    record(r) {
      const y = r.external('y', 1, [9, 5]);
      const { logp } = ops.crossentropy.forward(r, { z: r.external('z', 2, [9, 5]), y });
      ops.crossentropy.backward(r, { logp, y }, 0.5, { into: r.external('zBar', 2, [9, 5]) });
      const zDot = r.external('zDot', 2, [9, 5]);
      const [zBarDot, yBarDot] = ['zBarDot', 'yBarDot'].map((name) => r.external(name, 2, [9, 5]));
      ops.crossentropy.tangentBackward(r, { logp, y, zDot }, 0.5, { zBarDot, yBarDot });
    },
  },
  {
    name: 'crossentropy of large logits',
    fill: { z: { kind: 'values', values: () => [1e4, -1e4, 3e38, 1e30, 88, 89] }, y: { kind: 'simplex' } },
    record(r) {
      const y = r.external('y', 1, [3, 2]);
      const { logp } = ops.crossentropy.forward(r, { z: r.external('z', 1, [3, 2]), y });
      ops.crossentropy.backward(r, { logp, y }, 1, { into: r.external('zBar', 1, [3, 2]) });
    },
  },
  {
    name: 'binarycrossentropy of large logits',
    fill: { z: { kind: 'values', values: () => [1e4, -1e4, 1e30, -1e30, 80, -80] } },
    record(r) {
      const [z, y, zDot] = ['z', 'y', 'zDot'].map((name) => r.external(name, 1, [3, 2]));
      const out = (name: string) => r.external(name, 1, [3, 2]);
      const { binarycrossentropy } = ops;
      binarycrossentropy.forward(r, { z, y }, { into: r.external('losses', 1, [3]) });
      binarycrossentropy.backward(r, { z, y }, 1, { into: out('zBar') });
      const into = { zBarDot: out('zBarDot'), yBarDot: out('yBarDot') };
      binarycrossentropy.tangentBackward(r, { z, zDot }, 1, into);
    },
  },
  {
    name: 'inner adam of zeros and NaN',
    fill: {
      g: { kind: 'values', values: () => [0, Number.NaN, 2, 0] },
      moments: { kind: 'values', values: () => [0, 0, 0, 0, 0.1, 0, 0, 0, 0, 0.001] },
    },
    record(r) {
      const [theta, g, lambda] = ['theta', 'g', 'lambda'].map((name) => r.external(name, 1, [4]));
      const [rate, moments] = [r.external('rate', 1, [1]), r.external('moments', 1, [2, 5])];
      const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0, decoupled: false };
      const into = { next: r.external('next', 1, [2, 5]), out: r.external('out', 1, [4]) };
      const { next } = ops.adam.step(r, { theta, g, moments, rate }, options, into);
      const momentsBar = r.external('momentsBar', 1, [2, 4]);
      const bars = { v: r.external('v', 1, [4]), direction: r.external('direction', 1, [4]) };
      ops.adam.backward(r, { theta, g, next, rate, lambda, momentsBar }, options, bars);
    },
  },
  {
    name: 'convolution with more padding than kernel',
    record(r) {
      const x = r.external('x', 1, [2, 2, 3, 4]);
      const w = r.external('w', 1, [3, 2, 2, 2]);
      const into = r.external('y', 1, [2, 3, 4, 5]);
      ops.conv2d.forward(r, { x, w }, { stride: 2, padding: 3 }, { into });
    },
  },
  {
    name: 'gradients of a convolution with more padding than kernel',
    record(r) {
      const [x, yBar] = [r.external('x', 1, [2, 2, 3, 4]), r.external('yBar', 1, [2, 3, 4, 5])];
      const geometry = { stride: 2, padding: 3 };
      ops.conv2d.backwardWeight(r, { x, yBar }, geometry, [3, 2, 2, 2], {
        into: r.external('wBar', 1, [3, 2, 2, 2]),
      });
      const w = r.external('w', 1, [3, 2, 2, 2]);
      ops.conv2d.backwardInput(r, { yBar, w }, geometry, [2, 2, 3, 4], {
        into: r.external('xBar', 1, [2, 2, 3, 4]),
      });
    },
  },
  {
    name: 'a permutation of many rows over the end of an epoch',
    fill: { state: { kind: 'values', values: () => [0xffffffff, 0x80000001, 0xfffff, 0] } },
    record(r) {
      const into = r.external('index', 1, [300], 'u32');
      const state = r.external('state', 1, [4], 'u32');
      ops.random.batch(r, { state }, { B: 300, rows: 70001, stream: 3 }, { into });
    },
  },
];
