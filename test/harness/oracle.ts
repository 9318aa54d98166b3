/**
 * An independent float64 meta-gradient: training written out on the tests' own automatic differentiation, gradient
 * through gradient.
 */
import {
  add,
  constant,
  exp,
  gather,
  gradients,
  log,
  multiply,
  type Node,
  rowSums,
  scale,
  scatter,
} from './autograd.js';
import { logits, type OracleNetwork, range } from './oracle-networks.js';

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
