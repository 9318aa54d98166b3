import * as cholesky from '../engine/ops/cholesky.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { copyInto, type Groups, groupCount, inTurns, modeOfReal, partsFor } from './groups.js';
import { lossOf } from './loss.js';

/** One network for each group; images, labels and real ones may be shared. */
export interface KernelRegression extends Groups {
  /** `[N, K]` */
  readonly labels: View;
  /** `[B, C, H, W]` and `[B, K]`, shared by all networks. */
  readonly real: { readonly images: View; readonly labels: View };
  /** What is added to the diagonal of the kernel, as a part of its mean. */
  readonly ridge: number;
}

/** Of every network, as members. */
export interface Regressed {
  /** `[1]`: half the squared error of the predictions, summed over the classes, the mean over the real images. */
  readonly losses: View;
  /** `[N, C, H, W]`: gradient of the loss. */
  readonly images: View;
  /** `[N, K]`: gradient of the loss. */
  readonly labels: View;
}

/**
 * Records how well kernel ridge regression on images x with labels y predicts the labels of real images t, and its gradient (Zhou,
 * Nezhadarya & Ba 2022). The kernel is that of the features f of a network, `f(x) f(x')ᵀ`. With A = f(x) f(x)ᵀ + ridge mean(diag) I,
 *
 *     alpha = A⁻¹ y       w = alphaᵀ f(x)       prediction = f(t) wᵀ
 *
 * so that the regression is a linear layer behind the features, and the kernel of real images with the others is never computed. On the
 * way back alphaBar = f(x) wBarᵀ, z = A⁻¹ alphaBar and ABar = -z alphaᵀ, the trace of which the ridge passes on to the diagonal:
 *
 *     yBar = z       f(x)Bar = alpha (wBar - zᵀ f(x)) - z w - 2 ridge / N (z·alpha) f(x)
 *
 * Nothing flows into the networks or into the features of real images.
 */
export function recordKernelRegression(r: Recorder, o: KernelRegression): Regressed {
  const networks = groupCount(o);
  const results = {
    losses: r.temporary('losses', networks, [1]),
    images: r.temporary('imagesBar', networks, o.images.shape),
    labels: r.temporary('labelsBar', networks, o.labels.shape),
  };
  inTurns(r, o, (r, { network, theta, images, labels, real, ridge, mode }, partOf) => {
    const f = network.featurePasses(r, real.images, theta, modeOfReal(mode)).features;
    const passes = network.featurePasses(r, images, theta, mode);
    const x = passes.features;
    const [B, K] = real.labels.shape;

    const l = cholesky.factor(r, { a: linear.forward(r, { x, w: x }) }, ridge);
    const alpha = cholesky.solve(r, { l, b: labels });
    const w = linear.backwardWeight(r, { x, yBar: alpha });
    const error = lossOf('squared-error').forward(r, linear.forward(r, { x: f, w }), real.labels);
    // That loss is a mean over the classes.
    const scale = K / (2 * B);
    const losses = error.losses();
    // Without parameters in front of the classifier all networks have the same features.
    for (const into of partsFor(losses, partOf(results.losses)))
      reduce.sum(r, { x: losses }, scale, { into });

    const wBar = linear.backwardWeight(r, { x: f, yBar: error.backward(scale) });
    const alphaBar = linear.forward(r, { x, w: wBar });
    const z = cholesky.solve(r, { l, b: alphaBar });
    copyInto(r, z, partOf(results.labels));
    const featuresBar = recordFeaturesBar(r, { x, alpha, w, z, wBar }, ridge);
    copyInto(r, passes.backward(featuresBar), partOf(results.images));
  });
  return results;
}

/**
 * Records the gradient of a regression with respect to its features x `[N, F]`: `f(x)Bar` above. Without `wBar` it is that of
 * zᵀ A alpha with z and alpha held fixed, and the sign turned: of what a solution is by A alone.
 */
export function recordFeaturesBar(
  r: Recorder,
  { x, alpha, w, z, wBar }: { x: View; alpha: View; w: View; z: View; wBar?: View },
  ridge: number,
): View {
  const projected = linear.backwardWeight(r, { x, yBar: z });
  const across = elementwise.add(r, { a: wBar ?? projected, b: projected }, wBar ? 1 : 0, -1);
  const second = { yBar: z, w: elementwise.add(r, { a: w, b: w }, -1, 0) };
  const xBar = linear.backwardInput(r, { yBar: alpha, w: across, second });
  const trace = reduce.dot(r, { a: z, b: alpha });
  const rate = elementwise.add(r, { a: trace, b: trace }, (2 * ridge) / x.shape[0], 0);
  return optimizer.sgd(r, { theta: xBar, g: x, rate });
}
