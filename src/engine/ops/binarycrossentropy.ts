import { lossCases, lossKernel, recordLoss } from '../loss-op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Binary cross-entropy of logits (see `loss-op.ts`), each class a yes-or-no question, the mean over batch and classes as
 * PyTorch's BCEWithLogitsLoss takes it; y is the probability of "yes", K = 1 a single question. With
 * sigma(z) = 1 / (1 + exp(-z)):
 *
 *     forward           losses[n] = 1/K sum over k of softplus(z[k]) - y[k] z[k]
 *     backward          zBar = scale / K (sigma(z) - y)
 *     tangentBackward   zBarDot = scale / K sigma(z) (1 - sigma(z)) zDot,   yBarDot = -scale / K zDot
 */
const sigma = (z: number) => 1 / (1 + Math.exp(-z));

export const forwardKernel = lossKernel(
  'binarycrossentropy.forward',
  { z: 'read', y: 'read', losses: 'write' },
  { reduction: (s) => s.K, flops: 6 },
  ({ z, y, losses }, K) => {
    let total = 0;
    for (let k = 0; k < K; k++)
      total += Math.max(z[k], 0) - y[k] * z[k] + Math.log1p(Math.exp(-Math.abs(z[k])));
    losses[0] = total / K;
  },
);

export const backwardKernel = lossKernel(
  'binarycrossentropy.backward',
  { z: 'read', y: 'read', zBar: 'write' },
  { flops: 5 },
  ({ z, y, zBar }, K, scale) => {
    for (let k = 0; k < K; k++) zBar[k] = (scale / K) * (sigma(z[k]) - y[k]);
  },
);

export const tangentBackwardKernel = lossKernel(
  'binarycrossentropy.tangentBackward',
  { z: 'read', zDot: 'read', zBarDot: 'write', yBarDot: 'write' },
  { flops: 8 },
  ({ z, zDot, zBarDot, yBarDot }, K, scale) => {
    for (let k = 0; k < K; k++) {
      zBarDot[k] = (scale / K) * sigma(z[k]) * sigma(-z[k]) * zDot[k];
      yBarDot[k] = (-scale / K) * zDot[k];
    }
  },
);

/** Per-sample losses. */
export function forward(r: Recorder, { z, y }: { z: View; y: View }, { into }: { into?: View } = {}): View {
  return recordLoss(r, forwardKernel, { z, y }, { losses: into }).losses;
}

/** zBar, the gradient with respect to the logits. */
export function backward(
  r: Recorder,
  { z, y }: { z: View; y: View },
  scale: number,
  { into }: { into?: View } = {},
): View {
  return recordLoss(r, backwardKernel, { z, y }, { zBar: into }, scale).zBar;
}

/** Tangents of zBar and yBar for a tangent zDot of the logits, labels held fixed. */
export function tangentBackward(
  r: Recorder,
  { z, zDot }: { z: View; zDot: View },
  scale: number,
  { zBarDot, yBarDot }: { zBarDot?: View; yBarDot?: View } = {},
): { zBarDot: View; yBarDot: View } {
  return recordLoss(r, tangentBackwardKernel, { z, zDot }, { zBarDot, yBarDot }, scale);
}

export const cases = lossCases('binarycrossentropy', 1, {
  forward(r, { tensor, labels, losses }) {
    forward(r, { z: tensor('z'), y: labels() }, { into: losses() });
  },
  backward(r, { tensor, labels, scale }) {
    backward(r, { z: tensor('z'), y: labels() }, scale, { into: tensor('zBar') });
  },
  tangentBackward(r, { tensor, scale }) {
    const into = { zBarDot: tensor('zBarDot'), yBarDot: tensor('yBarDot') };
    tangentBackward(r, { z: tensor('z'), zDot: tensor('zDot') }, scale, into);
  },
});
