import type { Elements, Kernel, Sizes } from '../kernel.js';
import type { OpCase } from '../op.js';
import * as avgpool2d from './avgpool2d.js';
import * as norm from './norm.js';
import * as relu from './relu.js';

/**
 * The block of the field's ConvNet behind a convolution as one step: a norm per channel of each image, ReLU, and average pooling of
 * 2 x 2. Forward and backward are those of `norm`, `relu` and `avgpool2d`, one after the other; the backward pass computes again
 * what ReLU made of the norm.
 *
 * x, xBar `[N, C, H, W]` with even H and W; y, yBar `[N, C, H / 2, W / 2]`; gamma, beta, `saved` and `sums` as in `norm`. No layer
 * records it, the pass `normPool` of the engines puts it in.
 */
const sizes = ['P', 'N', 'C', 'H', 'W'] as const;
const elementsOf = (s: Sizes) => s.P * s.N * s.C * s.H * s.W;
const common = { sizes, constants: ['eps'], kind: 'nonlinear', reduction: (s: Sizes) => s.H * s.W } as const;
const cut = { channels: ['C'], images: ['N'], perChannel: ['gamma', 'beta'], placed: ['saved', 'sums'] };

/** One member's sizes for the three ops. */
const ofNorm = ({ N, C, H, W }: Sizes) => ({ P: 1, A: N, S: 1, B: C, L: H * W, C, map: H * W, frozen: 0 });
const ofMap = ({ N, C, H, W }: Sizes) => ({ P: 1, M: N * C * H * W });
const ofPooling = ({ N, C, H, W }: Sizes) => ({
  ...{ P: 1, N, C, H, W, OH: H / 2, OW: W / 2 },
  ...{ KH: 2, KW: 2, stride: 2, padding: 0 },
});

/** Runs a kernel's definition on the arrays of one member. */
function define(
  kernel: Kernel,
  arrays: Readonly<Record<string, Elements>>,
  sizes: Sizes,
  constants: Readonly<Record<string, number>> = {},
): void {
  const operands = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, () => array]));
  kernel.reference(operands, sizes, constants, false);
}

/** What the norm was, by the statistics that its forward pass saved. */
function normaliseAgain(
  { N, C, H, W }: Sizes,
  x: Elements,
  saved: Elements,
  beta: Elements,
  eps: number,
  to: Float64Array,
): void {
  const planes = N * C;
  for (let i = 0; i < to.length; i++) {
    const plane = Math.floor(i / (H * W));
    const n = (x[i] - saved[plane]) / Math.sqrt(saved[planes + plane] + eps);
    to[i] = saved[2 * planes + (plane % C)] * n + beta[plane % C];
  }
}

export const forwardKernel: Kernel = {
  ...common,
  name: 'normpool.forward',
  operands: { x: 'read', gamma: 'read', beta: 'read', y: 'write', saved: 'write' },
  cuts: { planes: cut },
  flops: (s) => 9 * elementsOf(s),
  reference({ x, gamma, beta, y, saved }, s, constants) {
    for (let p = 0; p < s.P; p++) {
      const map = new Float64Array(s.N * s.C * s.H * s.W);
      const operands = { x: x(p), gamma: gamma(p), beta: beta(p), y: map, saved: saved(p) };
      define(norm.forwardKernel, operands, ofNorm(s), constants);
      define(relu.forwardKernel, { x: map, y: map }, ofMap(s));
      define(avgpool2d.forwardKernel, { x: map, y: y(p) }, ofPooling(s));
    }
  },
};

export const backwardKernel: Kernel = {
  ...common,
  name: 'normpool.backward',
  operands: { x: 'read', saved: 'read', beta: 'read', yBar: 'read', xBar: 'write', sums: 'write' },
  cuts: { planes: cut },
  inPlaceOf: { xBar: 'x' },
  flops: (s) => 15 * elementsOf(s),
  reference({ x, saved, beta, yBar, xBar, sums }, s, constants) {
    for (let p = 0; p < s.P; p++) {
      const [map, bar] = [0, 1].map(() => new Float64Array(s.N * s.C * s.H * s.W));
      normaliseAgain(s, x(p), saved(p), beta(p), constants.eps, map);
      define(avgpool2d.backwardKernel, { yBar: yBar(p), xBar: bar }, ofPooling(s));
      define(relu.maskKernel, { y: map, u: bar, out: bar }, ofMap(s));
      const operands = { x: x(p), saved: saved(p), yBar: bar, xBar: xBar(p), sums: sums(p) };
      define(norm.backwardKernel, operands, ofNorm(s), constants);
    }
  },
};

/** Maps of no, of some and of several whole vectors; x that members share. */
const examples = [
  { P: 1, shape: [2, 4, 8, 8] },
  { P: 3, shape: [2, 3, 6, 10], shared: true },
  { P: 2, shape: [3, 5, 2, 2] },
  { P: 1, shape: [2, 3, 34, 38] },
  { P: 2, shape: [5, 16, 32, 32] },
];

export const cases: readonly OpCase[] = examples.flatMap(({ P, shape, shared }): OpCase[] => {
  const [N, C, H, W] = shape;
  const sizes = { P, N, C, H, W };
  const constants = { eps: 1e-5 };
  const half = [N, C, H / 2, W / 2];
  const name = (pass: string) => `normpool.${pass} P=${P} ${shape.join('x')}${shared ? ', x shared' : ''}`;
  return [
    {
      name: name('forward'),
      record(r) {
        const operands = {
          x: r.external('x', shared ? 1 : P, shape),
          gamma: r.external('gamma', P, [C]),
          beta: r.external('beta', P, [C]),
          y: r.external('y', P, half),
          saved: r.external('saved', P, [2 * N * C + C]),
        };
        r.push({ kernel: forwardKernel, operands, sizes, constants, accumulate: false });
      },
    },
    {
      name: name('backward'),
      fill: { saved: { kind: 'positive' } },
      record(r) {
        const operands = {
          x: r.external('x', shared ? 1 : P, shape),
          saved: r.external('saved', P, [2 * N * C + C]),
          beta: r.external('beta', P, [C]),
          yBar: r.external('yBar', P, half),
          xBar: r.external('xBar', P, shape),
          sums: r.external('sums', P, [2, N, C]),
        };
        r.push({ kernel: backwardKernel, operands, sizes, constants, accumulate: false });
      },
    },
  ];
});
