import { slotBytes } from '../engine/memory.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder, View } from '../engine/program.js';
import { type HypergradientResults, recordHypergradient } from './hypergradient.js';
import { type InnerLoop, recordInnerLoop, type StepPasses, type Trajectory } from './inner-loop.js';
import { type LossName, lossOf } from './loss.js';

export interface UnrolledResults extends HypergradientResults {
  /** `[1]` per member: mean loss on the real batch after training. */
  readonly losses: View;
  /** `[count]` per member: theta[T], where wanted. */
  readonly trained?: View;
}

/** A step is small where its temporaries take no more than so many times what its parameters do. */
const smallStep = 8;
/** Bytes that passes of small steps may take together. */
const mostKept = 2 ** 27;

/**
 * The passes that the sweep need not record again: step T - 1 where it has `few` images, and the last steps as long as they are
 * small. Large steps are computed again, so that memory grows by their parameters alone; small ones cost a launch for each kernel
 * whatever it computes, and with many steps that would be a quarter of all launches.
 */
function keptOf({ thetas, passes }: Trajectory, few: boolean): Trajectory['passes'] {
  const most = smallStep * slotBytes(thetas[thetas.length - 1].slot);
  const kept = new Array<StepPasses | undefined>(passes.length);
  let bytes = 0;
  const last = passes.length - 1;
  for (let t = last; t >= 0; t--) {
    const step = passes[t]!;
    bytes += step.bytes;
    if (step.bytes > most || bytes > mostKept) break;
    kept[t] = step;
  }
  if (few) kept[last] = passes[last];
  return kept;
}

/**
 * Records one meta-gradient: train `members` networks on the distilled data, measure their mean loss (cross-entropy
 * unless `outerLoss` says otherwise) on a real batch (x `[B, C, H, W]`, y `[B, K]`), average over the population, and
 * sweep back to images, labels, learning rates and theta[0], whichever are wanted. (Wang et al. 2018, algorithm 1.)
 */
export function recordUnrolled(
  r: Recorder,
  members: number,
  loop: InnerLoop,
  real: { x: View; y: View },
  results: UnrolledResults,
  outerLoss: LossName = 'cross-entropy',
): void {
  const trajectory = recordInnerLoop(r, members, loop, results.trained);
  const last = trajectory.thetas[trajectory.thetas.length - 1];
  const [B] = real.x.shape;
  const passes = loop.network.forward(r, real.x, last);
  const outer = lossOf(outerLoss).forward(r, passes.z, real.y);
  reduce.sum(r, { x: outer.losses() }, 1 / B, { into: results.losses });
  const zBar = outer.backward(1 / (B * members));
  const lambda = r.temporary('lambda', members, [loop.network.count]);
  passes.backward(zBar, { thetaBar: lambda });
  // While the real batch is computed, passes of a step take memory in proportion to their images.
  const few = loop.images.shape[1] <= B / 16;
  recordHypergradient(r, loop, { ...trajectory, passes: keptOf(trajectory, few) }, lambda, results);
}
