/** Kernel inducing points in float64 on the tests' own differentiation: angle by angle, as the paper of Cho & Saul 2009 has them. */
import type { ArccosineKernel } from '../../src/engine/ops/arccosine.js';
import {
  acos,
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
  sqrt,
  transpose,
} from './autograd.js';
import { dot, minus, solution, sum } from './oracle-matching.js';
import { range } from './oracle-networks.js';

const plus = (a: Node, value: number): Node => add(a, constant(a.value.map(() => value)));

/** The kernel of pairs of images by inner products g and squared norms a, b; of an image with itself all three are its squared norm. */
export function kernelOracle(
  g: Node,
  a: Node,
  b: Node,
  { layers, weight, gain, bias, tangent }: ArccosineKernel,
): Node {
  const covariance = (x: Node) => plus(scale(x, gain), bias);
  let [q, qa, qb] = [g, a, b].map(covariance);
  let t = q;
  for (let l = 0; l < layers; l++) {
    const size = sqrt(multiply(qa, qb));
    const same = g === a;
    const cosine = multiply(q, reciprocal(size));
    const ones = constant(g.value.map(() => 1));
    // Angles of 0 have no derivative, and none is needed.
    const angle = same ? constant(g.value.map(() => 0)) : acos(cosine);
    const left = minus(constant(g.value.map(() => Math.PI)), angle);
    const sine = same ? angle : sqrt(minus(ones, multiply(cosine, cosine)));
    const turned = scale(multiply(size, add(sine, multiply(left, cosine))), weight / (2 * Math.PI));
    const slope = scale(left, weight / (2 * Math.PI));
    q = plus(turned, bias);
    t = add(q, multiply(t, slope));
    [qa, qb] = [qa, qb].map((x) => plus(scale(x, weight / 2), bias));
  }
  return tangent ? t : q;
}

export interface InducingOracleOptions {
  readonly n: number;
  readonly B: number;
  readonly K: number;
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly realImages: ArrayLike<number>;
  readonly realLabels: ArrayLike<number>;
  readonly kernel: ArccosineKernel;
  readonly ridge: number;
}

export function inducingOracle({ n, B, K, kernel, ridge, ...o }: InducingOracleOptions) {
  const D = o.images.length / n;
  const [x, y] = [o.images, o.labels].map(constant);
  const t = constant(o.realImages);
  const norms = (rows: Node, count: number) =>
    scatter(
      multiply(rows, rows),
      range(count * D, (i) => Math.floor(i / D)),
      count,
    );
  const [own, real] = [norms(x, n), norms(t, B)];
  const products = matmul(x, transpose(x, n, D), n, D, n);
  const pairs = range(n * n, (i) => i).filter((i) => i % (n + 1));
  const apart = kernelOracle(
    gather(products, pairs),
    gather(
      own,
      pairs.map((i) => Math.floor(i / n)),
    ),
    gather(
      own,
      pairs.map((i) => i % n),
    ),
    kernel,
  );
  const diagonal = range(n, (i) => i * (n + 1));
  const same = kernelOracle(own, own, own, kernel);
  const mean = gather(scale(sum(same), ridge / n), new Int32Array(n));
  const a = add(scatter(apart, pairs, n * n), scatter(add(same, mean), diagonal, n * n));
  const across = kernelOracle(
    matmul(t, transpose(x, n, D), B, D, n),
    gather(
      real,
      range(B * n, (i) => Math.floor(i / n)),
    ),
    gather(
      own,
      range(B * n, (i) => i % n),
    ),
    kernel,
  );
  const predictions = matmul(across, solution(a, y, n), B, n, K);
  const error = minus(predictions, constant(o.realLabels));
  const loss = scale(dot(error, error), 1 / (2 * B * K));
  const [images, labels] = gradients(loss, [x, y]).map(({ value }) => value);
  return { loss: loss.value[0], images, labels, predictions: predictions.value };
}
