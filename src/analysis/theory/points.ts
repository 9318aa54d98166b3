import { dot } from '../../util/vectors.js';
import { normals, solved, streams, type TwoLayer, unitRows } from './two-layer.js';

/** Distilled pairs for the first layer's step. */
export interface Points {
  /** `[p, d]`. */
  readonly places: Float64Array;
  /** `[p]`. */
  readonly labels: Float64Array;
}

/** w·x + b of every neuron at every place, `[p, neurons]`. */
function inputs(net: TwoLayer, places: Float64Array, weights: Float64Array): Float64Array {
  const { d } = net.task;
  const neurons = weights.length / d;
  return Float64Array.from({ length: (places.length / d) * neurons }, (_, at) => {
    const [m, j] = [Math.floor(at / neurons), at % neurons];
    let z = net.sigma.bias;
    for (let k = 0; k < d; k++) z += weights[j * d + k] * places[m * d + k];
    return z;
  });
}

/** Σ y_m σ'(w·x_m + b) x_m, `[J, d]`: what points have in the place of the gradient on all data. */
export function gradientOf(net: TwoLayer, { places, labels }: Points): Float64Array {
  const { J } = net;
  const { d } = net.task;
  const slopes = inputs(net, places, net.weights).map(net.sigma.slope);
  const gradient = new Float64Array(J * d);
  for (let m = 0; m < labels.length; m++)
    for (let j = 0; j < J; j++) {
      const factor = labels[m] * slopes[m * J + j];
      if (factor !== 0) for (let k = 0; k < d; k++) gradient[j * d + k] += factor * places[m * d + k];
    }
  return gradient;
}

/** The gradient on all data less what points have of it. */
const leftOf = ({ gradient }: TwoLayer, own: Float64Array) => gradient.map((value, i) => value - own[i]);

/** What is left of the gradient on all data, as part of its squared norm. */
export function mismatch(net: TwoLayer, own: Float64Array): number {
  const left = leftOf(net, own);
  return dot(left, left) / dot(net.gradient, net.gradient);
}

/** The labels at given places that leave least of the gradient: by least squares, whose matrix is (S Sᵀ) ∘ (X Xᵀ) with slopes S `[p, J]`. */
export function solveLabels(net: TwoLayer, places: Float64Array): Float64Array {
  const { J, gradient } = net;
  const { d } = net.task;
  const p = places.length / d;
  const slopes = inputs(net, places, net.weights).map(net.sigma.slope);
  const rows = (values: Float64Array, columns: number) =>
    Array.from({ length: p }, (_, m) => values.subarray(m * columns, (m + 1) * columns));
  const [s, x] = [rows(slopes, J), rows(places, d)];
  const a = new Float64Array(p * p);
  for (let m = 0; m < p; m++) for (let o = m; o < p; o++) a[m * p + o] = dot(s[m], s[o]) * dot(x[m], x[o]);
  const b = x.map((place, m) => {
    let sum = 0;
    for (let j = 0; j < J; j++) {
      let along = 0;
      for (let k = 0; k < d; k++) along += place[k] * gradient[j * d + k];
      sum += s[m][j] * along;
    }
    return sum;
  });
  return solved(a, Float64Array.from(b), 1e-9);
}

/** The gradient of half the squared distance between the gradients, `left` = what is wanted less what there is `[neurons, d]`, by the places. */
export function placesBar(
  net: TwoLayer,
  { places, labels }: Points,
  left: Float64Array,
  weights = net.weights,
): Float64Array {
  const { d } = net.task;
  const neurons = weights.length / d;
  const { slope, bend } = net.sigma;
  const z = inputs(net, places, weights);
  const bar = new Float64Array(places.length);
  for (let m = 0; m < labels.length; m++)
    for (let j = 0; j < neurons; j++) {
      const at = z[m * neurons + j];
      let along = 0;
      for (let k = 0; k < d; k++) along += left[j * d + k] * places[m * d + k];
      const [ofLeft, ofWeights] = [labels[m] * slope(at), labels[m] * bend(at) * along];
      for (let k = 0; k < d; k++) bar[m * d + k] -= ofLeft * left[j * d + k] + ofWeights * weights[j * d + k];
    }
  return bar;
}

/** Neurons that the one step averages over, by inputs: matching draws fresh networks. */
const fresh = 16;

/**
 * Places after one step of gradient matching from `p` normal ones, with labels that are alike and so small that what points have is nothing beside what is
 * wanted. The step takes the places' own length away, and theirs is then a quarter of that of a real input: short enough that σ' is nearly
 * linear along them.
 */
export function oneStep(net: TwoLayer, p: number): Float64Array {
  const { d, seed } = net.task;
  const weights = unitRows(normals(seed, streams.freshNeurons, fresh * d * d), d);
  const start = { places: normals(seed, streams.places, p * d), labels: new Float64Array(p).fill(1) };
  const bar = placesBar(net, start, net.gradientAt(weights), weights);
  return unitRows(bar, d).map((value) => (-value * Math.sqrt(d)) / 4);
}

/** Places after `steps` more by Adam, their labels solved at each: then the gradient by the places is that at fixed labels. The best are kept. */
export function matched(net: TwoLayer, from: Float64Array, steps: number): Float64Array {
  let [best, least] = [from, Number.POSITIVE_INFINITY];
  const places = from.slice();
  const mean = new Float64Array(places.length);
  const square = new Float64Array(places.length);
  for (let step = 0; ; step++) {
    const points = { places, labels: solveLabels(net, places) };
    const left = leftOf(net, gradientOf(net, points));
    const squared = dot(left, left);
    if (squared < least) [best, least] = [places.slice(), squared];
    if (step === steps) return best;
    const bar = placesBar(net, points, left);
    const rate = 0.05 * (1 - step / steps);
    for (let i = 0; i < places.length; i++) {
      mean[i] += 0.1 * (bar[i] - mean[i]);
      square[i] += 0.01 * (bar[i] ** 2 - square[i]);
      const size = Math.sqrt(square[i] / (1 - 0.99 ** (step + 1)));
      places[i] -= (rate * mean[i]) / (1 - 0.9 ** (step + 1)) / (size + 1e-30);
    }
  }
}
