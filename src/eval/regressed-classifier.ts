import * as cholesky from '../engine/ops/cholesky.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import { type Program, Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { copyInto } from '../train/groups.js';

/** Networks, and how many images they were trained on. */
export interface RegressedClassifier {
  readonly network: Network;
  readonly members: number;
  readonly rows: number;
  readonly ridge: number;
  /** Whether every network has labels of its own; otherwise they share them. */
  readonly ownLabels?: boolean;
}

/**
 * The program that gives every network the classifier of kernel ridge regression in the place of the one it was trained with (Zhou,
 * Nezhadarya & Ba 2022). With the features f of the images and their labels y,
 *
 *     w = yᵀ (f fᵀ + ridge mean(diag) I)⁻¹ f     b = 0
 *
 * so that a network's logits of an image t are `f(t) wᵀ`, the prediction of that regression. Of more images than features f fᵀ has no
 * full rank, and in float32 a ridge of a millionth is lost beside its largest eigenvalue; then it is solved in the features, which is
 * the same,
 *
 *     w = yᵀ f (fᵀ f + ridge mean(diag f fᵀ) I)⁻¹
 *
 * `batches` declares the images and gives
 * them in pieces of which the features are taken one after the other. Changes `theta` `[members, count]`; ERR_OPTION for a network
 * without features.
 */
export function recordRegressedClassifier(
  { network, members, rows, ridge, ownLabels }: RegressedClassifier,
  batches: (r: Recorder) => readonly View[],
): Program {
  const r = new Recorder('classifier by kernel regression');
  const [D, K] = [network.features, network.classes];
  const theta = r.external('theta', members, [network.count]);
  const labels = r.external('labels', ownLabels ? members : 1, [rows, K]);
  const x = r.temporary('features', members, [rows, D]);
  let next = 0;
  for (const batch of batches(r)) {
    const { features } = network.featurePasses(r, batch, theta);
    copyInto(r, features, slice(x, next, features.shape));
    next += elements(features.shape);
  }
  // The classifier is the last layer: its weight [K, D], then its bias.
  const [weight, bias] = network.parameters.slice(-2).map(({ offset, shape }) => slice(theta, offset, shape));
  if (rows > D) {
    // The mean is over images: both matrices have one trace.
    const l = cholesky.factor(r, { a: linear.backwardWeight(r, { x, yBar: x }) }, (ridge * D) / rows);
    const across = cholesky.solve(r, { l, b: linear.backwardWeight(r, { x: labels, yBar: x }) });
    linear.forward(r, { x: r.constant('identity', [K, K], identity(K)), w: across }, { into: weight });
  } else {
    const l = cholesky.factor(r, { a: linear.forward(r, { x, w: x }) }, ridge);
    linear.backwardWeight(r, { x, yBar: cholesky.solve(r, { l, b: labels }) }, { into: weight });
  }
  elementwise.fill(r, 0, bias);
  return r.program();
}

const identity = (size: number): Float32Array =>
  Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
