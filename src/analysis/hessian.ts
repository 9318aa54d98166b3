import type { Device } from '../engine/device.js';
import { createNetwork } from '../networks/index.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { Stream } from '../util/random.js';
import { addTo, dot, normalised } from '../util/vectors.js';
import { type HessianOf, hessianProducts, vectorsAtOnce } from './hessian-products.js';

/** The Hessian of the mean loss of one network on images; flat arrays. */
export interface HessianOptions extends HessianOf {
  /** Of the random directions; default 0. */
  readonly seed?: number;
}

/** How exactly the trace is found. */
export interface HessianTraceOptions extends HessianOptions {
  /** Random directions; `all`: every parameter by itself, which is exact. Default 32. */
  readonly vectors?: number | 'all';
}

/** The trace of a Hessian. */
export interface HessianTrace {
  /** The sum of the eigenvalues. */
  readonly trace: number;
  /** Its standard error over the directions; 0 where it is exact. */
  readonly error: number;
}

/** Which eigenvalues, and how exactly. */
export interface HessianEigenvaluesOptions extends HessianOptions {
  /** How many of the largest; default 1. */
  readonly largest?: number;
  /** Products with the Hessian, at most; default 60. */
  readonly steps?: number;
  /** Change from one product to the next, relative to the largest, below which they count as found; default 1e-6. */
  readonly tolerance?: number;
}

/** The largest eigenvalues of a Hessian. */
export interface HessianEigenvalues {
  /** The largest first. */
  readonly values: readonly number[];
  /** Products with the Hessian that it took. */
  readonly steps: number;
  /** Whether they changed less than the tolerance at the end. */
  readonly converged: boolean;
}

const known = {
  network: true,
  parameters: true,
  images: true,
  labels: true,
  loss: true,
  signal: true,
  seed: true,
} satisfies Record<keyof HessianOptions, true>;

/**
 * The trace of the Hessian of a network's mean loss with respect to its parameters, by exact products with random signs (Hutchinson
 * 1990): unbiased, with its standard error.
 *
 * @throws as `hessianVectorProduct`; ERR_OPTION for a number of directions below 2
 */
export async function hessianTrace(device: Device, options: HessianTraceOptions): Promise<HessianTrace> {
  expectDevice('hessianTrace', device);
  expectOptions('hessianTrace', options, { ...known, vectors: true });
  const { vectors = 32, seed = 0, parameters } = options;
  if (vectors !== 'all' && !(Number.isSafeInteger(vectors) && vectors >= 2))
    throw new LimbeckError(
      'ERR_OPTION',
      `hessianTrace: vectors is ${shown(vectors)}, expected all or a whole number of at least 2`,
    );
  const { length: count } = parameters;
  const exact = vectors === 'all';
  const total = exact ? count : vectors;
  const forms: number[] = [];
  for (let first = 0; first < total; first += vectorsAtOnce) {
    const group = Array.from({ length: Math.min(vectorsAtOnce, total - first) }, (_, i) =>
      exact ? unit(count, first + i) : signs(count, seed, first + i),
    );
    const products = await hessianProducts(device, options, group);
    forms.push(...products.map((product, i) => dot(product, group[i])));
  }
  const sum = forms.reduce((a, b) => a + b, 0);
  if (exact) return { trace: sum, error: 0 };
  const trace = sum / total;
  const squares = forms.reduce((all, form) => all + (form - trace) ** 2, 0);
  return { trace, error: Math.sqrt(squares / (total - 1) / total) };
}

/**
 * The largest eigenvalues of the same Hessian, equal ones as often as there are, by Lanczos' method with every direction made orthogonal to
 * all before it, in float64 around exact products. More than one take at least twice the products: equal ones are looked for.
 *
 * @throws as `hessianVectorProduct`; ERR_OPTION for numbers that are out of range
 */
