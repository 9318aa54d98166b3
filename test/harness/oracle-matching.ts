/** Hessian-vector products and matching objectives in float64, gradient through gradient on the tests' own differentiation. */
import {
  add,
  constant,
  cosine,
  gather,
  gradients,
  matmul,
  multiply,
  type Node,
  reciprocal,
  rowSums,
  scale,
  scatter,
  sine,
  sqrt,
  transpose,
} from './autograd.js';
import { losses } from './oracle.js';
import { features, logits, type OracleNetwork, range } from './oracle-networks.js';

export const sum = (a: Node): Node => scatter(a, new Int32Array(a.value.length), 1);
export const dot = (a: Node, b: Node): Node => sum(multiply(a, b));
export const minus = (a: Node, b: Node): Node => add(a, scale(b, -1));

/** Elements from .. from + length - 1. */
export const part = (a: Node, from: number, length: number): Node =>
  gather(
    a,
    range(length, (i) => from + i),
  );
const parts = (values: ArrayLike<number>, count: number): ArrayLike<number>[] => {
  const all = Float64Array.from(values);
  const length = all.length / count;
  return Array.from({ length: count }, (_, i) => all.subarray(i * length, (i + 1) * length));
};

type Loss = keyof typeof losses;

function meanLoss(network: OracleNetwork, loss: Loss, theta: Node, x: Node, y: Node): Node {
  const n = y.value.length / network.classes;
  return losses[loss](logits(network, theta, x, n), y, n, network.classes);
}

export interface HvpOracleOptions {
  readonly network: OracleNetwork;
  readonly P: number;
  readonly parameters: ArrayLike<number>;
  readonly vector: ArrayLike<number>;
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly loss?: Loss;
}

/** Gradient of g·v, network by network. */
export function hvpOracle({ network, P, loss = 'cross-entropy', ...o }: HvpOracleOptions) {
  const vectors = parts(o.vector, P);
  const each = parts(o.parameters, P).map((values, p) => {
    const inputs = [values, o.images, o.labels].map(constant);
    const [theta, x, y] = inputs;
    const value = meanLoss(network, loss, theta, x, y);
    const [g] = gradients(value, [theta]);
    const products = gradients(dot(g, constant(vectors[p])), inputs);
    return [value, g, ...products].map((node) => node.value);
  });
  const [values, gradient, parameters, images, labels] = [0, 1, 2, 3, 4].map((i) =>
    each.flatMap((results) => [...results[i]]),
  );
  const mean = values.reduce((a, b) => a + b) / P;
  return { loss: mean, losses: values, gradient, parameters, images, labels };
}

export interface MatchingOracleOptions {
  readonly network: OracleNetwork;
  readonly P: number;
  readonly groups: number;
  readonly parameters: ArrayLike<number>;
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly realImages: ArrayLike<number>;
  readonly realLabels: ArrayLike<number>;
  /** Where each parameter tensor lies, and its shape. */
  readonly tensors: readonly { readonly offset: number; readonly shape: readonly number[] }[];
  readonly distance: 'rows' | 'cosine' | 'squared' | 'absolute';
}

/** Sum over rows of one minus their cosine. */
function cosines(a: Node, b: Node, rows: number): Node {
  const columns = a.value.length / rows;
  const rowDots = (x: Node, y: Node) => rowSums(multiply(x, y), rows, columns);
  const norms = multiply(sqrt(rowDots(a, a)), sqrt(rowDots(b, b)));
  const d = add(norms, constant(norms.value.map(() => 1e-6)));
  return minus(constant([rows]), sum(multiply(rowDots(a, b), reciprocal(d))));
}

