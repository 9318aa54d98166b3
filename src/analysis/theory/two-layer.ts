import { factorKernel, solveKernel } from '../../engine/ops/cholesky.js';
import { Stream } from '../../util/random.js';
import { addTo, dot, normalised } from '../../util/vectors.js';

/** What a neuron computes, and how it takes its first step. */
interface Activation {
  value(z: number): number;
  slope(z: number): number;
  /** The slope's own, almost everywhere. */
  bend(z: number): number;
  /** Bias of all neurons at the first step: with none, tanh is odd and would see nothing of an even target. */
  readonly bias: number;
  /** Root mean square of the first layer's weights after its step. */
  readonly reach: number;
  /** E[σ''(z + bias)] and E[σ''''(z + bias)] of a normal z. */
  readonly moments: readonly [number, number];
}

const tanhSlope = (z: number) => 1 - Math.tanh(z) ** 2;

/** By parts, E[σ''] = E[z σ'] and E[σ''''] = E[(z³ - 3z) σ']: sums on a grid, whose error for a smooth σ' is that of rounding. */
function momentsOf(slope: (z: number) => number): [number, number] {
  const [step, most] = [1 / 64, 12];
  const sums: [number, number] = [0, 0];
  for (let z = -most; z <= most; z += step) {
    const weight = (slope(z) * step * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
    sums[0] += weight * z;
    sums[1] += weight * (z ** 3 - 3 * z);
  }
  return sums;
}

const atZero = 1 / Math.sqrt(2 * Math.PI);

export const activations: Readonly<Record<'tanh' | 'relu', Activation>> = {
  tanh: {
    value: Math.tanh,
    slope: tanhSlope,
    bend: (z) => -2 * Math.tanh(z) * tanhSlope(z),
    ...{ bias: 1, reach: 0.3, moments: momentsOf((z) => tanhSlope(z + 1)) },
  },
  relu: {
    value: (z) => Math.max(z, 0),
    slope: (z) => (z > 0 ? 1 : 0),
    bend: () => 0,
    ...{ bias: 0, reach: 1, moments: [atZero, -atZero] },
  },
};

/** Whether the target bends alike along all its directions, or up along every other one and down along the rest. */
export const links = ['saddle', 'sphere'] as const;

/** A target and a network that is to learn it. */
export interface Task {
  /** Of the inputs. */
  readonly d: number;
  /** Directions that the target depends on. */
  readonly r: number;
  /** Of the network; even, for its neurons come in pairs of opposite sign. */
  readonly width: number;
  readonly activation: keyof typeof activations;
  readonly link: (typeof links)[number];
  readonly seed: number;
}

/** What each draw of a task's seed is of. */
export const streams = {
  ...{ directions: 0, neurons: 1, biases: 2, fit: 3, test: 4, summary: 5 },
  ...{ places: 6, freshNeurons: 7, randomPairs: 8 },
};

export const normals = (seed: number, stream: number, length: number): Float64Array => {
  const draws = new Stream(seed, stream);
  return Float64Array.from({ length }, (_, i) => draws.normal(i));
};

/** Rows of length 1. */
export function unitRows(values: Float64Array, columns: number): Float64Array {
  for (let at = 0; at < values.length; at += columns) {
    const row = values.subarray(at, at + columns);
    row.set(normalised(row));
  }
  return values;
}

/** Inputs with their labels. */
export interface Sample {
  readonly n: number;
  /** `[n, d]`. */
  readonly x: Float64Array;
  /** `[n]`. */
  readonly y: Float64Array;
}

/**
 * A quadratic target of r directions, y = Σ s_i ((v_i·x)² - 1) / √(2r) with s_i = ±1, of variance 1 where x ~ N(0, I_d); and a network of two layers.
 * Its output begins at zero, and its first layer takes one gradient step in which its weights w decay (Damian et al. 2022, arXiv 2206.15144): they become a
 * multiple of ± E[y σ'(w·x + b) x]. Biases are then drawn anew, and the second layer is fitted.
 */
export class TwoLayer {
  /** Neurons before their signs, width / 2. */
  readonly J: number;
  /** `[r, d]`, orthonormal: along them the target bends. */
  readonly directions: Float64Array[];
  /** s_i / √(2r). */
  readonly curvatures: Float64Array;
  /** Of the first layer before its step, `[J, d]`, of length 1. */
  readonly weights: Float64Array;
  /** E[y σ'(w·x + b) x] for each of these, `[J, d]`. */
  readonly gradient: Float64Array;
  readonly sigma: Activation;
  readonly #biases: Float64Array;
  readonly #fit: Sample;
  readonly #test: Sample;
  readonly #summary: Float64Array;

  constructor(readonly task: Task) {
    const { d, r, width, seed } = task;
    this.J = width / 2;
    this.sigma = activations[task.activation];
    const drawn = normals(seed, streams.directions, r * d);
    this.directions = [];
    for (let i = 0; i < r; i++) {
      const own = drawn.subarray(i * d, (i + 1) * d);
      for (const other of this.directions) addTo(own, other, -dot(own, other));
      this.directions.push(normalised(own));
    }
    this.curvatures = Float64Array.from(
      { length: r },
      (_, i) => (task.link === 'saddle' && i % 2 ? -1 : 1) / Math.sqrt(2 * r),
    );
    this.weights = unitRows(normals(seed, streams.neurons, this.J * d), d);
    this.gradient = this.gradientAt(this.weights);
    this.#biases = normals(seed, streams.biases, this.J);
    this.#fit = this.sample(4 * width, streams.fit);
    this.#test = this.sample(1000, streams.test);
    this.#summary = normals(seed, streams.summary, width * d);
  }

  /** The target at `x [d]`. */
  label(x: Float64Array): number {
    return this.directions.reduce((sum, v, i) => sum + this.curvatures[i] * (dot(v, x) ** 2 - 1), 0);
  }

  /** Random pairs. */
  sample(n: number, stream: number): Sample {
    const { d, seed } = this.task;
    const x = normals(seed, stream, n * d);
    return {
      n,
      x,
      y: Float64Array.from({ length: n }, (_, i) => this.label(x.subarray(i * d, (i + 1) * d))),
    };
  }

  /**
   * E[y σ'(w·x + b) x] at any `weights [neurons, d]` of length 1. By Stein's lemma it is 2 E[σ''] A w + E[σ''''] (wᵀA w) w, A = Σ v_i v_iᵀ s_i / √(2r).
   */
  gradientAt(weights: Float64Array): Float64Array {
    const { d } = this.task;
    const [second, fourth] = this.sigma.moments;
    const gradient = new Float64Array(weights.length);
    for (let at = 0; at < weights.length; at += d) {
      const [w, own] = [weights.subarray(at, at + d), gradient.subarray(at, at + d)];
      let form = 0;
      for (const [i, v] of this.directions.entries()) {
        const along = dot(v, w);
        form += this.curvatures[i] * along ** 2;
        addTo(own, v, 2 * second * this.curvatures[i] * along);
      }
      addTo(own, w, fourth * form);
    }
    return gradient;
  }

  /** The part of each row of `x [n, d]` that lies in what the target depends on. */
  projected(x: Float64Array): Float64Array {
    const { d } = this.task;
    const inside = new Float64Array(x.length);
    for (let at = 0; at < x.length; at += d)
      for (const v of this.directions) addTo(inside.subarray(at, at + d), v, dot(v, x.subarray(at, at + d)));
    return inside;
  }

  /** The mean of |P x| / |x| over rows of `x [n, d]`, P projecting onto what the target depends on. */
  alignment(x: Float64Array): number {
    const { d } = this.task;
    const inside = this.projected(x);
    let sum = 0;
    for (let at = 0; at < x.length; at += d) {
      const [row, part] = [x.subarray(at, at + d), inside.subarray(at, at + d)];
      sum += Math.sqrt(dot(part, part) / dot(row, row));
    }
    return (sum * d) / x.length;
  }

  /** `[n, width]` of `x [n, d]`, by neurons whose weights are multiples of ± `gradient [J, d]`. */
  #features(gradient: Float64Array, x: Float64Array): Float64Array {
    const { J, sigma } = this;
    const { d, width } = this.task;
    const rate = sigma.reach / Math.sqrt(dot(gradient, gradient) / J);
    const n = x.length / d;
    const features = new Float64Array(n * width);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < J; j++) {
        let z = 0;
        for (let k = 0; k < d; k++) z += gradient[j * d + k] * x[i * d + k];
        features[i * width + j] = sigma.value(this.#biases[j] + rate * z);
        features[i * width + J + j] = sigma.value(this.#biases[j] - rate * z);
      }
    return features;
  }

  /** The second layer of a network that all data are there for, `[width]`. */
  secondLayer(gradient: Float64Array): Float64Array {
    return ridge(this.#features(gradient, this.#fit.x), this.#fit.y, 1e-4);
  }

  /**
   * The same from `width` stored numbers: the labels that such a network gives to as many inputs that are drawn from the seed. A student that fits its
   * second layer to them has nearly that of the network.
   */
  fromLabels(gradient: Float64Array): Float64Array {
    const features = this.#features(gradient, this.#summary);
    return ridge(features, product(features, this.secondLayer(gradient)), 1e-9);
  }

  /** Squared error on inputs that nothing was fitted to, as part of the variance of their labels. */
  testError(gradient: Float64Array, second: Float64Array): number {
    const { x, y } = this.#test;
    const answers = product(this.#features(gradient, x), second);
    addTo(answers, y, -1);
    return dot(answers, answers) / dot(y, y);
  }
}

/** `matrix [n, columns]` times a vector. */
function product(matrix: Float64Array, vector: Float64Array): Float64Array {
  const columns = vector.length;
  return Float64Array.from({ length: matrix.length / columns }, (_, i) =>
    dot(vector, matrix.subarray(i * columns, (i + 1) * columns)),
  );
}

/** By `x [n, columns]` to `y [n]`, with a ridge of so much of the mean square of a column. */
function ridge(x: Float64Array, y: Float64Array, part: number): Float64Array {
  const columns = x.length / y.length;
  const a = new Float64Array(columns * columns);
  const b = new Float64Array(columns);
  for (let i = 0; i < y.length; i++) {
    const row = x.subarray(i * columns, (i + 1) * columns);
    addTo(b, row, y[i]);
    for (let k = 0; k < columns; k++) {
      const value = row[k];
      for (let l = k; l < columns; l++) a[k * columns + l] += value * row[l];
    }
  }
  return solved(a, b, part);
}

/** The solution of `a [n, n]` x = b; of a what is on and above the diagonal is read, to which `ridge` times its mean is added. */
export function solved(a: Float64Array, b: Float64Array, ridge: number): Float64Array {
  const n = b.length;
  const [l, x] = [new Float64Array(n * n), new Float64Array(n)];
  factorKernel.reference({ a: () => a, l: () => l }, { P: 1, n }, { ridge }, false);
  solveKernel.reference({ l: () => l, b: () => b, x: () => x }, { P: 1, n, K: 1 }, {}, false);
  return x;
}