export async function hessianEigenvalues(
  device: Device,
  options: HessianEigenvaluesOptions,
): Promise<HessianEigenvalues> {
  expectDevice('hessianEigenvalues', device);
  expectOptions('hessianEigenvalues', options, { ...known, largest: true, steps: true, tolerance: true });
  const { largest = 1, steps = 60, tolerance = 1e-6, seed = 0 } = options;
  const count = createNetwork(options.network).count;
  for (const [name, value, most] of [
    ['largest', largest, Math.min(steps, count)],
    ['steps', steps, Number.MAX_SAFE_INTEGER],
  ] as const)
    if (!(Number.isSafeInteger(value) && value >= 1 && value <= most))
      throw new LimbeckError(
        'ERR_OPTION',
        `hessianEigenvalues: ${name} is ${shown(value)}, expected a whole number from 1${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ' on'}`,
      );
  const most = Math.min(steps, count);
  const basis: Float64Array[] = [];
  let [found, values]: number[][] = [[], []];
  // From one first direction Lanczos' method meets one direction of every eigenspace. Others are met from a direction that is orthogonal
  // to all before it: again and again, until what comes is none of the largest.
  for (let start = 0; basis.length < most; start++) {
    basis.push(normalised(orthogonal(normals(count, seed, start), basis)));
    const diagonal: number[] = [];
    const beside: number[] = [];
    let own: number[] = [];
    for (;;) {
      const last = basis[basis.length - 1];
      const [next] = await hessianProducts(device, options, [last]);
      diagonal.push(dot(next, last));
      orthogonal(next, basis);
      const before = own;
      own = tridiagonalEigenvalues(diagonal, beside, Math.min(largest, diagonal.length));
      values = [...found, ...own].sort((a, b) => b - a).slice(0, largest);
      const length = Math.sqrt(dot(next, next));
      const scale = Math.max(...values.map(Math.abs));
      const settled =
        before.length === largest &&
        own.every((value, i) => Math.abs(value - before[i]) <= tolerance * scale);
      if (settled || length <= 1e-12 * scale) {
        const nothingNew = found.length === largest && own[0] <= found[largest - 1] + tolerance * scale;
        if (values.length === largest && (largest === 1 || nothingNew))
          return { values, steps: basis.length, converged: true };
        break;
      }
      if (basis.length === most) break;
      beside.push(length);
      basis.push(next.map((value) => value / length));
    }
    found = values;
  }
  // Every direction there is has been tried: nothing is left to change.
  return { values, steps: basis.length, converged: basis.length === count };
}

/** Makes a vector orthogonal to a basis; twice, for the first time leaves what rounding lost. */
function orthogonal(vector: Float64Array, basis: readonly Float64Array[]): Float64Array {
  for (let again = 0; again < 2; again++)
    for (const earlier of basis) addTo(vector, earlier, -dot(vector, earlier));
  return vector;
}

/** The `most` largest eigenvalues of a symmetric matrix of two diagonals, each by bisection between the bounds of Gershgorin. */
export function tridiagonalEigenvalues(
  diagonal: readonly number[],
  beside: readonly number[],
  most: number,
): number[] {
  const reach = diagonal.map(
    (_, i) => Math.abs(beside[i - 1] ?? 0) + (i < diagonal.length - 1 ? Math.abs(beside[i]) : 0),
  );
  const lowest = Math.min(...diagonal.map((value, i) => value - reach[i]));
  const highest = Math.max(...diagonal.map((value, i) => value + reach[i]));
  /** How many eigenvalues are above x: Sturm's sequence. */
  const above = (x: number) => {
    let number = 0;
    let pivot = 1;
    for (const [i, value] of diagonal.entries()) {
      pivot = value - x - (i ? beside[i - 1] ** 2 / pivot : 0);
      if (pivot === 0) pivot = Number.EPSILON * (Math.abs(x) + 1e-300);
      if (pivot > 0) number++;
    }
    return number;
  };
  return Array.from({ length: most }, (_, k) => {
    let [low, high] = [lowest, highest];
    for (let i = 0; i < 200 && high - low > 0; i++) {
      const middle = low + (high - low) / 2;
      if (middle === low || middle === high) break;
      if (above(middle) > k) low = middle;
      else high = middle;
    }
    return low + (high - low) / 2;
  });
}

function signs(count: number, seed: number, draw: number): Float64Array {
  const stream = new Stream(seed, streams.directions, draw);
  return Float64Array.from({ length: count }, (_, i) => (stream.u32(i) & 1 ? 1 : -1));
}

function normals(count: number, seed: number, draw: number): Float64Array {
  const stream = new Stream(seed, streams.directions, draw);
  return Float64Array.from({ length: count }, (_, i) => stream.normal(i));
}

function unit(count: number, at: number): Float64Array {
  const vector = new Float64Array(count);
  vector[at] = 1;
  return vector;
}
