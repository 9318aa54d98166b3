import { lossCases, lossKernel, recordLoss } from '../loss-op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Softmax cross-entropy with soft labels (see `loss-op.ts`). With `logp = z - logsumexp(z)` per sample, `p = exp(logp)`,
 * `Y = sum of y`:
 *
 *     forward           logp;  losses[n] = -sum over k of y[k] logp[k]
 *     backward          zBar = scale (p Y - y)
 *     tangentBackward   with c = zDot - sum of p zDot:   zBarDot = scale Y p c,   yBarDot = -scale c
 */
const perSample = { reduction: (s: { readonly [size: string]: number }) => s.K };

export const forwardKernel = lossKernel(
  'crossentropy.forward',
  { z: 'read', y: 'read', logp: 'write', losses: 'write' },
  { ...perSample, flops: 5 },
  ({ z, y, logp, losses }, K) => {
    let max = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < K; k++) if (z[k] > max) max = z[k];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += Math.exp(z[k] - max);
    const logSum = Math.log(sum);
    let total = 0;
    for (let k = 0; k < K; k++) {
      logp[k] = z[k] - max - logSum;
      total -= y[k] * logp[k];
    }
    losses[0] = total;
  },
);

export const backwardKernel = lossKernel(
  'crossentropy.backward',
  { logp: 'read', y: 'read', zBar: 'write' },
  { ...perSample, flops: 4 },
  ({ logp, y, zBar }, K, scale) => {
    let total = 0;
    for (let k = 0; k < K; k++) total += y[k];
    for (let k = 0; k < K; k++) zBar[k] = scale * (Math.exp(logp[k]) * total - y[k]);
  },
);

export const tangentBackwardKernel = lossKernel(
  'crossentropy.tangentBackward',
  { logp: 'read', y: 'read', zDot: 'read', zBarDot: 'write', yBarDot: 'write' },
  { ...perSample, flops: 8 },
  ({ logp, y, zDot, zBarDot, yBarDot }, K, scale) => {
    let total = 0;
    let mean = 0;
    for (let k = 0; k < K; k++) {
      total += y[k];
      mean += Math.exp(logp[k]) * zDot[k];
    }
    for (let k = 0; k < K; k++) {
      const centred = zDot[k] - mean;
      zBarDot[k] = scale * total * Math.exp(logp[k]) * centred;
      yBarDot[k] = -scale * centred;
    }
  },
);

/** Log-probabilities and per-sample losses. */
export function forward(
  r: Recorder,
  { z, y }: { z: View; y: View },
  { logp, losses }: { logp?: View; losses?: View } = {},
): { logp: View; losses: View } {
  return recordLoss(r, forwardKernel, { z, y }, { logp, losses });
}

/** zBar = scale (p sum(y) - y). */
export function backward(
  r: Recorder,
  { logp, y }: { logp: View; y: View },
  scale: number,
  { into }: { into?: View } = {},
): View {
  return recordLoss(r, backwardKernel, { logp, y }, { zBar: into }, scale).zBar;
}

/** Tangents of zBar and yBar for a tangent zDot of the logits, labels held fixed. */
export function tangentBackward(
  r: Recorder,
  { logp, y, zDot }: { logp: View; y: View; zDot: View },
  scale: number,
  { zBarDot, yBarDot }: { zBarDot?: View; yBarDot?: View } = {},
): { zBarDot: View; yBarDot: View } {
  return recordLoss(r, tangentBackwardKernel, { logp, y, zDot }, { zBarDot, yBarDot }, scale);
}

// Log-probabilities come from a forward pass in the same program: the other passes rely on their being normalised.
export const cases = lossCases(
  'crossentropy',
  10,
  {
    forward(r, { tensor, labels, losses }) {
      const into = { logp: tensor('logp'), losses: losses() };
      forward(r, { z: tensor('z'), y: labels() }, into);
    },
    backward(r, { tensor, labels, scale }) {
      const y = labels();
      const { logp } = forward(r, { z: tensor('z'), y });
      backward(r, { logp, y }, scale, { into: tensor('zBar') });
    },
    tangentBackward(r, { tensor, labels, scale }) {
      const y = labels();
      const zDot = tensor('zDot');
      const { logp } = forward(r, { z: tensor('z'), y });
      const into = { zBarDot: tensor('zBarDot'), yBarDot: tensor('yBarDot') };
      tangentBackward(r, { logp, y, zDot }, scale, into);
    },
  },
  { y: { kind: 'simplex' } },
);
