import * as cholesky from '../engine/ops/cholesky.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, slice, type View } from '../engine/view.js';
import type { NetworkPasses } from '../networks/network.js';
import { recordConjugateGradients } from './conjugate-gradients.js';
import { copyInto, groupCount, inTurns, modeOfReal } from './groups.js';
import { type KernelRegression, type Regressed, recordFeaturesBar } from './kernel-regression.js';
import { lossOf } from './loss.js';

/** As kernel regression, of a network that is linear in its parameters; the labels of real images are those of cross-entropy. */
export interface ConvexifiedRegression extends KernelRegression {
  /** `[1]`: by which predictions are divided before their cross-entropy. */
  readonly temperature: View;
  /** Of conjugate gradients, for each of the two systems; no more are made than either has different eigenvalues. */
  readonly solverSteps: number;
  /** How long the implicit part of a gradient may be, as a multiple of the direct part. */
  readonly mostImplicit: number;
}

/** Of every network, as members; losses are the mean cross-entropy of the real images. */
export interface ConvexifiedRegressed extends Regressed {
  /** `[1]`: gradient of the loss. */
  readonly temperature: View;
}

/**
 * Records how well a network predicts real images t after it was trained to its optimum on images x with labels y, and the gradient of that
 * (Loo, Hasani, Lechner & Rus 2023). The network is made linear around its parameters theta. Its features are f. J(x) is the tangent of the
 * logits at theta in all parameters but the classifier's weight, and A = f(x) f(x)ᵀ + ridge mean(diag) I. That weight u is exact for every w:
 *
 *     prediction = J(t) w + f(t) uᵀ     u = alphaᵀ f(x)     alpha = A⁻¹ (y - J(x) w)
 *
 * which leaves an inner loss that is convex in w, `alphaᵀ A alpha + wᵀ w`, and its optimum:
 *
 *     H w = J(x)ᵀ A⁻¹ y     H = I + J(x)ᵀ A⁻¹ J(x)
 *
 * The direct part of the gradient is that of the loss L with w held fixed, as in kernel regression (z there): J(x) w has the gradient -z.
 * The implicit part goes through w: with `H q = dL/dw = J(t)ᵀ predictionBar - J(x)ᵀ z` it is the gradient of `(J(x) q)ᵀ alpha` with w and q
 * held fixed. Both contain `cᵀ J(x) v` with fixed c and v, whose gradient with respect to x is xBarDot of one tangent pass in direction
 * v from zBar = c.
 *
 * Both systems are solved by conjugate gradients, H by a tangent pass and a backward one a step. Solved to the end, and with an implicit part that is not
 * held, both parts are the exact gradient of the loss. Nothing flows into theta.
 */
export function recordConvexifiedRegression(r: Recorder, o: ConvexifiedRegression): ConvexifiedRegressed {
  const networks = groupCount(o);
  const results = {
    losses: r.temporary('losses', networks, [1]),
    images: r.temporary('imagesBar', networks, o.images.shape),
    labels: r.temporary('labelsBar', networks, o.labels.shape),
    temperature: r.temporary('temperatureBar', networks, [1]),
  };
  inTurns(r, o, (r, some, partOf) => {
    const { network, theta, images, labels, real, ridge, temperature, mode } = some;
    const [N, [B, K]] = [images.shape[0], real.labels.shape];
    const count = groupCount(some);
    const features = network.featurePasses(r, images, theta, mode);
    const x = features.features;
    const own = network.forward(r, images, theta, mode);
    const seen = network.forward(r, real.images, theta, modeOfReal(mode));
    const t = reshape(seen.outputs.at(-2) ?? real.images, [B, network.features]);

    const l = cholesky.factor(r, { a: linear.forward(r, { x, w: x }) }, ridge);
    const solve = (b: View) => cholesky.solve(r, { l, b });
    const classifier = network.parameters.findLast(({ shape }) => shape.length === 2)!;
    const jacobianBar = (passes: NetworkPasses, zBar: View) => {
      const thetaBar = r.temporary('jacobianBar', count, [network.count]);
      passes.backward(zBar, { thetaBar });
      elementwise.fill(r, 0, slice(thetaBar, classifier.offset, classifier.shape));
      return thetaBar;
    };
    const optimum = (b: View) => {
      const product = (p: View) =>
        elementwise.add(r, { a: p, b: jacobianBar(own, solve(own.tangentForward(p))) });
      return recordConjugateGradients(r, b, product, Math.min(o.solverSteps, N * K + 1));
    };

    const w = optimum(jacobianBar(own, solve(labels)));
    const alpha = solve(elementwise.add(r, { a: labels, b: own.tangentForward(w) }, 1, -1));
    const u = linear.backwardWeight(r, { x, yBar: alpha });
    const prediction = elementwise.add(r, {
      a: seen.tangentForward(w),
      b: linear.forward(r, { x: t, w: u }),
    });
    const scaled = elementwise.divide(r, { x: prediction, by: temperature });
    const error = lossOf('cross-entropy').forward(r, scaled, real.labels);
    reduce.sum(r, { x: error.losses() }, 1 / B, { into: partOf(results.losses) });
    const scaledBar = error.backward(1 / B);
    const slope = reduce.dot(r, { a: scaledBar, b: scaled });
    elementwise.divide(r, { x: slope, by: temperature }, -1, { into: partOf(results.temperature) });

    const predictionBar = elementwise.divide(r, { x: scaledBar, by: temperature });
    const uBar = linear.backwardWeight(r, { x: t, yBar: predictionBar });
    const z = solve(linear.forward(r, { x, w: uBar }));
    const wBar = elementwise.add(r, { a: jacobianBar(seen, predictionBar), b: jacobianBar(own, z) }, 1, -1);
    const q = optimum(wBar);
    const zImplicit = solve(own.tangentForward(q));

    const zeros = elementwise.fill(r, 0, r.temporary('zeros', 1, labels.shape));
    const mixed = (zBar: View, thetaDot: View) => {
      own.backward(zBar);
      own.tangentForward(thetaDot);
      return own.tangentBackward(zeros, { thetaDot, wantX: true })!;
    };
    const throughA = (z: View, wBar?: View) =>
      features.backward(recordFeaturesBar(r, { x, alpha, w: u, z, wBar }, ridge));
    const minus = (a: View, b: View) => elementwise.add(r, { a, b }, 1, -1);
    const direct = minus(throughA(z, uBar), mixed(z, w));
    const implicit = elementwise.add(r, {
      a: minus(throughA(zImplicit), mixed(zImplicit, w)),
      b: mixed(alpha, q),
    });
    recordHeld(r, { direct, implicit }, o.mostImplicit, partOf(results.images));
    recordHeld(r, { direct: z, implicit: zImplicit }, o.mostImplicit, partOf(results.labels));
  });
  return results;
}

/** Records the sum of both parts, where the implicit one is no longer than `most` times the direct one. */
function recordHeld(
  r: Recorder,
  { direct, implicit }: { direct: View; implicit: View },
  most: number,
  into: View,
): void {
  const squared = (a: View) => reduce.dot(r, { a, b: a });
  const squaredNorm = elementwise.divide(r, { x: squared(implicit), by: squared(direct) });
  const scale = optimizer.clip(r, { squaredNorm }, most);
  const rate = elementwise.add(r, { a: scale, b: scale }, -1, 0);
  copyInto(r, optimizer.sgd(r, { theta: direct, g: implicit, rate }), into);
}
