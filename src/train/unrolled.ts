import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { atOnce, type InPieces } from '../util/breathe.js';
import { type HypergradientResults, type Keep, recordHypergradient } from './hypergradient.js';
import { type InnerLoop, recordInnerLoop } from './inner-loop.js';
import type { StepResult } from './inner-optimizer.js';
import { type LossName, lossOf } from './loss.js';

export interface UnrolledResults extends HypergradientResults {
  /** `[1]` per member: mean loss on the real batch after training. */
  readonly losses: View;
  /** Per member: theta[T] `[count]` and the optimiser's state beside it, where wanted. */
  readonly trained?: Partial<StepResult>;
  /** `[T]` per member, or longer: the squared norm of each step's gradient, where wanted. */
  readonly squaredNorms?: View;
}

/**
 * Records one meta-gradient: train `members` networks on the distilled data, measure their mean loss (cross-entropy
 * unless `outerLoss` says otherwise) on a real batch (x `[B, C, H, W]`, y `[B, K]`), average over the population, and
 * sweep back to images, labels, learning rates and theta[0], whichever are wanted; `keep` says what is not computed again for
 * that, `window` how many of the last inner steps are swept. (Wang et al. 2018, algorithm 1.)
 */
export const recordUnrolled = (...given: Parameters<typeof unrolledInPieces>): void =>
  atOnce(unrolledInPieces(...given));

/** The same in pieces. */
export function* unrolledInPieces(
  r: Recorder,
  members: number,
  loop: InnerLoop,
  real: { x: View; y: View },
  results: UnrolledResults,
  {
    outerLoss = 'cross-entropy',
    keep = 'small',
    window,
  }: { outerLoss?: LossName; keep?: Keep; window?: number } = {},
): InPieces<void> {
  const trajectory = recordInnerLoop(r, members, loop, {
    ...results.trained,
    squaredNorms: results.squaredNorms,
  });
  yield;
  const last = trajectory.thetas[trajectory.thetas.length - 1];
  const [B] = real.x.shape;
  const passes = loop.network.forward(r, real.x, last);
  const outer = lossOf(outerLoss).forward(r, passes.z, real.y);
  reduce.sum(r, { x: outer.losses() }, 1 / B, { into: results.losses });
  const zBar = outer.backward(1 / (B * members));
  const lambda = r.temporary('lambda', members, [loop.network.count]);
  passes.backward(zBar, { thetaBar: lambda });
  // While the real batch is computed, the last step's passes take memory in proportion to their images.
  const few = loop.images.shape[1] <= B / 16;
  recordHypergradient(r, loop, trajectory, lambda, results, { keep, last: few, window });
}
