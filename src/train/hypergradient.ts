import { expectShared, type Into } from '../engine/op.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, reshape, slice, slotBytes, type View } from '../engine/view.js';
import {
  type InnerLoop,
  partOf,
  rateIndex,
  rateOf,
  recordAgain,
  recordBatch,
  recordStep,
  type StepPasses,
  type Stretch,
  type Trajectory,
} from './inner-loop.js';
import { optimizerOf } from './inner-optimizer.js';
import { plainTraining } from './training.js';

/** Where gradients of the meta-loss go; those of what the population shares are summed over it. */
export interface HypergradientResults {
  /** `[steps, n, C, H, W]` */
  readonly images?: View;
  /** `[steps, n, K]` */
  readonly labels?: View;
  /** `[steps * epochs]`, or `[1]` where all steps share one rate: the sum over the steps, last one first. */
  readonly rates?: View;
  /** `[count]` per member: with respect to theta[0]. */
  readonly theta?: View;
}

/**
 * Which inner steps the sweep does not compute again: none; those that are small, which cost launches more than arithmetic; all, which
 * is fastest and takes as much memory as a tape. `sqrt` keeps less than none of them: of T parameter vectors the first of every
 * √T, and computes those between again, a stretch at a time.
 */
export const keeps = ['none', 'small', 'all', 'sqrt'] as const;
export type Keep = (typeof keeps)[number];

/** What of a trajectory is kept for the sweep. */
export interface Keeping {
  /** Default `small`. */
  readonly keep?: Keep;
  /** Whether `small` and `sqrt` keep the last step whatever its size; default true. */
  readonly last?: boolean;
}

/** A step is small where its temporaries take no more than so many times what its parameters do. */
const smallStep = 8;
/** Bytes that passes of small steps may take together. */
const mostKept = 2 ** 27;

/**
 * The passes of a stretch that the sweep keeps instead of recording them again, undefined for the others. The last steps are kept while
 * they are small, up to 128 MiB in all; with `last` the very last one whatever its size, since the sweep begins with it. So memory
 * grows by the parameters of large steps alone, and small ones, whose cost is that of launching kernels, are computed once.
 */
function keptPasses(
  { thetas, passes }: Stretch,
  keep: Keep,
  last: boolean,
): readonly (StepPasses | undefined)[] {
  if (keep === 'all') return passes;
  const kept = new Array<StepPasses | undefined>(passes.length).fill(undefined);
  if (keep === 'none') return kept;
  const most = smallStep * slotBytes(thetas[thetas.length - 1].slot);
  let bytes = 0;
  for (let t = passes.length - 1; t >= 0; t--) {
    bytes += passes[t].bytes;
    const small = passes[t].bytes <= most && bytes <= mostKept;
    if (!small && !(last && t === passes.length - 1)) break;
    kept[t] = passes[t];
  }
  return kept;
}

/** The steps of a trajectory from step `from` on. */
const lastOf = ({ thetas, states, batches, passes }: Trajectory, from: number): Stretch => ({
  from,
  thetas: thetas.slice(from),
  states: states.slice(from),
  batches: batches.slice(from),
  passes: passes.slice(from),
});

/** Records the stretches of a trajectory that the sweep goes through, the last one first. */
function* stretchesBackwards(
  r: Recorder,
  loop: InnerLoop,
  trajectory: Trajectory,
  keep: Keep,
): Generator<Stretch> {
  const T = trajectory.passes.length;
  const length = keep === 'sqrt' ? Math.ceil(Math.sqrt(T)) : T;
  for (let to = T; to > 0; ) {
    const from = Math.floor((to - 1) / length) * length;
    yield to === T ? lastOf(trajectory, from) : recordAgain(r, loop, trajectory, from, to);
    to = from;
  }
}

/**
 * The exact gradient of a loss L(theta[T]) through T recorded steps: one tangent pass per step, swept backwards.
 *
 * Notation: `l(theta; x, y)` is the inner loss of step t, `g` its gradient, `eta` its learning rate, and
 * `lambda[t] = dL / dtheta[t]`. With SGD, `theta[t+1] = theta[t] - eta g`, and `v = lambda[t+1]`:
 *
 *     dL/dx   = -eta H_xw v         dL/dy = -eta H_yw v
 *     dL/deta = -g·v                lambda[t] = v - eta H_ww v
 *
 * One tangent pass of the gradient program at theta[t] in direction `thetaDot = v` gives all four: `H_xw v`, `H_yw v`
 * and `H_ww v` are the tangents of xBar, yBar and thetaBar, and `g·v` is the tangent of the loss, `zBar · zDot`. With any
 * other optimiser the same pass in direction `v = dL/dg` does it; what v is, how a rate and theta[t] enter beside g,
 * and what is carried from step to step is the optimiser's adjoint (`inner-optimizer.ts`).
 * Invariant: at the top of each iteration `lambda` is dL/dtheta[t+1], and every batch used by steps after t holds its
 * share of the gradient already.
 *
 * Images, labels and rates must be shared by the population, since their gradients are summed over it.
 *
 * Without the `chain`, lambda stays dL/dtheta[T]: what a step does to the gradients of later ones is left out, and the result is exact
 * for the last step alone. That is TESLA (Cui et al. 2023), of plain SGD.
 *
 * With a `window` only the last so many steps are swept: theta and the optimiser's state before them are constants, and
 * gradients of what only earlier steps read are 0.
 */
