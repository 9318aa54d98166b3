import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Softmax cross-entropy with soft labels. With `logp = z - logsumexp(z)` per sample, `p = exp(logp)`, `Y = sum of y`:
 *
 *     forward           logp;  losses[n] = -sum over k of y[k] logp[k]
 *     backward          zBar = scale (p Y - y)
 *     labelsBackward    yBar = -scale logp
 *     tangentBackward   with c = zDot - sum of p zDot:   zBarDot = scale Y p c,   yBarDot = -scale c
 *
 * `scale` is the cotangent of each sample's loss: 1/N for the mean over a batch. The tangent of the loss itself is
 * the dot product of zBar and zDot (`reduce.dot`).
 * z, logp, zBar, zDot, zBarDot `[N, K]`; y, yBar, yBarDot `[N, K]`; losses `[N]`. Labels may be shared.
 */
const sizes = ['P', 'N', 'K'] as const;

export const forwardKernel: Kernel = {
  name: 'crossentropy.forward',
  operands: { z: 'read', y: 'read', logp: 'write', losses: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.K,
  flops: (s) => 5 * s.P * s.N * s.K,
  reference({ z, y, logp, losses }, s) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, lp, loss] = [z(p), y(p), logp(p), losses(p)];
      for (let n = 0; n < s.N; n++) {
        const row = n * s.K;
        let max = Number.NEGATIVE_INFINITY;
        for (let k = 0; k < s.K; k++) if (zp[row + k] > max) max = zp[row + k];
        let sum = 0;
        for (let k = 0; k < s.K; k++) sum += Math.exp(zp[row + k] - max);
        const logSum = Math.log(sum);
        let total = 0;
        for (let k = 0; k < s.K; k++) {
          lp[row + k] = zp[row + k] - max - logSum;
          total -= yp[row + k] * lp[row + k];
        }
        loss[n] = total;
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'crossentropy.backward',
  operands: { logp: 'read', y: 'read', zBar: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.K,
  flops: (s) => 4 * s.P * s.N * s.K,
  reference({ logp, y, zBar }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [lp, yp, zp] = [logp(p), y(p), zBar(p)];
      for (let n = 0; n < s.N; n++) {
        let total = 0;
        for (let k = 0; k < s.K; k++) total += yp[n * s.K + k];
        for (let k = n * s.K; k < (n + 1) * s.K; k++) zp[k] = scale * (Math.exp(lp[k]) * total - yp[k]);
      }
    }
  },
};

export const labelsBackwardKernel: Kernel = {
  name: 'crossentropy.labelsBackward',
  operands: { logp: 'read', yBar: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => s.P * s.N * s.K,
  reference({ logp, yBar }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [lp, yp] = [logp(p), yBar(p)];
      for (let i = 0; i < s.N * s.K; i++) yp[i] = -scale * lp[i];
    }
  },
};

export const tangentBackwardKernel: Kernel = {
  name: 'crossentropy.tangentBackward',
  operands: { logp: 'read', y: 'read', zDot: 'read', zBarDot: 'write', yBarDot: 'write' },
  sizes,
  constants: ['scale'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.K,
  flops: (s) => 8 * s.P * s.N * s.K,
  reference({ logp, y, zDot, zBarDot, yBarDot }, s, { scale }) {
    for (let p = 0; p < s.P; p++) {
      const [lp, yp, zp, zBarP, yBarP] = [logp(p), y(p), zDot(p), zBarDot(p), yBarDot(p)];
      for (let n = 0; n < s.N; n++) {
        let total = 0;
        let mean = 0;
        for (let k = n * s.K; k < (n + 1) * s.K; k++) {
          total += yp[k];
          mean += Math.exp(lp[k]) * zp[k];
        }
        for (let k = n * s.K; k < (n + 1) * s.K; k++) {
          const centred = zp[k] - mean;
          zBarP[k] = scale * total * Math.exp(lp[k]) * centred;
          yBarP[k] = -scale * centred;
        }
      }
    }
  },
};

function sizesOf(op: string, rows: View, others: Record<string, View>) {
  expectRank(op, Object.keys(others)[0], Object.values(others)[0], 'N K');
  expectRank(op, 'z', rows, 'N K');
  for (const [name, view] of Object.entries(others)) expectSameLength(op, name, view, 'z', rows);
  return { P: population(op, { rows, ...others }), N: rows.shape[0], K: rows.shape[1] };
}

/** Log-probabilities and per-sample losses. */
export function forward(
  r: Recorder,
  { z, y }: { z: View; y: View },
  into: { logp?: View; losses?: View } = {},
): { logp: View; losses: View } {
  const op = forwardKernel.name;
  const s = sizesOf(op, z, { y });
  const logp = destination(r, op, 'logp', s.P, z.shape, { into: into.logp });
  const losses = destination(r, op, 'losses', s.P, [s.N], { into: into.losses });
  r.push({
    kernel: forwardKernel,
    operands: { z, y, logp, losses },
    sizes: s,
    constants: {},
    accumulate: false,
  });
  return { logp, losses };
}

/** zBar = scale (p sum(y) - y). */
export function backward(
  r: Recorder,
  { logp, y }: { logp: View; y: View },
  scale: number,
  to: Into = {},
): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, logp, { y });
  const zBar = destination(r, op, 'zBar', s.P, logp.shape, to);
  r.push({
    kernel: backwardKernel,
    operands: { logp, y, zBar },
    sizes: s,
    constants: { scale },
    accumulate: false,
  });
  return zBar;
}

