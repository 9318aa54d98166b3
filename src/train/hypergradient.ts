import { expectShared } from '../engine/kernel.js';
import * as crossentropy from '../engine/ops/crossentropy.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import { elements, type Recorder, slice, type View } from '../engine/program.js';
import { type InnerLoop, stepOperands } from './inner-loop.js';

/** Where gradients of the meta-loss go; each is summed over the population. */
export interface HypergradientResults {
  /** `[steps, n, C, H, W]` */
  readonly images?: View;
  /** `[steps, n, K]` */
  readonly labels?: View;
  /** `[steps * epochs]` */
  readonly rates?: View;
}

/**
 * The exact gradient of a loss L(theta[T]) through T recorded SGD steps: one tangent pass per step, swept backwards.
 *
 * Notation: `l(theta; x, y)` is the inner loss of step t, `g` its gradient, `eta` its learning rate, and
 * `lambda[t] = dL / dtheta[t]`. From `theta[t+1] = theta[t] - eta g`, with `v = lambda[t+1]`:
 *
 *     dL/dx   = -eta H_xw v         dL/dy = -eta H_yw v
 *     dL/deta = -g·v                lambda[t] = v - eta H_ww v
 *
 * One tangent pass of the gradient program at theta[t] in direction `thetaDot = v` gives all four: `H_xw v`, `H_yw v`
 * and `H_ww v` are the tangents of xBar, yBar and thetaBar, and `g·v` is the tangent of the loss, `zBar · zDot`.
 * Invariant: at the top of each iteration `lambda` is dL/dtheta[t+1], and every batch used by steps after t holds its
 * share of the gradient already.
 *
 * Images, labels and rates must be shared by the population, since their gradients are summed over it.
 */
export function recordHypergradient(
  r: Recorder,
  loop: InnerLoop,
  thetas: readonly View[],
  lambdaLast: View,
  results: HypergradientResults,
): void {
  const { network, steps, epochs } = loop;
  for (const name of ['images', 'labels', 'rates'] as const) expectShared('hypergradient', name, loop[name]);
  const touched = new Set<number>();
  let lambda = lambdaLast;
  for (let t = steps * epochs - 1; t >= 0; t--) {
    const { n, x, y, rate } = stepOperands(loop, t);
    const passes = network.forward(r, x, thetas[t]);
    const { logp } = crossentropy.forward(r, { z: passes.z, y });
    const zBar = crossentropy.backward(r, { logp, y }, 1 / n);
    passes.backward(zBar);

    const zDot = passes.tangentForward(lambda);
    const { zBarDot, yBarDot } = crossentropy.tangentBackward(r, { logp, y, zDot }, 1 / n);
    // Nobody reads dL/dtheta[0], so the last step swept needs no H_ww v.
    const hv = t > 0 ? r.temporary('hv', lambda.members, [network.count]) : undefined;
    const xBarDot = passes.tangentBackward(zBarDot, {
      thetaDot: lambda,
      thetaBarDot: hv,
      wantX: results.images !== undefined,
    });

    const batch = t % steps;
    const accumulate = touched.has(batch);
    touched.add(batch);
    const add = (tangent: View, total: View) =>
      reduce.members(r, { x: tangent, scale: rate }, -1, {
        into: slice(total, batch * elements(tangent.shape), tangent.shape),
        accumulate,
      });
    if (results.images) add(xBarDot!, results.images);
    if (results.labels) add(yBarDot, results.labels);
    if (results.rates) {
      const lossDot = reduce.dot(r, { a: zBar, b: zDot });
      reduce.members(r, { x: lossDot }, -1, { into: slice(results.rates, t, [1]) });
    }
    if (hv) lambda = optimizer.sgd(r, { theta: lambda, g: hv, rate });
  }
}
