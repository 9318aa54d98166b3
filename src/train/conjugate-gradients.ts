import * as elementwise from '../engine/ops/elementwise.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';

/** a / b and its negative, of `[1]` above 0; 1 where either is 0, as behind a solution that is exact. */
function recordRatio(r: Recorder, a: View, b: View): { ratio: View; negative: View } {
  const root = optimizer.trust(r, { squaredNorm: a, squaredStep: b });
  const ratio = reduce.dot(r, { a: root, b: root });
  return { ratio, negative: elementwise.add(r, { a: ratio, b: ratio }, -1, 0) };
}

/**
 * Records so many steps of conjugate gradients from 0 towards x with A x = b (Hestenes & Stiefel 1952). A is symmetric, positive
 * definite, and known by `product`, which records A p. In exact arithmetic as many steps as A has different eigenvalues solve it.
 */
export function recordConjugateGradients(
  r: Recorder,
  b: View,
  product: (p: View) => View,
  steps: number,
): View {
  let x = elementwise.fill(r, 0, r.temporary('solution', b.members, b.shape));
  let [residual, p] = [b, b];
  let squared = reduce.dot(r, { a: b, b });
  for (let step = 0; step < steps; step++) {
    const ap = product(p);
    const { ratio: rate, negative } = recordRatio(r, squared, reduce.dot(r, { a: p, b: ap }));
    x = optimizer.sgd(r, { theta: x, g: p, rate: negative });
    if (step === steps - 1) break;
    residual = optimizer.sgd(r, { theta: residual, g: ap, rate });
    const next = reduce.dot(r, { a: residual, b: residual });
    p = optimizer.sgd(r, { theta: residual, g: p, rate: recordRatio(r, next, squared).negative });
    squared = next;
  }
  return x;
}
