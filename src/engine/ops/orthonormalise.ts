import type { Kernel } from '../kernel.js';
import type { OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Vectors made orthonormal in place, one after the other (Gram and Schmidt), times `gain`: of normal vectors, a uniformly
 * random orthogonal matrix. Each vector loses its components along those before it, one at a time and all of them twice,
 * which leaves no more than rounding of them, and is then brought to length 1. A vector that depends on those before it has
 * no direction: what is left of it is rounding.
 *
 * w `[rows, columns]`: its rows where there are no more of them than columns, else its columns.
 */
export const inPlaceKernel: Kernel = {
  name: 'orthonormalise.inPlace',
  operands: { w: 'update' },
  // Element k of vector i is w[i next + k along].
  sizes: ['P', 'vectors', 'length', 'next', 'along'],
  constants: ['gain'],
  kind: 'nonlinear',
  // Twice each vector loses as many parts as there are before it, each by an inner product.
  reduction: (s) => 2 * s.vectors * s.length,
  flops: (s) => 4 * s.P * s.length * s.vectors ** 2,
  reference({ w }, { P, vectors, length, next, along }, { gain }) {
    for (let p = 0; p < P; p++) {
      const wp = w(p);
      const dot = (i: number, j: number) => {
        let sum = 0;
        for (let k = 0; k < length; k++) sum += wp[i * next + k * along] * wp[j * next + k * along];
        return sum;
      };
      for (let i = 0; i < vectors; i++) {
        for (const j of [...Array(i).keys(), ...Array(i).keys()]) {
          const part = dot(i, j);
          for (let k = 0; k < length; k++) wp[i * next + k * along] -= part * wp[j * next + k * along];
        }
        const norm = Math.sqrt(dot(i, i));
        for (let k = 0; k < length; k++) wp[i * next + k * along] /= norm;
      }
      for (let i = 0; i < vectors * length; i++) wp[i] *= gain;
    }
  },
};

/** In place on w `[rows, ...]`, a matrix whose columns are all that follows its first size. */
export function inPlace(r: Recorder, { w }: { w: View }, gain = 1): void {
  const [rows, ...rest] = w.shape;
  const columns = elements(rest);
  const geometry =
    rows <= columns
      ? { vectors: rows, length: columns, next: columns, along: 1 }
      : { vectors: columns, length: rows, next: 1, along: columns };
  const sizes = { P: w.members, ...geometry };
  r.push({ kernel: inPlaceKernel, operands: { w }, sizes, constants: { gain }, accumulate: false });
}

/** Far from dependent, so that rounding is not magnified: a diagonal that stands out of some waves. */
const matrix = (P: number, rows: number, columns: number) =>
  Array.from({ length: P * rows * columns }, (_, at) => {
    const [i, k] = [Math.floor(at / columns) % rows, at % columns];
    return Math.sin(3 * at + 1) / 2 + (i % Math.min(rows, columns) === k % Math.min(rows, columns) ? 3 : 0);
  });

export const cases: readonly OpCase[] = [
  { P: 1, shape: [5, 19] },
  { P: 3, shape: [19, 5] },
  { P: 2, shape: [4, 2, 3, 3] },
  { P: 2, shape: [7, 7] },
  { P: 1, shape: [3, 300] },
  { P: 1, shape: [1, 9] },
  { P: 1, shape: [128, 128, 3, 3], bench: true },
].map(({ P, shape, bench }) => ({
  name: `orthonormalise.inPlace P=${P} ${shape.join('x')}`,
  bench,
  fill: { w: { kind: 'values', values: () => matrix(P, shape[0], elements(shape.slice(1))) } },
  record: (r: Recorder) => inPlace(r, { w: r.external('w', P, shape) }, 0.5),
}));
