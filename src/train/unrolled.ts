import * as crossentropy from '../engine/ops/crossentropy.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder, View } from '../engine/program.js';
import { type HypergradientResults, recordHypergradient } from './hypergradient.js';
import { type InnerLoop, recordInnerLoop } from './inner-loop.js';

export interface UnrolledResults extends HypergradientResults {
  /** `[1]` per member: mean cross-entropy on the real batch after training. */
  readonly losses: View;
  /** `[count]` per member: theta[T], where wanted. */
  readonly theta?: View;
}

/**
 * Records one meta-gradient: train `members` networks on the distilled data, measure their mean cross-entropy on a
 * real batch (x `[B, C, H, W]`, y `[B, K]`), average over the population, and sweep back to images, labels and
 * learning rates. (Wang et al. 2018, algorithm 1.)
 */
export function recordUnrolled(
  r: Recorder,
  members: number,
  loop: InnerLoop,
  real: { x: View; y: View },
  results: UnrolledResults,
): void {
  const thetas = recordInnerLoop(r, members, loop, results.theta);
  const last = thetas[thetas.length - 1];
  const B = real.x.shape[0];
  const passes = loop.network.forward(r, real.x, last);
  const { logp, losses } = crossentropy.forward(r, { z: passes.z, y: real.y });
  reduce.sum(r, { x: losses }, 1 / B, { into: results.losses });
  const zBar = crossentropy.backward(r, { logp, y: real.y }, 1 / (B * members));
  const lambda = r.temporary('lambda', members, [loop.network.count]);
  passes.backward(zBar, { thetaBar: lambda });
  recordHypergradient(r, loop, thetas, lambda, results);
}
