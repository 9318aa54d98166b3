import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Squared error of the logits, the mean over batch and classes as PyTorch's MSELoss takes it:
 *
 *     forward           losses[n] = 1/K sum over k of (z[k] - y[k])²
 *     backward          zBar = 2 scale / K (z - y)
 *     labelsBackward    yBar = -2 scale / K (z - y)
 *     tangentBackward   zBarDot = 2 scale / K zDot,   yBarDot = -2 scale / K zDot
 *
 * `scale` is the cotangent of each sample's loss: 1/N for the mean over a batch. The tangent of the loss itself is
 * the dot product of zBar and zDot (`reduce.dot`).
 * z, zBar, zDot, zBarDot `[N, K]`; y, yBar, yBarDot `[N, K]`; losses `[N]`. Labels may be shared.
 */
const sizes = ['P', 'N', 'K'] as const;
const perElement = (operations: number) => (s: Readonly<Record<string, number>>) =>
  operations * s.P * s.N * s.K;

export const forwardKernel: Kernel = {
  name: 'squarederror.forward',
  operands: { z: 'read', y: 'read', losses: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.K,
  flops: perElement(3),
  reference({ z, y, losses }, s) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, loss] = [z(p), y(p), losses(p)];
      for (let n = 0; n < s.N; n++) {
        let total = 0;
        for (let i = n * s.K; i < (n + 1) * s.K; i++) total += (zp[i] - yp[i]) ** 2;
        loss[n] = total / s.K;
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'squarederror.backward',
  operands: { z: 'read', y: 'read', zBar: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: perElement(2),
  reference({ z, y, zBar }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, out] = [z(p), y(p), zBar(p)];
      for (let i = 0; i < s.N * s.K; i++) out[i] = (scale / s.K) * 2 * (zp[i] - yp[i]);
    }
  },
};

export const labelsBackwardKernel: Kernel = {
  name: 'squarederror.labelsBackward',
  operands: { z: 'read', y: 'read', yBar: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: perElement(2),
  reference({ z, y, yBar }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, out] = [z(p), y(p), yBar(p)];
      for (let i = 0; i < s.N * s.K; i++) out[i] = (-scale / s.K) * 2 * (zp[i] - yp[i]);
    }
  },
};

export const tangentBackwardKernel: Kernel = {
  name: 'squarederror.tangentBackward',
  operands: { zDot: 'read', zBarDot: 'write', yBarDot: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: perElement(2),
  reference({ zDot, zBarDot, yBarDot }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [dp, zBarP, yBarP] = [zDot(p), zBarDot(p), yBarDot(p)];
      for (let i = 0; i < s.N * s.K; i++) {
        zBarP[i] = ((2 * scale) / s.K) * dp[i];
        yBarP[i] = -zBarP[i];
      }
    }
  },
};

function sizesOf(op: string, z: View, others: Record<string, View>) {
  expectRank(op, 'z', z, 'N K');
  for (const [name, view] of Object.entries(others)) {
    expectRank(op, name, view, 'N K');
    expectSameLength(op, name, view, 'z', z);
  }
  return { P: population(op, { z, ...others }), N: z.shape[0], K: z.shape[1] };
}

/** Per-sample losses. */
export function forward(r: Recorder, { z, y }: { z: View; y: View }, to: Into = {}): View {
  const op = forwardKernel.name;
  const s = sizesOf(op, z, { y });
  const losses = destination(r, op, 'losses', s.P, [s.N], to);
  const operands = { z, y, losses };
  r.push({ kernel: forwardKernel, operands, sizes: s, constants: {}, accumulate: false });
  return losses;
}

/** zBar, the gradient with respect to the logits. */
export function backward(r: Recorder, { z, y }: { z: View; y: View }, scale: number, to: Into = {}): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, z, { y });
  const zBar = destination(r, op, 'zBar', s.P, z.shape, to);
  const operands = { z, y, zBar };
  r.push({ kernel: backwardKernel, operands, sizes: s, constants: { scale }, accumulate: false });
  return zBar;
}

/** yBar, the gradient with respect to the labels, per member even when they are shared. */
export function labelsBackward(
  r: Recorder,
  { z, y }: { z: View; y: View },
  scale: number,
  to: Into = {},
): View {
  const op = labelsBackwardKernel.name;
  const s = sizesOf(op, z, { y });
  const yBar = destination(r, op, 'yBar', s.P, z.shape, to);
  const operands = { z, y, yBar };
  r.push({ kernel: labelsBackwardKernel, operands, sizes: s, constants: { scale }, accumulate: false });
  return yBar;
}

/** Tangents of zBar and yBar for a tangent zDot of the logits, labels held fixed. */
export function tangentBackward(
  r: Recorder,
  { zDot }: { zDot: View },
  scale: number,
  into: { zBarDot?: View; yBarDot?: View } = {},
): { zBarDot: View; yBarDot: View } {
  const op = tangentBackwardKernel.name;
  const s = sizesOf(op, zDot, {});
  const zBarDot = destination(r, op, 'zBarDot', s.P, zDot.shape, { into: into.zBarDot });
  const yBarDot = destination(r, op, 'yBarDot', s.P, zDot.shape, { into: into.yBarDot });
  const operands = { zDot, zBarDot, yBarDot };
  r.push({ kernel: tangentBackwardKernel, operands, sizes: s, constants: { scale }, accumulate: false });
  return { zBarDot, yBarDot };
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 5, K: 1, shared: false },
  { P: 3, N: 10, K: 10, shared: true },
  { P: 2, N: 67, K: 3, shared: false },
].flatMap(({ P, N, K, shared }): OpCase[] => {
  const name = `P=${P} N=${N} K=${K}${shared ? ' labels shared' : ''}`;
  const scale = 1 / N;
  const tensor = (r: Recorder, of: string) => r.external(of, P, [N, K]);
  const labels = (r: Recorder) => r.external('y', shared ? 1 : P, [N, K]);
  return [
    {
      name: `squarederror.forward ${name}`,
      record(r: Recorder) {
        forward(r, { z: tensor(r, 'z'), y: labels(r) }, { into: r.external('losses', P, [N]) });
      },
    },
    {
      name: `squarederror.backward ${name}`,
      record(r: Recorder) {
        backward(r, { z: tensor(r, 'z'), y: labels(r) }, scale, { into: tensor(r, 'zBar') });
      },
    },
    {
      name: `squarederror.labelsBackward ${name}`,
      record(r: Recorder) {
        labelsBackward(r, { z: tensor(r, 'z'), y: labels(r) }, scale, { into: tensor(r, 'yBar') });
      },
    },
    {
      name: `squarederror.tangentBackward ${name}`,
      record(r: Recorder) {
        const into = { zBarDot: tensor(r, 'zBarDot'), yBarDot: tensor(r, 'yBarDot') };
        tangentBackward(r, { zDot: tensor(r, 'zDot') }, scale, into);
      },
    },
  ];
});
