/** Trace and largest eigenvalues of a Hessian, against the whole Hessian by reverse over reverse in float64. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tridiagonalEigenvalues } from '../src/analysis/hessian.js';
import {
  createNetwork,
  type Device,
  hessianEigenvalues,
  hessianTrace,
  hessianVectorProduct,
  openDevice,
} from '../src/index.js';
import { freshParameters, labelRows, normals } from './harness/arrays.js';
import { poisoning } from './harness/cases.js';
import { hvpOracle } from './harness/oracle-matching.js';

const network = { name: 'convnet', inputShape: [1, 4, 4], classes: 3, width: 2, depth: 1 } as const;
const n = 7;
const { count } = createNetwork(network);
const parameters = freshParameters(network, 1);
const images = normals(n * 16, 3);
const labels = labelRows(n, 3, 2, true);

/** All of it, column by column. */
const hessian: number[][] = [];
beforeAll(() => {
  for (let i = 0; i < count; i++) {
    const vector = new Float64Array(count);
    vector[i] = 1;
    hessian.push([...hvpOracle({ network, P: 1, parameters, images, labels, vector }).parameters]);
  }
});

/** Eigenvalues of a symmetric matrix by Jacobi's rotations, the largest first. */
function eigenvalues(matrix: number[][]): number[] {
  const a = matrix.map((row) => [...row]);
  const size = a.length;
  for (let sweep = 0; sweep < 60; sweep++)
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) {
        if (a[p][q] === 0) continue;
        const angle = Math.atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < size; k++)
          [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        for (let k = 0; k < size; k++)
          [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
      }
  return a.map((row, i) => row[i]).sort((x, y) => y - x);
}

const limits = { reference: 1e-9, cpu: 1e-4, webgpu: 1e-4 } as const;

describe.each(['reference', 'cpu', 'webgpu'] as const)('on %s', (engine) => {
  let opened: Device;
  let device: Device;
  const given = { network, parameters, images, labels };
  const size = () => Math.sqrt(hessian.flat().reduce((sum, value) => sum + value * value, 0));
  beforeAll(async () => {
    opened = await openDevice(engine);
    device = poisoning(opened);
  });
  afterAll(() => opened?.dispose());

  test('the trace by every parameter is that of the whole Hessian', async () => {
    const { trace, error } = await hessianTrace(device, { ...given, vectors: 'all' });
    const expected = hessian.reduce((sum, row, i) => sum + row[i], 0);
    expect(Math.abs(trace - expected)).toBeLessThan(limits[engine] * size());
    expect(error).toBe(0);
  });

  test('the largest eigenvalues are those of the whole Hessian', async () => {
    const expected = eigenvalues(hessian).slice(0, 3);
    const { values, converged, steps } = await hessianEigenvalues(device, {
      ...given,
      largest: 3,
      tolerance: 1e-9,
    });
    expect(converged).toBe(true);
    expect(steps).toBeLessThanOrEqual(count);
    for (const [i, value] of values.entries())
      expect(Math.abs(value - expected[i])).toBeLessThan(10 * limits[engine] * size());
  });
});

