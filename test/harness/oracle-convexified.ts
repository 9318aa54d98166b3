/**
 * Convexified regression in float64 by its dual: kernel regression with the tangent kernel of all parameters as one dense system, differentiated as a
 * whole. Nothing is linear in parameters here, no system is solved by steps, and no part of a gradient is implicit.
 */
import {
  add,
  constant,
  gather,
  gradients,
  matmul,
  multiply,
  type Node,
  reciprocal,
  scale,
  scatter,
  transpose,
} from './autograd.js';
import { losses } from './oracle.js';
import { dot, minus, part, solution, sum } from './oracle-matching.js';
import { features, logits, type OracleNetwork, range } from './oracle-networks.js';

export interface ConvexifiedOracleOptions {
  readonly network: OracleNetwork;
  readonly parameters: ArrayLike<number>;
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly realImages: ArrayLike<number>;
  readonly realLabels: ArrayLike<number>;
  readonly temperature: number;
  readonly ridge: number;
  /** Where the classifier's weight lies in the parameters. */
  readonly classifier: { readonly offset: number; readonly length: number };
}

/** The loss, its gradients, and the part of them that keeps fixed what the parameters before the classifier are trained to. */
export function convexifiedOracle(o: ConvexifiedOracleOptions) {
  const { network, classifier } = o;
  const K = network.classes;
  const [N, B] = [o.labels.length / K, o.realLabels.length / K];
  const theta = constant(o.parameters);
  const mask = theta.value.map((_, i) =>
    i >= classifier.offset && i < classifier.offset + classifier.length ? 0 : 1,
  );
  /** Of each logit, by all parameters but that weight. */
  const tangents = (x: Node, count: number) => {
    const z = logits(network, theta, x, count);
    return Array.from({ length: count * K }, (_, i) =>
      multiply(constant(mask), gradients(part(z, i, 1), [theta])[0]),
    );
  };
  const inputs = [o.images, o.labels, [o.temperature]].map(constant);
  const [x, y, temperature] = inputs;
  const real = constant(o.realImages);
  const f = features(network, theta, x, N);
  const F = f.value.length / N;
  const t = constant(features(network, theta, real, B).value);
  const [own, seen] = [tangents(x, N), tangents(real, B).map(({ value }) => constant(value))];
  const kernel = matmul(f, transpose(f, N, F), N, F, N);
  const across = matmul(t, transpose(f, N, F), B, F, N);
  const diagonal = range(N, (i) => i * (N + 1));
  const ridge = scale(sum(gather(kernel, diagonal)), o.ridge / N);
  const stacked = (scalars: readonly Node[]) =>
    scalars.map((value, i) => scatter(value, Int32Array.of(i), scalars.length)).reduce(add);
  /** The kernel of features for one class, or 0 between two. */
  const between = (k: Node, i: number, j: number) =>
    i % K === j % K ? part(k, Math.floor(i / K) * N + Math.floor(j / K), 1) : constant([0]);
  const lossOf = (prediction: Node) => {
    const by = gather(reciprocal(temperature), new Int32Array(B * K));
    return losses['cross-entropy'](multiply(prediction, by), constant(o.realLabels), B, K);
  };

  const NK = N * K;
  const matrix = own.flatMap((a, i) =>
    own.map((b, j) => {
      const entry = add(dot(a, b), between(kernel, i, j));
      return i === j ? add(entry, ridge) : entry;
    }),
  );
  const dual = solution(stacked(matrix), y, NK);
  const rows = seen.flatMap((a, i) => own.map((b, j) => add(dot(a, b), between(across, i, j))));
  const loss = lossOf(matmul(stacked(rows), dual, B * K, NK, 1));

  const w = constant(
    theta.value.map((_, p) => own.reduce((total, { value }, i) => total + dual.value[i] * value[p], 0)),
  );
  const ridges = scatter(gather(ridge, new Int32Array(N)), diagonal, N * N);
  const residual = minus(y, stacked(own.map((a) => dot(a, w))));
  const alpha = solution(add(kernel, ridges), residual, N);
  const past = add(stacked(seen.map((a) => dot(a, w))), matmul(across, alpha, B, N, K));
  const values = (of: Node) => gradients(of, inputs).map(({ value }) => value);
  return {
    loss: loss.value[0],
    past: lossOf(past).value[0],
    whole: values(loss),
    direct: values(lossOf(past)),
  };
}
