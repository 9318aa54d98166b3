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
}

/**
 * The program that gives every network the classifier of kernel ridge regression in the place of the one it was trained with (Zhou,
 * Nezhadarya & Ba 2022). With the features f of the images and their labels y,
 *
 *     w = yᵀ (f fᵀ + ridge mean(diag) I)⁻¹ f     b = 0
 *
 * so that a network's logits of an image t are `f(t) wᵀ`, the prediction of that regression. `batches` declares the images and gives
 * them in pieces of which the features are taken one after the other. Changes `theta` `[members, count]`; ERR_OPTION for a network
 * without features.
 */
export function recordRegressedClassifier(
  { network, members, rows, ridge }: RegressedClassifier,
  batches: (r: Recorder) => readonly View[],
): Program {
  const r = new Recorder('classifier by kernel regression');
  const [D, K] = [network.features, network.classes];
  const theta = r.external('theta', members, [network.count]);
  const labels = r.external('labels', 1, [rows, K]);
  const x = r.temporary('features', members, [rows, D]);
  let next = 0;
  for (const batch of batches(r)) {
    const { features } = network.featurePasses(r, batch, theta);
    copyInto(r, features, slice(x, next, features.shape));
    next += elements(features.shape);
  }
  const l = cholesky.factor(r, { a: linear.forward(r, { x, w: x }) }, ridge);
  const alpha = cholesky.solve(r, { l, b: labels });
  // The classifier is the last layer: its weight [K, D], then its bias.
  const [weight, bias] = network.parameters.slice(-2).map(({ offset, shape }) => slice(theta, offset, shape));
  linear.backwardWeight(r, { x, yBar: alpha }, { into: weight });
  elementwise.fill(r, 0, bias);
  return r.program();
}
