import * as arccosine from '../engine/ops/arccosine.js';
import * as cholesky from '../engine/ops/cholesky.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { asRows, squaredNorms } from './infinite-width.js';
import { lossOf } from './loss.js';

/** Images, real ones whose labels they shall predict, and the kernel they do it with. All are shared. */
export interface InducingPoints {
  /** `[n, C, H, W]` */
  readonly images: View;
  /** `[B, C, H, W]` and `[B, K]` */
  readonly real: { readonly images: View; readonly labels: View };
  readonly kernel: arccosine.ArccosineKernel;
  /** What is added to the diagonal of the kernel, as a part of its mean. */
  readonly ridge: number;
}

/** What the labels of images are to an objective that predicts with them. */
export interface InducedPasses {
  /** `[n, K]`: those with which the images predict best; see `recordInducingPoints`. */
  solved(sums?: LabelSums): View;
  /** The loss `[1]` of labels `[n, K]`, and its gradients with respect to images `[n, C, H, W]` and labels. */
  regressed(labels: View, into: { readonly images: View; readonly loss: View }): { readonly labels: View };
}

/** The system that solved labels are a solution of, summed over all batches there have been; zeros before the first one. */
export interface LabelSums {
  /** `[n, n]` */
  readonly normal: View;
  /** `[n, K]` */
  readonly projected: View;
}

/** Of the system of solved labels, as a part of the mean of its diagonal: what float32 needs where images say nearly the same. */
const labelRidge = 1e-6;

/**
 * Records how well kernel ridge regression on images x predicts the labels of real images t (kernel inducing points; Nguyen, Chen & Lee 2021):
 *
 *     prediction = k(t, x) A⁻¹ y `[B, K]`     A = k(x, x) + ridge mean(diag) I     loss = half the mean square of prediction - labels of t
 *
 * Solved labels y minimise that loss in closed form (label solve), and so leave no gradient with respect to y: `regressed` is exact for images whose labels
 * are solved.
 */
export function recordInducingPoints(r: Recorder, o: InducingPoints): InducedPasses {
  const { kernel, ridge, real } = o;
  const [x, t] = [asRows(o.images), asRows(real.images)];
  const [n, B] = [x.shape[0], t.shape[0]];
  const g = linear.forward(r, { x, w: x });
  const l = cholesky.factor(r, { a: arccosine.gram(r, { g }, kernel) }, ridge);
  const products = { g: linear.forward(r, { x: t, w: x }), a: squaredNorms(r, t), b: squaredNorms(r, x) };
  const k = arccosine.cross(r, products, kernel);

  return {
    solved(sums) {
      const identity = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) ? 0 : 1));
      const inverse = cholesky.solve(r, { l, b: r.constant('identity', [n, n], identity) });
      // Predictions are linear in y, phi y: normal equations.
      const phi = linear.forward(r, { x: k, w: inverse });
      const accumulate = sums !== undefined;
      const normal = linear.backwardWeight(r, { x: phi, yBar: phi }, { into: sums?.normal, accumulate });
      const operands = { x: real.labels, yBar: phi };
      const projected = linear.backwardWeight(r, operands, { into: sums?.projected, accumulate });
      return cholesky.solve(r, { l: cholesky.factor(r, { a: normal }, labelRidge), b: projected });
    },

    regressed(labels, into) {
      const alpha = cholesky.solve(r, { l, b: labels });
      const prediction = linear.backwardInput(r, { yBar: k, w: alpha });
      const error = lossOf('squared-error').forward(r, prediction, real.labels);
      const scale = 1 / (2 * B);
      reduce.sum(r, { x: error.losses() }, scale, { into: into.loss });

      // ABar = -z alphaᵀ, and yBar = z.
      const predictionBar = error.backward(scale);
      const z = cholesky.solve(r, { l, b: linear.backwardWeight(r, { x: predictionBar, yBar: k }) });
      const across = { ...products, kBar: linear.forward(r, { x: predictionBar, w: alpha }) };
      const { gBar: acrossBar, bBar } = arccosine.crossBackward(r, across, kernel);
      const kBar = linear.forward(r, { x: elementwise.add(r, { a: z, b: z }, -1, 0), w: alpha });
      const gBar = arccosine.gramBackward(r, { g, kBar, aBar: bBar }, kernel);
      // k is a function of g = x xᵀ, in which x stands twice, and of t xᵀ.
      const xBar = linear.backwardWeight(r, { x: t, yBar: acrossBar });
      linear.backwardInput(r, { yBar: gBar, w: x }, { into: xBar, accumulate: true });
      linear.backwardWeight(r, { x, yBar: gBar }, { into: xBar, accumulate: true });
      // The ridge is a part of the trace, which is linear in the squared norms.
      const trace = reduce.dot(r, { a: z, b: alpha });
      const rate = elementwise.add(
        r,
        { a: trace, b: trace },
        (2 * ridge * arccosine.slopeOfSame(kernel)) / n,
        0,
      );
      optimizer.sgd(r, { theta: xBar, g: x, rate }, { into: reshape(into.images, x.shape) });
      return { labels: z };
    },
  };
}
