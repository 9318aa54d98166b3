import * as binarycrossentropy from '../engine/ops/binarycrossentropy.js';
import * as crossentropy from '../engine/ops/crossentropy.js';
import * as squarederror from '../engine/ops/squarederror.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import { written } from '../util/expect.js';

/** A loss of logits z `[N, K]` and labels y `[N, K]`; every constant `scale` is the cotangent of each sample's loss. */
export interface Loss {
  /** Records what the passes share. */
  forward(r: Recorder, z: View, y: View): LossPasses;
}

/** The passes of a loss; each call records one. */
export interface LossPasses {
  /** `[N]`, per sample. */
  losses(): View;
  /** zBar `[N, K]`. */
  backward(scale: number): View;
  /** Tangents of zBar and yBar for a tangent zDot of the logits, labels held fixed. */
  tangentBackward(zDot: View, scale: number): { zBarDot: View; yBarDot: View };
}

const losses = {
  /** Softmax cross-entropy, hard or soft labels: `engine/ops/crossentropy.ts`. */
  'cross-entropy': {
    forward(r, z, y) {
      const { logp, losses } = crossentropy.forward(r, { z, y });
      return {
        losses: () => losses,
        backward: (scale) => crossentropy.backward(r, { logp, y }, scale),
        tangentBackward: (zDot, scale) => crossentropy.tangentBackward(r, { logp, y, zDot }, scale),
      };
    },
  },
  /** Mean over the classes of (z - y)²: `engine/ops/squarederror.ts`. */
  'squared-error': {
    forward: (r, z, y) => ({
      losses: () => squarederror.forward(r, { z, y }),
      backward: (scale) => squarederror.backward(r, { z, y }, scale),
      tangentBackward: (zDot, scale) => squarederror.tangentBackward(r, { zDot }, scale),
    }),
  },
  /** Mean over the classes of a logistic loss each: `engine/ops/binarycrossentropy.ts`. */
  'binary-cross-entropy': {
    forward: (r, z, y) => ({
      losses: () => binarycrossentropy.forward(r, { z, y }),
      backward: (scale) => binarycrossentropy.backward(r, { z, y }, scale),
      tangentBackward: (zDot, scale) => binarycrossentropy.tangentBackward(r, { z, zDot }, scale),
    }),
  },
} satisfies Record<LossName, Loss>;

/**
 * `cross-entropy`: softmax cross-entropy; `squared-error`: mean over the classes of (z - y)²; `binary-cross-entropy`:
 * mean over the classes of a logistic loss each.
 */
export type LossName = 'cross-entropy' | 'squared-error' | 'binary-cross-entropy';

/** Names that `lossOf` knows. */
export const lossNames = Object.keys(losses) as readonly LossName[];

/** The loss of a name; ERR_OPTION for one that is unknown, where `what` is the name of the option. */
export function lossOf(name: LossName, what = 'loss'): Loss {
  if (!lossNames.includes(name))
    throw new LimbeckError(
      'ERR_OPTION',
      `${what} ${written(name)} is unknown; there are: ${lossNames.join(', ')}`,
    );
  return losses[name];
}