describe('on the reference', () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('reference');
  });
  afterAll(() => device?.dispose());
  const given = { network, parameters, images, labels };

  test('random signs find the trace within what they say they may be off by', async () => {
    const expected = hessian.reduce((sum, row, i) => sum + row[i], 0);
    let within = 0;
    for (let seed = 0; seed < 10; seed++) {
      const { trace, error } = await hessianTrace(device, { ...given, vectors: 40, seed });
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(trace - expected)).toBeLessThan(5 * error);
      if (Math.abs(trace - expected) < 2 * error) within++;
    }
    expect(within).toBeGreaterThanOrEqual(7);
    // The variance of such a form is twice the sum of squares off the diagonal.
    const variance =
      2 * hessian.reduce((sum, row, i) => sum + row.reduce((all, h, j) => all + (i === j ? 0 : h * h), 0), 0);
    const { error } = await hessianTrace(device, { ...given, vectors: 400 });
    expect(error / Math.sqrt(variance / 400)).toBeGreaterThan(0.8);
    expect(error / Math.sqrt(variance / 400)).toBeLessThan(1.25);
  });

  test('more images than go at once are weighed as one set', async () => {
    const many = 300;
    const all = { network, parameters, images: normals(many * 16, 5), labels: labelRows(many, 3, 9, false) };
    const vectors = 4;
    const { trace } = await hessianTrace(device, { ...all, vectors });
    // By the definition of a mean: of what the same directions find on each third.
    const thirds = await Promise.all(
      [0, 1, 2].map((i) =>
        hessianTrace(device, {
          ...{ network, parameters, vectors },
          images: all.images.slice(i * 100 * 16, (i + 1) * 100 * 16),
          labels: all.labels.slice(i * 300, (i + 1) * 300),
        }),
      ),
    );
    const mean = thirds.reduce((sum, one) => sum + one.trace / 3, 0);
    expect(Math.abs(trace - mean)).toBeLessThan(1e-9 * Math.abs(mean));
  });

  test.each([
    [
      () => hessianTrace(device, { ...given, vectors: 1 }),
      /vectors is 1, expected all or a whole number of at least 2/,
    ],
    [() => hessianTrace(device, { ...given, vectors: 'some' as never }), /vectors is "some"/],
    [() => hessianTrace(device, { ...given, images: images.slice(1) }), /images has \d+ numbers/],
    [() => hessianTrace(device, { ...given, vector: [1] } as never), /vector/],
    [
      () => hessianEigenvalues(device, { ...given, largest: 0 }),
      /largest is 0, expected a whole number from 1 to/,
    ],
    [
      () => hessianEigenvalues(device, { ...given, steps: 2, largest: 3 }),
      /largest is 3, expected a whole number from 1 to 2/,
    ],
    [() => hessianEigenvalues(device, { ...given, steps: 0.5 }), /steps is 0\.5|largest is 1/],
  ])('refuses what it cannot do: %#', async (call, message) => {
    await expect(call()).rejects.toThrow(message);
  });
});

test('eigenvalues of two diagonals are those of the matrix', () => {
  const [diagonal, beside] = [
    [2, -1, 0.5, 3, 3],
    [1, 0.25, 0, 2],
  ];
  const matrix = diagonal.map((value, i) =>
    diagonal.map((_, j) => (i === j ? value : Math.abs(i - j) === 1 ? beside[Math.min(i, j)] : 0)),
  );
  for (const [i, value] of tridiagonalEigenvalues(diagonal, beside, 5).entries())
    expect(value).toBeCloseTo(eigenvalues(matrix)[i], 12);
  expect(tridiagonalEigenvalues([7], [], 1)).toEqual([7]);
});

describe('equal eigenvalues', () => {
  // Squared error of a linear network: the Hessian is one matrix for every output, so each eigenvalue is there three times.
  const linear = { name: 'custom', layers: [{ linear: 3 }], inputShape: [1, 1, 3], classes: 3 } as const;
  const rows = 6;
  const given = {
    ...{ network: linear, parameters: normals(12, 4), loss: 'squared-error' as const },
    ...{ images: normals(rows * 3, 6), labels: labelRows(rows, 3, 2, false) },
  };

  test.each([1, 2, 3, 4, 6, 9])('the %d largest are found as often as they are there', async (largest) => {
    await using device = await openDevice('reference');
    const matrix: number[][] = [];
    for (let i = 0; i < 12; i++) {
      const vector = Float64Array.from({ length: 12 }, (_, j) => (i === j ? 1 : 0));
      matrix.push([...(await hessianVectorProduct(device, { ...given, vector })).parameters]);
    }
    const expected = eigenvalues(matrix).slice(0, largest);
    if (largest > 1) expect(expected[1]).toBeCloseTo(expected[0], 9);
    const { values, converged } = await hessianEigenvalues(device, { ...given, largest });
    expect(converged).toBe(true);
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i], 9);
  });
});