function distanceOf({ distance, tensors }: MatchingOracleOptions, a: Node, b: Node): Node {
  const difference = minus(a, b);
  if (distance === 'cosine') return cosines(a, b, 1);
  if (distance === 'squared') return dot(difference, difference);
  if (distance === 'absolute') return dot(difference, constant(difference.value.map(Math.sign)));
  return tensors
    .filter(({ shape }) => shape.length > 1)
    .map(({ offset, shape }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return cosines(part(a, offset, length), part(b, offset, length), shape[0]);
    })
    .reduce(add);
}

/** Means over networks of sums over groups, and gradients with respect to all that is distilled. */
function meanOfSums(
  P: number,
  groups: number,
  inputs: readonly Node[],
  distance: (p: number, group: number) => Node,
) {
  const members = Array.from({ length: P }, (_, p) =>
    Array.from({ length: groups }, (_, group) => distance(p, group)).reduce(add),
  );
  const loss = scale(members.reduce(add), 1 / P);
  const values = members.map(({ value }) => value[0]);
  return {
    loss: loss.value[0],
    losses: values,
    gradients: gradients(loss, inputs).map(({ value }) => value),
  };
}

export function gradientMatchingOracle(o: MatchingOracleOptions) {
  const { network, P, groups } = o;
  const thetas = parts(o.parameters, P).map(constant);
  const [realImages, realLabels] = [parts(o.realImages, groups), parts(o.realLabels, groups)];
  const [images, labels] = [o.images, o.labels].map(constant);
  const each = (node: Node, group: number) =>
    part(node, (group * node.value.length) / groups, node.value.length / groups);
  const result = meanOfSums(P, groups, [images, labels], (p, group) => {
    const gradient = (x: Node, y: Node) =>
      gradients(meanLoss(network, 'cross-entropy', thetas[p], x, y), [thetas[p]])[0];
    const real = gradient(constant(realImages[group]), constant(realLabels[group])).value;
    return distanceOf(o, gradient(each(images, group), each(labels, group)), constant(real));
  });
  return { ...result, images: result.gradients[0], labels: result.gradients[1] };
}

export function distributionMatchingOracle(
  o: Omit<MatchingOracleOptions, 'labels' | 'realLabels' | 'tensors' | 'distance'>,
) {
  const { network, P, groups } = o;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const thetas = parts(o.parameters, P).map(constant);
  const real = parts(o.realImages, groups).map(constant);
  const images = constant(o.images);
  const length = images.value.length / groups;
  const mean = (theta: Node, x: Node) => {
    const N = x.value.length / pixels;
    const all = features(network, theta, x, N);
    const F = all.value.length / N;
    return scale(
      scatter(
        all,
        range(N * F, (i) => i % F),
        F,
      ),
      1 / N,
    );
  };
  const result = meanOfSums(P, groups, [images], (p, group) => {
    const target = constant(mean(thetas[p], real[group]).value);
    const difference = minus(mean(thetas[p], part(images, group * length, length)), target);
    return dot(difference, difference);
  });
  return { ...result, images: result.gradients[0] };
}

export interface CharacteristicOracleOptions {
  readonly network: OracleNetwork;
  readonly groups: number;
  readonly parameters: ArrayLike<number>;
  readonly images: ArrayLike<number>;
  readonly realImages: ArrayLike<number>;
  /** `[F, features]` */
  readonly frequencies: ArrayLike<number>;
  /** `[features]` */
  readonly scales: ArrayLike<number>;
  readonly alpha: number;
}

