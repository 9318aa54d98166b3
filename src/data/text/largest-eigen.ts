import { breathe } from '../../util/breathe.js';
import { Stream } from '../../util/random.js';
import { addTo, dot } from '../../util/vectors.js';
import type { SparseMatrix } from './cooccurrence.js';

/** 'text' in ASCII: its own stream of random numbers. */
const STREAM = 0x74657874;
/** Vectors beside those asked for, and rounds: what makes the last of these vectors accurate (Halko, Martinsson, Tropp 2011). */
const SPARE = 16;
const ROUNDS = 12;

/** Eigenvectors of a symmetric matrix by the size of their eigenvalues, `vectors[k]` `[size]`; the largest element of each is positive. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: readonly Float64Array[];
}

/**
 * The eigenvectors with the `count` eigenvalues of largest absolute value, whose absolute values are the singular values: by subspace
 * iteration from the same random start every time. Those of equal eigenvalues may be any of their space; eigenvalues that are followed
 * by almost equal ones are less exact.
 */
export async function largestEigen(matrix: SparseMatrix, count: number): Promise<Eigen> {
  const { size } = matrix;
  const k = Math.min(size, count + SPARE);
  const random = new Stream(1, STREAM);
  let basis: Float64Array[] = Array.from({ length: k }, (_, j) =>
    Float64Array.from({ length: size }, (_, i) => random.normal(j * size + i)),
  );
  orthonormalise(basis);
  for (let round = 0; round < ROUNDS; round++) {
    basis = await products(matrix, basis);
    orthonormalise(basis);
  }
  const images = await products(matrix, basis);
  // What the matrix is within the subspace.
  const inner = basis.map((q) => Float64Array.from(images, (image) => dot(q, image)));
  const { values, vectors } = jacobi(inner);
  const order = [...values.keys()].sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const kept = order.slice(0, Math.min(count, size));
  return {
    values: Float64Array.from(kept, (at) => values[at]),
    vectors: kept.map((at) => {
      const vector = new Float64Array(size);
      for (const [j, q] of basis.entries()) for (let i = 0; i < size; i++) vector[i] += vectors[j][at] * q[i];
      return upright(vector);
    }),
  };
}

async function products(
  { size, starts, columns, values }: SparseMatrix,
  vectors: readonly Float64Array[],
): Promise<Float64Array[]> {
  const out: Float64Array[] = [];
  for (const vector of vectors) {
    const product = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let at = starts[i]; at < starts[i + 1]; at++) sum += values[at] * vector[columns[at]];
      product[i] = sum;
    }
    out.push(product);
    await breathe();
  }
  return out;
}

/** Gram and Schmidt, twice; what is no direction of its own becomes zero. */
function orthonormalise(vectors: readonly Float64Array[]): void {
  for (const [j, vector] of vectors.entries()) {
    const before = Math.sqrt(dot(vector, vector));
    for (let pass = 0; pass < 2; pass++)
      for (const other of vectors.slice(0, j)) addTo(vector, other, -dot(vector, other));
    const norm = Math.sqrt(dot(vector, vector));
    const scale = norm > 1e-12 * before ? 1 / norm : 0;
    for (let i = 0; i < vector.length; i++) vector[i] *= scale;
  }
}

function upright(vector: Float64Array): Float64Array {
  const most = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  return most < 0 ? vector.map((value) => -value) : vector;
}

/** All eigenvalues of a small symmetric matrix, and its eigenvectors as columns: by rotations (Jacobi 1846), which change it. */
export function jacobi(a: readonly Float64Array[]): { values: Float64Array; vectors: Float64Array[] } {
  const n = a.length;
  const v = Array.from({ length: n }, (_, i) =>
    Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)),
  );
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        all += a[i][j] ** 2;
        if (i !== j) off += a[i][j] ** 2;
      }
    if (off <= 1e-28 * all) break;
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k][p], a[k][q]];
          a[k][p] = c * x - s * y;
          a[k][q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p][k], a[q][k]];
          a[p][k] = c * x - s * y;
          a[q][k] = s * x + c * y;
          const [vx, vy] = [v[k][p], v[k][q]];
          v[k][p] = c * vx - s * vy;
          v[k][q] = s * vx + c * vy;
        }
      }
  }
  return { values: Float64Array.from(a, (row, i) => row[i]), vectors: v };
}
