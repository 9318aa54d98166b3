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
  reciprocal,
  rowSums,
  scale,
  scatter,
  sqrt,
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

const mean = (a: Node): Node => scale(scatter(a, new Int32Array(a.value.length), 1), 1 / a.value.length);

/** As PyTorch's CrossEntropyLoss, MSELoss and BCEWithLogitsLoss. */
export const losses = {
  'cross-entropy': crossEntropy,
  'squared-error'(z: Node, y: Node): Node {
    const difference = add(z, scale(y, -1));
    return mean(multiply(difference, difference));
  },
  'binary-cross-entropy'(z: Node, y: Node): Node {
    const softplus = log(add(exp(z), constant(z.value.map(() => 1))));
    return mean(add(softplus, scale(multiply(y, z), -1)));
  },
} satisfies Record<string, (z: Node, y: Node, N: number, K: number) => Node>;

export interface OracleOptimizer {
  readonly kind: 'sgd' | 'momentum' | 'nesterov' | 'adam' | 'adamw';
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

const detached = (node: Node | undefined): Node | undefined => node && constant(node.value);

interface Trainer {
  /** From theta, g and the rate (both `[count]`) to the next theta. */
  step(theta: Node, g: Node, rate: Node): Node;
  /** Makes the state a constant of all derivatives. */
  detach(): void;
}

/** An optimiser as its textbook has it. */
function trainer(o: OracleOptimizer): Trainer {
  const { kind, momentum = 0.9, weightDecay = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = o;
  const subtract = (a: Node, b: Node) => add(a, scale(b, -1));
  const penalised = (theta: Node, g: Node) => (weightDecay ? add(g, scale(theta, weightDecay)) : g);
  if (kind === 'sgd')
    return {
      step: (theta, g, rate) => subtract(theta, multiply(rate, penalised(theta, g))),
      detach() {},
    };
  if (kind === 'momentum' || kind === 'nesterov') {
    let velocity: Node | undefined;
    return {
      step(theta, g, rate) {
        const d = penalised(theta, g);
        velocity = velocity ? add(scale(velocity, momentum), d) : d;
        return subtract(
          theta,
          multiply(rate, kind === 'momentum' ? velocity : add(d, scale(velocity, momentum))),
        );
      },
      detach() {
        velocity = detached(velocity);
      },
    };
  }
  let [t, m, s] = [0, undefined as Node | undefined, undefined as Node | undefined];
  const step = (theta: Node, g: Node, rate: Node) => {
    t++;
    const d = kind === 'adam' ? penalised(theta, g) : g;
    const running = (old: Node | undefined, now: Node, beta: number) =>
      old ? add(scale(old, beta), scale(now, 1 - beta)) : scale(now, 1 - beta);
    m = running(m, d, beta1);
    s = running(s, multiply(d, d), beta2);
    const [mHat, sHat] = [scale(m, 1 / (1 - beta1 ** t)), scale(s, 1 / (1 - beta2 ** t))];
    const root = add(sqrt(sHat), constant(sHat.value.map(() => epsilon)));
    const kept = kind === 'adamw' ? subtract(theta, scale(multiply(rate, theta), weightDecay)) : theta;
    return subtract(kept, multiply(rate, multiply(mHat, reciprocal(root))));
  };
  return {
    step,
    detach() {
      [m, s] = [detached(m), detached(s)];
    },
  };
}

interface TrainingOptions {
  readonly network: OracleNetwork;
  /** One array per member. */
  readonly parameters: readonly ArrayLike<number>[];
  readonly images: ArrayLike<number>;
  readonly labels: ArrayLike<number>;
  readonly learningRates: ArrayLike<number>;
  readonly steps: number;
  readonly epochs: number;
  readonly optimizer?: OracleOptimizer;
  readonly loss?: keyof typeof losses;
  /** Steps before the last so many are no part of the derivative. */
  readonly window?: number;
  /** TESLA: the gradient of a step depends on its images, labels and rate, and not on the parameters it is taken at. */
  readonly parametersConstant?: boolean;
}

/** Trains every member on the distilled data; `loss` of each gives what is averaged and differentiated. */
function throughTraining(o: TrainingOptions, lossOf: (theta: Node, member: number) => Node) {
  const { network, steps, epochs, optimizer = { kind: 'sgd' } } = o;
  const innerLoss = losses[o.loss ?? 'cross-entropy'];
  const K = network.classes;
  const pixels = network.inputShape.reduce((a, b) => a * b, 1);
  const n = o.images.length / steps / pixels;
  const [images, labels, rates] = [o.images, o.labels, o.learningRates].map(constant);
  const initial = o.parameters.map(constant);
  const trained: Node[] = initial.map((first) => {
    const { step, detach } = trainer(optimizer);
    let theta = first;
    for (let t = 0; t < steps * epochs; t++) {
      if (t === steps * epochs - (o.window ?? steps * epochs) && t > 0) {
        theta = constant(theta.value);
        detach();
      }
      const batch = t % steps;
      const x = gather(
        images,
        range(n * pixels, (i) => batch * n * pixels + i),
      );
      const y = gather(
        labels,
        range(n * K, (i) => batch * n * K + i),
      );
      const at = o.parametersConstant ? constant(theta.value) : theta;
      const [g] = gradients(innerLoss(logits(network, at, x, n), y, n, K), [at]);
      const shared = rates.value.length === 1;
      theta = step(theta, g, gather(rates, new Int32Array(theta.value.length).fill(shared ? 0 : t)));
    }
    return theta;
  });
  const memberLosses = trained.map(lossOf);
  const loss = memberLosses.map((own) => scale(own, 1 / trained.length)).reduce(add);
  const inputs = [images, labels, rates, ...initial];
  const [imagesBar, labelsBar, ratesBar, ...initialBars] = gradients(loss, inputs);
  return {
    loss: loss.value[0],
    losses: memberLosses.map(({ value }) => value[0]),
    images: imagesBar.value,
    labels: labelsBar.value,
    learningRates: ratesBar.value,
    parameters: trained.flatMap(({ value }) => [...value]),
    parametersGradient: initialBars.flatMap(({ value }) => [...value]),
  };
}

export interface OracleOptions extends TrainingOptions {
  readonly realImages: ArrayLike<number>;
  readonly realLabels: ArrayLike<number>;
  readonly outerLoss?: keyof typeof losses;
}

/** The same results as `metaGradient`, by reverse over reverse. */
export function oracle(o: OracleOptions) {
  const { network } = o;
  const K = network.classes;
  const [x, y] = [o.realImages, o.realLabels].map(constant);
  const B = y.value.length / K;
  const outerLoss = losses[o.outerLoss ?? 'cross-entropy'];
  return throughTraining(o, (theta) => outerLoss(logits(network, theta, x, B), y, B, K));
}

/** The same results as `trajectoryMatching`, by reverse over reverse; `targets` has one array per member. */
export function trajectoryOracle({
  targets,
  ...o
}: TrainingOptions & { readonly targets: readonly ArrayLike<number>[] }) {
  const { parametersGradient: _, ...results } = throughTraining(o, (theta, member) => {
    const target = constant(targets[member]);
    const squaredDistance = (a: Node) => {
      const difference = add(a, scale(target, -1));
      return scatter(multiply(difference, difference), new Int32Array(target.value.length), 1);
    };
    return multiply(squaredDistance(theta), reciprocal(squaredDistance(constant(o.parameters[member]))));
  });
  return results;
}
