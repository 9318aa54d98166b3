import { lossCases, lossKernel, recordLoss } from '../loss-op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Squared error of the logits (see `loss-op.ts`), the mean over batch and classes as PyTorch's MSELoss takes it:
 *
 *     forward           losses[n] = 1/K sum over k of (z[k] - y[k])²
 *     backward          zBar = 2 scale / K (z - y)
 *     tangentBackward   zBarDot = 2 scale / K zDot,   yBarDot = -2 scale / K zDot
 */
export const forwardKernel = lossKernel(
  'squarederror.forward',
  { z: 'read', y: 'read', losses: 'write' },
  { reduction: (s) => s.K, flops: 3 },
  ({ z, y, losses }, K) => {
    let total = 0;
    for (let k = 0; k < K; k++) total += (z[k] - y[k]) ** 2;
    losses[0] = total / K;
  },
);

export const backwardKernel = lossKernel(
  'squarederror.backward',
  { z: 'read', y: 'read', zBar: 'write' },
  { flops: 2 },
  ({ z, y, zBar }, K, scale) => {
    for (let k = 0; k < K; k++) zBar[k] = (scale / K) * 2 * (z[k] - y[k]);
  },
);

export const tangentBackwardKernel = lossKernel(
  'squarederror.tangentBackward',
  { zDot: 'read', zBarDot: 'write', yBarDot: 'write' },
  { flops: 2 },
  ({ zDot, zBarDot, yBarDot }, K, scale) => {
    for (let k = 0; k < K; k++) {
      zBarDot[k] = ((2 * scale) / K) * zDot[k];
      yBarDot[k] = -zBarDot[k];
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
  { zDot }: { zDot: View },
  scale: number,
  { zBarDot, yBarDot }: { zBarDot?: View; yBarDot?: View } = {},
): { zBarDot: View; yBarDot: View } {
  return recordLoss(r, tangentBackwardKernel, { zDot }, { zBarDot, yBarDot }, scale);
}

export const cases = lossCases('squarederror', 1, {
  forward(r, { tensor, labels, losses }) {
    forward(r, { z: tensor('z'), y: labels() }, { into: losses() });
  },
  backward(r, { tensor, labels, scale }) {
    backward(r, { z: tensor('z'), y: labels() }, scale, { into: tensor('zBar') });
  },
  tangentBackward(r, { tensor, scale }) {
    const into = { zBarDot: tensor('zBarDot'), yBarDot: tensor('yBarDot') };
    tangentBackward(r, { zDot: tensor('zDot') }, scale, into);
  },
});