export function characteristicMatchingOracle({ network, groups, alpha, ...o }: CharacteristicOracleOptions) {
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const [theta, images, scales, frequencies] = [o.parameters, o.images, o.scales, o.frequencies].map(
    constant,
  );
  const D = scales.value.length;
  const F = frequencies.value.length / D;
  const gain = scale(
    multiply(scales, gather(reciprocal(sqrt(dot(scales, scales))), new Int32Array(D))),
    Math.sqrt(D),
  );
  const characteristic = (x: Node) => {
    const N = x.value.length / pixels;
    const all = features(network, theta, x, N);
    const rows = range(N * D, (i) => Math.floor(i / D));
    const lengths = gather(sqrt(rowSums(multiply(all, all), N, D)), rows);
    const scaled = multiply(
      multiply(all, reciprocal(lengths)),
      gather(
        gain,
        range(N * D, (i) => i % D),
      ),
    );
    const phases = matmul(frequencies, transpose(scaled, N, D), F, D, N);
    return [cosine, sine].map((part) => scale(rowSums(part(phases), F, N), 1 / N));
  };
  const size = ([real, imaginary]: Node[]) => sqrt(add(multiply(real, real), multiply(imaginary, imaginary)));
  const distance = (group: number) => {
    const length = images.value.length / groups;
    const a = characteristic(part(images, group * length, length));
    const b = characteristic(constant(parts(o.realImages, groups)[group]));
    const longer = minus(size(a), size(b));
    const products = add(multiply(a[0], b[0]), multiply(a[1], b[1]));
    const apart = minus(multiply(size(a), size(b)), products);
    const squared = add(scale(multiply(longer, longer), alpha), scale(apart, 2 * (1 - alpha)));
    return scale(sum(sqrt(squared)), 1 / F);
  };
  const distances = Array.from({ length: groups }, (_, group) => distance(group));
  const [imagesBar, scalesBar] = gradients(distances.reduce(add), [images, scales]);
  return {
    distances: distances.map(({ value }) => value[0]),
    images: imagesBar.value,
    scales: scalesBar.value,
  };
}

/** Columns of the matrix a `[n, n]` and behind them those of b `[n, K]`, row by row, until a is the identity: Gauss and Jordan. */
export function solution(a: Node, b: Node, n: number): Node {
  const K = b.value.length / n;
  const row = (i: number): Node =>
    add(
      scatter(
        part(a, i * n, n),
        range(n, (j) => j),
        n + K,
      ),
      scatter(
        part(b, i * K, K),
        range(K, (k) => n + k),
        n + K,
      ),
    );
  const rows = Array.from({ length: n }, (_, i) => row(i));
  const times = (factor: Node, all: Node) => multiply(gather(factor, new Int32Array(n + K)), all);
  for (let k = 0; k < n; k++) {
    rows[k] = times(reciprocal(part(rows[k], k, 1)), rows[k]);
    for (let i = 0; i < n; i++) if (i !== k) rows[i] = minus(rows[i], times(part(rows[i], k, 1), rows[k]));
  }
  return rows
    .map((all, i) =>
      scatter(
        part(all, n, K),
        range(K, (k) => i * K + k),
        n * K,
      ),
    )
    .reduce(add);
}

export function kernelRegressionOracle(
  o: Omit<MatchingOracleOptions, 'groups' | 'tensors' | 'distance'> & { readonly ridge: number },
) {
  const { network, P } = o;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const [n, B] = [o.images, o.realImages].map(({ length }) => length / pixels);
  const K = network.classes;
  const thetas = parts(o.parameters, P).map(constant);
  const inputs = [o.images, o.labels].map(constant);
  const result = meanOfSums(P, 1, inputs, (p) => {
    const f = features(network, thetas[p], inputs[0], n);
    const F = f.value.length / n;
    const real = constant(features(network, thetas[p], constant(o.realImages), B).value);
    const kernel = matmul(f, transpose(f, n, F), n, F, n);
    const diagonal = range(n, (i) => i * n + i);
    const mean = scale(sum(gather(kernel, diagonal)), o.ridge / n);
    const a = add(kernel, scatter(gather(mean, new Int32Array(n)), diagonal, n * n));
    const across = matmul(real, transpose(f, n, F), B, F, n);
    const error = minus(matmul(across, solution(a, inputs[1], n), B, n, K), constant(o.realLabels));
    return scale(dot(error, error), 1 / (2 * B));
  });
  return { ...result, images: result.gradients[0], labels: result.gradients[1] };
}
