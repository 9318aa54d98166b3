/** Two-layer networks on targets of few directions: their pieces by closed forms and an autodiff that is not theirs, and the whole small. */
import { describe, expect, test } from 'vitest';
import {
  gradientOf,
  matched,
  mismatch,
  oneStep,
  type Points,
  placesBar,
  solveLabels,
} from '../src/analysis/theory/points.js';
import { pointsNeeded } from '../src/analysis/theory/theory.js';
import { normals, type Task, TwoLayer } from '../src/analysis/theory/two-layer.js';
import { powerOf } from '../src/util/power-law.js';
import * as ad from './harness/autograd.js';

const task: Task = { d: 7, r: 3, width: 24, activation: 'tanh', link: 'saddle', seed: 4 };
const activations = ['tanh', 'relu'] as const;
const dotOf = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
const row = (values: Float64Array, i: number, columns: number) =>
  values.subarray(i * columns, (i + 1) * columns);
const randomPoints = (d: number, p: number): Points => ({
  places: normals(9, 100, p * d),
  labels: normals(9, 101, p),
});

/** Half the squared distance from what points give to what is wanted. */
function loss(net: TwoLayer, points: Points): number {
  const own = gradientOf(net, points);
  return own.reduce((sum, value, i) => sum + (value - net.gradient[i]) ** 2, 0) / 2;
}
const leftBy = (net: TwoLayer, points: Points) =>
  gradientOf(net, points).map((value, i) => net.gradient[i] - value);

/** By one label: exact, as the loss is quadratic in it. */
function labelBar(net: TwoLayer, { places, labels }: Points, m: number): number {
  const at = (by: number) => loss(net, { places, labels: labels.with(m, labels[m] + by) });
  return (at(1) - at(-1)) / 2;
}

describe('a target and its network', () => {
  test('labels have mean 0 and variance 1, and depend on the directions alone', () => {
    for (const link of ['saddle', 'sphere'] as const) {
      const net = new TwoLayer({ ...task, link });
      const { x, y } = net.sample(40_000, 50);
      const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
      expect(Math.abs(mean)).toBeLessThan(0.03);
      expect(Math.abs(dotOf(y, y) / y.length - 1)).toBeLessThan(0.06);
      const first = x.slice(0, task.d);
      expect(net.label(net.projected(first))).toBeCloseTo(net.label(first), 12);
    }
  });

  test.each(activations)('%s: the gradient on all data is the mean over random pairs', (activation) => {
    const net = new TwoLayer({ ...task, width: 8, activation });
    const n = 40_000;
    const { x, y } = net.sample(n, 51);
    const slope = (z: number) => (activation === 'tanh' ? 1 / Math.cosh(z + 1) ** 2 : z > 0 ? 1 : 0);
    let most = 0;
    for (let j = 0; j < net.J; j++) {
      const slopes = Float64Array.from({ length: n }, (_, i) =>
        slope(dotOf(row(net.weights, j, task.d), row(x, i, task.d))),
      );
      for (let k = 0; k < task.d; k++) {
        const terms = slopes.map((value, i) => y[i] * value * x[i * task.d + k]);
        const mean = terms.reduce((sum, value) => sum + value, 0) / n;
        const error = Math.sqrt(dotOf(terms, terms) / n / n);
        most = Math.max(most, Math.abs(mean - net.gradient[j * task.d + k]) / error);
      }
    }
    // The largest of 28 normal deviates.
    expect(most).toBeLessThan(4);
  });

  test('alignment is 1 inside of the subspace, 0 across it, and between in between', () => {
    const net = new TwoLayer(task);
    const inside = net.projected(normals(1, 60, 2 * task.d));
    const any = normals(1, 61, 2 * task.d);
    const across = net.projected(any).map((value, i) => any[i] - value);
    expect(net.alignment(inside)).toBeCloseTo(1, 12);
    expect(net.alignment(across)).toBeLessThan(1e-12);
    const unit = (values: Float64Array) => values.map((v) => v / Math.sqrt(dotOf(values, values)));
    const [a, b] = [unit(inside.slice(0, task.d)), unit(across.slice(0, task.d))];
    expect(net.alignment(a.map((value, i) => value + b[i]))).toBeCloseTo(Math.SQRT1_2, 12);
    for (const [i, v] of net.directions.entries())
      for (const [j, w] of net.directions.entries()) expect(dotOf(v, w)).toBeCloseTo(i === j ? 1 : 0, 12);
  });

  test('a second layer of zeros is wrong by the variance, one learned from labels hardly more than that of all data', () => {
    const net = new TwoLayer({ ...task, width: 96 });
    expect(net.testError(net.gradient, new Float64Array(96))).toBeCloseTo(1, 12);
    const all = net.testError(net.gradient, net.secondLayer(net.gradient));
    const learned = net.testError(net.gradient, net.fromLabels(net.gradient));
    expect(all).toBeLessThan(0.05);
    expect(Math.abs(learned - all)).toBeLessThan(0.005);
    // The step's length is the student's own.
    const twice = net.gradient.map((value) => 2 * value);
    expect(net.testError(twice, net.secondLayer(twice))).toBeCloseTo(all, 10);
  });
});