export function recordHypergradient(
  r: Recorder,
  loop: InnerLoop,
  trajectory: Trajectory,
  lambdaLast: View,
  results: HypergradientResults,
  { keep = 'small', last = true, window, chain = true }: Keeping & { window?: number; chain?: boolean } = {},
): void {
  const { sources } = trajectory;
  const { network, steps, epochs, training = plainTraining } = loop;
  for (const name of ['images', 'labels', 'rates'] as const) expectShared('hypergradient', name, loop[name]);
  const optimizer = optimizerOf(training.optimizer);
  const backThrough = optimizer.sweep(r);
  const T = steps * epochs;
  const first = T - Math.min(window ?? T, T);
  const sharedRate = elements(loop.rates.shape) === 1;
  const touched = new Set<number>();
  let lambda = lambdaLast;
  const sweep = (t: number, { from, thetas, states, batches }: Stretch, kept: StepPasses | undefined) => {
    const rate = rateOf(loop, t);
    const batch = kept ? batches[t - from] : recordBatch(r, loop, t);
    const [theta, before, after] = [thetas[t - from], states[t - from], states[t - from + 1]];
    const { passes, loss, zBar, g } =
      kept ?? recordStep(r, loop, batch, { theta, random: sources[t], wantG: optimizer.readsGradient });
    const adjoint = backThrough({ lambda, theta, rate, g, before, after });

    const zDot = passes.tangentForward(adjoint.v);
    const { zBarDot, yBarDot } = loss.tangentBackward(zDot, 1 / batch.x.shape[0]);
    // Unless somebody reads dL/dtheta[0], the last step swept needs no H_ww v.
    const hv =
      chain && (t > first || (t === 0 && results.theta))
        ? r.temporary('hv', lambda.members, [network.count])
        : undefined;
    const xBarDot = passes.tangentBackward(zBarDot, {
      thetaDot: adjoint.v,
      thetaBarDot: hv,
      wantX: results.images !== undefined,
    });

    const accumulate = touched.has(t % steps);
    touched.add(t % steps);
    const add = (tangent: View, all: View) => {
      const to = { into: partOf(all, loop, t), accumulate };
      const sum = (to: Into) => reduce.members(r, { x: tangent, scale: adjoint.scale }, adjoint.factor, to);
      if (batch.rows) putRows(r, batch.rows, sum({}), to);
      else sum(to);
    };
    if (results.images) add(batch.backward?.(xBarDot!) ?? xBarDot!, results.images);
    if (results.labels) add(yBarDot, results.labels);
    if (results.rates) {
      const rateBar = adjoint.rateBar(() => reduce.dot(r, { a: zBar, b: zDot }));
      const into = slice(results.rates, rateIndex(loop.rates, t), [1]);
      reduce.members(r, { x: rateBar }, -1, { into, accumulate: sharedRate && t < T - 1 });
    }
    if (hv) lambda = adjoint.lambda(hv, t === 0 ? results.theta : undefined);
  };
  for (const stretch of stretchesBackwards(r, loop, trajectory, keep)) {
    const { from, passes } = stretch;
    // A stretch that was computed again ends with the step that the sweep begins with.
    const kept = keptPasses(stretch, keep, last || from + passes.length < T);
    for (let t = from + passes.length - 1; t >= Math.max(from, first); t--) sweep(t, stretch, kept[t - from]);
    if (from <= first) break;
  }
  if (first > 0) recordZeros(r, loop, first, touched, results);
}

/** The transpose of choosing rows: puts `part` `[n, ...]` where its rows came from, zeros elsewhere; a product with zeros and ones is exact. */
function putRows(r: Recorder, rows: View, part: View, { into, accumulate }: Required<Into>): void {
  const flat = (view: View) => reshape(view, [view.shape[0], elements(view.shape) / view.shape[0]]);
  linear.backwardWeight(r, { x: flat(part), yBar: rows }, { into: flat(into), accumulate });
}

/** Where the sweep ends before step 0: the gradients of what no swept step has read. */
function recordZeros(
  r: Recorder,
  { network, images, labels, rates, steps }: InnerLoop,
  first: number,
  touched: ReadonlySet<number>,
  results: HypergradientResults,
): void {
  const zero = (total: View | undefined, index: number, shape: readonly number[]) =>
    total && elementwise.fill(r, 0, slice(total, index * elements(shape), shape));
  for (let batch = 0; batch < steps; batch++)
    if (!touched.has(batch)) {
      zero(results.images, batch, images.shape.slice(1));
      zero(results.labels, batch, labels.shape.slice(1));
    }
  if (elements(rates.shape) > 1) zero(results.rates, 0, [first]);
  zero(results.theta, 0, [network.count]);
}
