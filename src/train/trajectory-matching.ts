import * as elementwise from '../engine/ops/elementwise.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { slice, type View } from '../engine/view.js';
import { atOnce, type InPieces } from '../util/breathe.js';
import { type HypergradientResults, type Keep, recordHypergradient } from './hypergradient.js';
import { type InnerLoop, recordInnerLoop } from './inner-loop.js';

/**
 * `exact`; or `tesla` (Cui et al. 2023), which takes the gradients of later steps for constants. It costs no H_ww v, and its result
 * is exact for the last step alone.
 */
export type TrajectoryGradient = 'exact' | 'tesla';
export const trajectoryGradients: readonly TrajectoryGradient[] = ['exact', 'tesla'];

export interface TrajectoryMatchingResults extends Omit<HypergradientResults, 'theta'> {
  /** `[1]` per member. */
  readonly losses: View;
  /** `[count]` per member: theta[T], where wanted. */
  readonly trained?: View;
}

/**
 * Records trajectory matching (Cazenavette et al. 2022): `members` networks are trained on the distilled data from theta[0], and of
 * each the squared distance to its target counts in units of that of theta[0],
 *
 *     loss = |theta[T] - target|² / |theta[0] - target|²,
 *
 * averaged over the population, and differentiated through the training. `target` is `[count]` per member. Parameters before `from`
 * are left out of both distances; they are trained all the same.
 */
export const recordTrajectoryMatching = (...given: Parameters<typeof matchingInPieces>): void =>
  atOnce(matchingInPieces(...given));

/** The same in pieces. */
export function* matchingInPieces(
  r: Recorder,
  members: number,
  loop: InnerLoop,
  target: View,
  results: TrajectoryMatchingResults,
  { gradient = 'exact', keep, from = 0 }: { gradient?: TrajectoryGradient; keep?: Keep; from?: number } = {},
): InPieces<void> {
  const { count } = loop.network;
  const matched = (theta: View) => slice(theta, from, [count - from]);
  const away = (theta: View) => elementwise.add(r, { a: matched(theta), b: matched(target) }, 1, -1);
  const squared = (a: View) => reduce.dot(r, { a, b: a });

  const by = squared(away(loop.theta));
  const trajectory = recordInnerLoop(r, members, loop, { theta: results.trained });
  yield;
  const difference = away(trajectory.thetas[trajectory.thetas.length - 1]);
  elementwise.divide(r, { x: squared(difference), by }, 1, { into: results.losses });

  const lambda = r.temporary('lambda', members, [count]);
  if (from > 0) elementwise.fill(r, 0, slice(lambda, 0, [from]));
  elementwise.divide(r, { x: difference, by }, 2 / members, { into: matched(lambda) });
  recordHypergradient(r, loop, trajectory, lambda, results, { keep, chain: gradient === 'exact' });
}
