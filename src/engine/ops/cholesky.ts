import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Linear systems with a symmetric, positive definite matrix, by its Cholesky factor L:
 *
 *     factor   L Lᵀ = A + ridge mean(diag A) I
 *     solve    (L Lᵀ) x = b
 *
 * a, l `[n, n]`, b, x `[n, K]`. Of a the diagonal and what is above it are read, as a is symmetric; l holds L below its diagonal and Lᵀ
 * above it, so that both are read by rows. Where a pivot is not above 0 the matrix is not positive definite, and l is NaN from that
 * column on: every solution with it is NaN.
 *
 * The adjoint of `solve` is another one with the same factor: from xBar, bBar = A⁻¹ xBar, and of A it is -bBar xᵀ.
 */
export const factorKernel: Kernel = {
  name: 'cholesky.factor',
  operands: { a: 'read', l: 'write' },
  sizes: ['P', 'n'],
  constants: ['ridge'],
  kind: 'nonlinear',
  reduction: (s) => s.n,
  flops: (s) => (s.P * s.n ** 3) / 3,
  reference({ a, l }, { P, n }, { ridge }) {
    for (let p = 0; p < P; p++) {
      const [ap, lp] = [a(p), l(p)];
      let trace = 0;
      for (let i = 0; i < n; i++) trace += ap[i * n + i];
      for (let k = 0; k < n; k++) {
        for (let i = k; i < n; i++) {
          let sum = ap[k * n + i] + (i === k ? (ridge * trace) / n : 0);
          for (let j = 0; j < k; j++) sum -= lp[j * n + k] * lp[j * n + i];
          if (i === k) lp[k * n + k] = sum > 0 ? Math.sqrt(sum) : Number.NaN;
          else lp[i * n + k] = lp[k * n + i] = sum / lp[k * n + k];
        }
      }
    }
  },
};

export const solveKernel: Kernel = {
  name: 'cholesky.solve',
  operands: { l: 'read', b: 'read', x: 'write' },
  sizes: ['P', 'n', 'K'],
  constants: [],
  kind: 'nonlinear',
  reduction: (s) => 2 * s.n,
  flops: (s) => 2 * s.P * s.n ** 2 * s.K,
  reference({ l, b, x }, { P, n, K }) {
    for (let p = 0; p < P; p++) {
      const [lp, bp, xp] = [l(p), b(p), x(p)];
      for (let k = 0; k < K; k++) {
        for (let i = 0; i < n; i++) {
          let sum = bp[i * K + k];
          for (let j = 0; j < i; j++) sum -= lp[i * n + j] * xp[j * K + k];
          xp[i * K + k] = sum / lp[i * n + i];
        }
        for (let i = n - 1; i >= 0; i--) {
          let sum = xp[i * K + k];
          for (let j = i + 1; j < n; j++) sum -= lp[i * n + j] * xp[j * K + k];
          xp[i * K + k] = sum / lp[i * n + i];
        }
      }
    }
  },
};

/** l `[n, n]`: the factor of a, to the diagonal of which `ridge` times its mean is added. */
export function factor(r: Recorder, { a }: { a: View }, ridge: number, to: Into = {}): View {
  const op = factorKernel.name;
  expectRank(op, 'a', a, 'n n');
  const [n] = a.shape;
  expectShape(op, 'a', a, [n, n], '(n, n): only a square matrix has a factor');
  const l = destination(r, op, 'l', a.members, [n, n], to);
  const sizes = { P: a.members, n };
  r.push({ kernel: factorKernel, operands: { a, l }, sizes, constants: { ridge }, accumulate: false });
  return l;
}

/** x `[n, K]`: the solution for each column of b `[n, K]`, by the factor l. */
export function solve(r: Recorder, { l, b }: { l: View; b: View }, to: Into = {}): View {
  const op = solveKernel.name;
  expectRank(op, 'b', b, 'n K');
  const [n, K] = b.shape;
  expectShape(op, 'l', l, [n, n], 'because b has that many rows');
  const P = population(op, { l, b });
  const x = destination(r, op, 'x', P, [n, K], to);
  r.push({
    kernel: solveKernel,
    operands: { l, b, x },
    sizes: { P, n, K },
    constants: {},
    accumulate: false,
  });
  return x;
}

/** Symmetric, and positive definite by what stands on the diagonal: inner products of n waves, of each with itself twice. */
function gram(P: number, n: number) {
  const values = new Array<number>(P * n * n);
  for (let p = 0; p < P; p++) {
    const waves = Array.from({ length: n }, (_, i) =>
      Float64Array.from({ length: n + 1 }, (_, k) => Math.sin((i + 1) * (k + p + 1))),
    );
    for (const [i, wave] of waves.entries())
      for (const [j, other] of waves.entries()) {
        const product = wave.reduce((sum, value, k) => sum + value * other[k], 0);
        values[(p * n + i) * n + j] = (i === j ? 2 : 1) * product;
      }
  }
  return values;
}

export const cases: readonly OpCase[] = [
  { P: 1, n: 1, K: 1 },
  { P: 3, n: 5, K: 4 },
  { P: 2, n: 33, K: 10 },
  { P: 2, n: 70, K: 3, shared: true },
  { P: 1, n: 300, K: 10, bench: true },
].flatMap(({ P, n, K, shared, bench }): OpCase[] => {
  const matrices = shared ? 1 : P;
  const fill = { a: { kind: 'values', values: () => gram(matrices, n) } } as const;
  const a = (r: Recorder) => r.external('a', matrices, [n, n]);
  const name = `P=${P} n=${n}`;
  return [
    {
      name: `cholesky.factor ${name}`,
      bench,
      fill,
      record: (r) => void factor(r, { a: a(r) }, 0.1, { into: r.external('l', matrices, [n, n]) }),
    },
    {
      name: `cholesky.solve ${name} K=${K}${shared ? ' l shared' : ''}`,
      bench,
      fill,
      record(r) {
        const l = factor(r, { a: a(r) }, 0.1);
        solve(r, { l, b: r.external('b', P, [n, K]) }, { into: r.external('x', P, [n, K]) });
      },
    },
  ];
});