describe('points', () => {
  test('the gradient by the places is that of an autodiff', () => {
    const net = new TwoLayer(task);
    const { d } = task;
    const [p, J] = [4, net.J];
    const points = randomPoints(d, p);
    const x = ad.constant(points.places);
    const ones = (length: number, value = 1) => ad.constant(new Float64Array(length).fill(value));
    const weights = ad.transpose(ad.constant(net.weights), J, d);
    const z = ad.add(ad.matmul(x, weights, p, d, J), ones(p * J));
    const half = ad.scale(ad.reciprocal(ad.add(ad.exp(ad.scale(z, 2)), ones(p * J))), -2);
    const tanh = ad.add(ones(p * J), half);
    const slope = ad.add(ones(p * J), ad.scale(ad.multiply(tanh, tanh), -1));
    const labels = ad.constant(
      Float64Array.from({ length: p * J }, (_, i) => points.labels[Math.floor(i / J)]),
    );
    const own = ad.matmul(ad.transpose(ad.multiply(slope, labels), p, J), x, J, p, d);
    const left = ad.add(own, ad.constant(net.gradient.map((value) => -value)));
    const sum = ad.rowSums(ad.scale(ad.multiply(left, left), 0.5), 1, J * d);
    const [expected] = ad.gradients(sum, [x]);
    expect(sum.value[0]).toBeCloseTo(loss(net, points), 12);
    const bar = placesBar(net, points, leftBy(net, points));
    for (const [i, value] of bar.entries()) expect(value).toBeCloseTo(expected.value[i], 11);
  });

  test('of relu, which is homogeneous: x · the gradient by x is y times that by y', () => {
    const net = new TwoLayer({ ...task, activation: 'relu' });
    const points = randomPoints(task.d, 5);
    const bar = placesBar(net, points, leftBy(net, points));
    for (const [m, label] of points.labels.entries()) {
      const along = dotOf(row(points.places, m, task.d), row(bar, m, task.d));
      expect(along).toBeCloseTo(label * labelBar(net, points, m), 10);
    }
    // A pair x, -x of one label y gives every neuron y sign(w·x) x.
    const x = points.places.slice(0, task.d);
    const pair = {
      places: Float64Array.from([...x, ...x.map((value) => -value)]),
      labels: Float64Array.of(3, 3),
    };
    for (let j = 0; j < net.J; j++) {
      const sign = Math.sign(dotOf(row(net.weights, j, task.d), x));
      for (let k = 0; k < task.d; k++)
        expect(gradientOf(net, pair)[j * task.d + k]).toBeCloseTo(3 * sign * x[k], 12);
    }
  });

  test.each(activations)('%s: solved labels leave nothing to be gained by any of them', (activation) => {
    const net = new TwoLayer({ ...task, activation });
    const { places } = randomPoints(task.d, 5);
    const solved = { places, labels: solveLabels(net, places) };
    const scale = dotOf(net.gradient, net.gradient);
    for (let m = 0; m < 5; m++) expect(Math.abs(labelBar(net, solved, m))).toBeLessThan(1e-6 * scale);
    expect(mismatch(net, gradientOf(net, solved))).toBeCloseTo((2 * loss(net, solved)) / scale, 12);
  });

  test('a gradient that points gave is given again: by their labels, and by places near to theirs', () => {
    const net = new TwoLayer(task);
    const { places, labels } = randomPoints(task.d, 3);
    net.gradient.set(gradientOf(net, { places, labels }));
    for (const [m, label] of solveLabels(net, places).entries()) expect(label).toBeCloseTo(labels[m], 6);
    const near = normals(9, 102, places.length).map((value, i) => places[i] + 0.1 * value);
    const left = (at: Float64Array) =>
      mismatch(net, gradientOf(net, { places: at, labels: solveLabels(net, at) }));
    expect(left(near)).toBeGreaterThan(1e-3);
    expect(left(matched(net, near, 100))).toBeLessThan(1e-5);
  });

  test('one step turns places toward the subspace, each by itself', () => {
    const net = new TwoLayer({ ...task, d: 40 });
    const places = oneStep(net, 6);
    expect(net.alignment(normals(2, 70, 6 * 40))).toBeLessThan(0.5);
    expect(net.alignment(places)).toBeGreaterThan(0.95);
    for (let m = 0; m < 6; m++)
      expect(Math.sqrt(dotOf(row(places, m, 40), row(places, m, 40)))).toBeCloseTo(Math.sqrt(40) / 4, 10);
    expect(oneStep(net, 3)).toEqual(places.slice(0, 3 * 40));
  });

  test('a quadratic form at random places of its subspace takes r (r + 3) / 2 points, at places of its own r + 1', () => {
    const net = new TwoLayer({ ...task, d: 100, width: 60 });
    const left = (places: Float64Array) =>
      mismatch(net, gradientOf(net, { places, labels: solveLabels(net, places) }));
    // r labels keep the mean of the points at 0, r (r + 1) / 2 make any symmetric matrix: 9 of three directions.
    const random = (p: number) => net.projected(oneStep(net, p));
    expect(left(random(9))).toBeLessThan(0.1);
    expect(left(random(8))).toBeGreaterThan(0.15);
    expect(left(matched(net, random(4), 100))).toBeLessThan(0.1);
    expect(left(matched(net, random(3), 100))).toBeGreaterThan(0.15);
  });
});

