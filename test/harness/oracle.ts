/**
 * An independent float64 meta-gradient for LeNet and the MLP: the networks written out on the test's own automatic
 * differentiation, gradient through gradient.
 */
import {
  add,
  constant,
  exp,
  gather,
  gradients,
  log,
  matmul,
  multiply,
  type Node,
  rowSums,
  scale,
  scatter,
  transpose,
} from './autograd.js';

/** ReLU: the mask is a constant of the derivative. */
function relu(a: Node): Node {
  return multiply(a, constant(a.value.map((v) => (v > 0 ? 1 : 0))));
}

function range(length: number, index: (i: number) => number): Int32Array {
  return Int32Array.from({ length }, (_, i) => index(i));
}

/** y = x wᵀ + b with x `[N, I]`. */
function linear(x: Node, w: Node, b: Node, N: number, I: number, O: number): Node {
  const biases = gather(
    b,
    range(N * O, (i) => i % O),
  );
  return add(matmul(x, transpose(w, O, I), N, I, O), biases);
}

/** Stride 1 convolution through an explicit matrix of patches. */
function conv(
  x: Node,
  w: Node,
  b: Node,
  [N, C, H, W]: number[],
  OC: number,
  K: number,
  padding: number,
): [Node, number[]] {
  const [OH, OW] = [H + 2 * padding - K + 1, W + 2 * padding - K + 1];
  const patch = C * K * K;
  const patches = gather(
    x,
    range(N * OH * OW * patch, (i) => {
      const kw = i % K;
      const kh = Math.floor(i / K) % K;
      const c = Math.floor(i / (K * K)) % C;
      const pixel = Math.floor(i / patch);
      const h = (Math.floor(pixel / OW) % OH) + kh - padding;
      const v = (pixel % OW) + kw - padding;
      if (h < 0 || h >= H || v < 0 || v >= W) return -1;
      return ((Math.floor(pixel / (OH * OW)) * C + c) * H + h) * W + v;
    }),
  );
  const rows = linear(patches, w, b, N * OH * OW, patch, OC); // [N, OH, OW, OC]
  const map = OH * OW;
  const y = gather(
    rows,
    range(
      N * OC * map,
      (i) => (Math.floor(i / (OC * map)) * map + (i % map)) * OC + (Math.floor(i / map) % OC),
    ),
  );
  return [y, [N, OC, OH, OW]];
}

/** 2x2 max pooling: winners are constants of the derivative. */
function maxPool(x: Node, [N, C, H, W]: number[]): [Node, number[]] {
  const [OH, OW] = [Math.floor(H / 2), Math.floor(W / 2)];
  const winners = range(N * C * OH * OW, (i) => {
    const start = Math.floor(i / (OH * OW)) * H * W + (Math.floor(i / OW) % OH) * 2 * W + (i % OW) * 2;
    let best = start;
    for (const candidate of [start + 1, start + W, start + W + 1])
      if (x.value[candidate] > x.value[best]) best = candidate;
    return best;
  });
  return [gather(x, winners), [N, C, OH, OW]];
}

export interface OracleNetwork {
  readonly name: 'lenet' | 'mlp';
  readonly inputShape: readonly number[];
  readonly classes: number;
  readonly width?: number;
}

function logits(network: OracleNetwork, theta: Node, x: Node, N: number): Node {
  let offset = 0;
  const take = (length: number): Node => {
    const start = offset;
    offset += length;
    return gather(
      theta,
      range(length, (i) => start + i),
    );
  };
  const [C, H, W] = network.inputShape;
  const dense = (input: Node, I: number, O: number) => {
    const w = take(O * I);
    return linear(input, w, take(O), N, I, O);
  };
  if (network.name === 'mlp') {
    const width = network.width ?? 128;
    const first = relu(dense(x, C * H * W, width));
    return dense(relu(dense(first, width, width)), width, network.classes);
  }
  const convolve = (input: Node, shape: number[], OC: number, padding: number) => {
    const w = take(OC * shape[1] * 25);
    const [y, yShape] = conv(input, w, take(OC), shape, OC, 5, padding);
    return maxPool(relu(y), yShape);
  };
  const [a, aShape] = convolve(x, [N, C, H, W], 6, W === 28 ? 2 : 0);
  const [b, bShape] = convolve(a, aShape, 16, 0);
  const features = bShape[1] * bShape[2] * bShape[3];
  return dense(relu(dense(relu(dense(b, features, 120)), 120, 84)), 84, network.classes);
}

/** Mean of -sum(y log softmax(z)) over N rows. */
function crossEntropy(z: Node, y: Node, N: number, K: number): Node {
  const row = range(N * K, (i) => Math.floor(i / K));
  const max = constant(
    Float64Array.from({ length: N }, (_, n) => Math.max(...z.value.subarray(n * K, (n + 1) * K))),
  );
  const centred = add(z, scale(gather(max, row), -1));
  const logSum = log(rowSums(exp(centred), N, K));
  const logp = add(centred, scale(gather(logSum, row), -1));
  return scale(scatter(multiply(y, logp), new Int32Array(N * K), 1), -1 / N);
}

export interface OracleOptions {
  readonly network: OracleNetwork;
  /** One array per member. */
  readonly parameters: readonly ArrayLike<number>[];
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly learningRates: ArrayLike<number>;
  readonly steps: number;
  readonly epochs: number;
  readonly realImages: ArrayLike<number>;
  readonly realLabels: ArrayLike<number>;
}

/** The same results as `metaGradient`, by reverse over reverse. */
export function oracle(o: OracleOptions) {
  const { network, steps, epochs } = o;
  const K = network.classes;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const n = o.images.length / steps / pixels;
  const B = o.realImages.length / pixels;
  const images = constant(o.images);
  const labels = constant(o.labels);
  const rates = constant(o.learningRates);
  let loss = constant([0]);
  const losses: number[] = [];
  const trained: Float64Array[] = [];
  for (const parameters of o.parameters) {
    let theta = constant(parameters);
    for (let t = 0; t < steps * epochs; t++) {
      const batch = t % steps;
      const x = gather(
        images,
        range(n * pixels, (i) => batch * n * pixels + i),
      );
      const y = gather(
        labels,
        range(n * K, (i) => batch * n * K + i),
      );
      const [g] = gradients(crossEntropy(logits(network, theta, x, n), y, n, K), [theta]);
      const rate = gather(rates, new Int32Array(theta.value.length).fill(t));
      theta = add(theta, scale(multiply(rate, g), -1));
    }
    const memberLoss = crossEntropy(
      logits(network, theta, constant(o.realImages), B),
      constant(o.realLabels),
      B,
      K,
    );
    losses.push(memberLoss.value[0]);
    trained.push(theta.value);
    loss = add(loss, scale(memberLoss, 1 / o.parameters.length));
  }
  const [imagesBar, labelsBar, ratesBar] = gradients(loss, [images, labels, rates]);
  return {
    loss: loss.value[0],
    losses,
    images: imagesBar.value,
    labels: labelsBar.value,
    learningRates: ratesBar.value,
    parameters: trained.flatMap((theta) => [...theta]),
  };
}