/** yBar = -scale logp, per member even when the labels are shared. */
export function labelsBackward(r: Recorder, { logp }: { logp: View }, scale: number, to: Into = {}): View {
  const op = labelsBackwardKernel.name;
  const s = sizesOf(op, logp, { logp });
  const yBar = destination(r, op, 'yBar', s.P, logp.shape, to);
  r.push({
    kernel: labelsBackwardKernel,
    operands: { logp, yBar },
    sizes: s,
    constants: { scale },
    accumulate: false,
  });
  return yBar;
}

/** Tangents of zBar and yBar for a tangent zDot of the logits, labels held fixed. */
export function tangentBackward(
  r: Recorder,
  { logp, y, zDot }: { logp: View; y: View; zDot: View },
  scale: number,
  into: { zBarDot?: View; yBarDot?: View } = {},
): { zBarDot: View; yBarDot: View } {
  const op = tangentBackwardKernel.name;
  const s = sizesOf(op, logp, { y, zDot });
  const zBarDot = destination(r, op, 'zBarDot', s.P, logp.shape, { into: into.zBarDot });
  const yBarDot = destination(r, op, 'yBarDot', s.P, logp.shape, { into: into.yBarDot });
  const operands = { logp, y, zDot, zBarDot, yBarDot };
  r.push({ kernel: tangentBackwardKernel, operands, sizes: s, constants: { scale }, accumulate: false });
  return { zBarDot, yBarDot };
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 5, K: 10, shared: false },
  { P: 3, N: 10, K: 10, shared: true },
  { P: 2, N: 67, K: 3, shared: false },
].flatMap(({ P, N, K, shared }) => {
  const name = `P=${P} N=${N} K=${K}${shared ? ' labels shared' : ''}`;
  const fill = { y: { kind: 'simplex' } as const };
  const scale = 1 / N;
  const labels = (r: Recorder) => r.external('y', shared ? 1 : P, [N, K]);
  // Log-probabilities come from a forward pass in the same program: the other passes rely on their being normalised.
  const logp = (r: Recorder, y: View) => forward(r, { z: r.external('z', P, [N, K]), y }).logp;
  return [
    {
      name: `crossentropy.forward ${name}`,
      fill,
      record(r: Recorder) {
        const into = { logp: r.external('logp', P, [N, K]), losses: r.external('losses', P, [N]) };
        forward(r, { z: r.external('z', P, [N, K]), y: labels(r) }, into);
      },
    },
    {
      name: `crossentropy.backward ${name}`,
      fill,
      record(r: Recorder) {
        const y = labels(r);
        backward(r, { logp: logp(r, y), y }, scale, { into: r.external('zBar', P, [N, K]) });
      },
    },
    {
      name: `crossentropy.labelsBackward ${name}`,
      fill,
      record(r: Recorder) {
        labelsBackward(r, { logp: logp(r, labels(r)) }, scale, { into: r.external('yBar', P, [N, K]) });
      },
    },
    {
      name: `crossentropy.tangentBackward ${name}`,
      fill,
      record(r: Recorder) {
        const y = labels(r);
        const zDot = r.external('zDot', P, [N, K]);
        const into = { zBarDot: r.external('zBarDot', P, [N, K]), yBarDot: r.external('yBarDot', P, [N, K]) };
        tangentBackward(r, { logp: logp(r, y), y, zDot }, scale, into);
      },
    },
  ];
});