test('the points that are needed lie between those that were tried', () => {
  const look = (points: number, learned: number) => ({ points, learned, kept: 0, gradient: 99 });
  const looks = [look(2, 80), look(4, 40), look(8, 10)];
  expect(pointsNeeded(looks, 'learned', 20)).toBeCloseTo(Math.sqrt(32), 12);
  expect(pointsNeeded(looks, 'learned', 40)).toBeCloseTo(4, 12);
  expect(pointsNeeded(looks, 'kept', 20)).toBe(2);
  expect(pointsNeeded(looks, 'gradient', 20)).toBeUndefined();
  expect(pointsNeeded(looks, 'learned', Number.NaN)).toBeUndefined();
});

test('powerOf finds the exponent of a power, and its error by what is left', () => {
  const exact = powerOf([1, 2, 5].map((x) => [x, 7 * x ** -1.5] as const));
  expect(exact.exponent).toBeCloseTo(-1.5, 12);
  expect(exact.error).toBeLessThan(1e-12);
  // Logarithms 0, 1, 2 and 0, 0, 3: slope 3 / 2; -1/2, 1, -1/2 are left, by one degree of freedom.
  const e = Math.E;
  const left = powerOf([
    [1, 1],
    [e, 1],
    [e ** 2, e ** 3],
  ]);
  expect(left.exponent).toBeCloseTo(1.5, 12);
  expect(left.error).toBeCloseTo(Math.sqrt(1.5 / 2), 12);
});
