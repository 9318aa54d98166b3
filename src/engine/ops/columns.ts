import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * A factor for every column, `out[r,l] = gain[l] x[r,l]`, and products of columns, `out[l] = sum over r of a[r,l] b[r,l]`: the
 * way back to x is `scale` again, that to the factors `dot`.
 *
 * x, a, b `[R, L]`, gain `[L]`.
 */
const sizes = ['P', 'R', 'L'] as const;

export const scaleKernel: Kernel = {
  name: 'columns.scale',
  operands: { x: 'read', gain: 'read', out: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: () => 1,
  flops: (s) => s.P * s.R * s.L,
  reference({ x, gain, out }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, gp, op] = [x(p), gain(p), out(p)];
      for (let i = 0; i < s.R * s.L; i++) op[i] = gp[i % s.L] * xp[i];
    }
  },
};

export const dotKernel: Kernel = {
  name: 'columns.dot',
  operands: { a: 'read', b: 'read', out: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.R,
  flops: (s) => 2 * s.P * s.R * s.L,
  reference({ a, b, out }, s) {
    for (let p = 0; p < s.P; p++) {
      const [ap, bp, op] = [a(p), b(p), out(p)];
      op.fill(0);
      for (let i = 0; i < s.R * s.L; i++) op[i % s.L] += ap[i] * bp[i];
    }
  },
};

/** out = x with column l times gain[l]. */
export function scale(r: Recorder, { x, gain }: { x: View; gain: View }, to: Into = {}): View {
  const op = scaleKernel.name;
  expectRank(op, 'x', x, 'R L');
  const [R, L] = x.shape;
  expectShape(op, 'gain', gain, [L], `because x has ${L} columns`);
  const P = population(op, { x, gain });
  const out = destination(r, op, 'out', P, x.shape, to);
  const operands = { x, gain, out };
  r.push({ kernel: scaleKernel, operands, sizes: { P, R, L }, constants: {}, accumulate: false });
  return out;
}

/** out[l] = column l of a times column l of b. */
export function dot(r: Recorder, { a, b }: { a: View; b: View }, to: Into = {}): View {
  const op = dotKernel.name;
  expectRank(op, 'a', a, 'R L');
  expectShape(op, 'b', b, a.shape, 'because a has that shape');
  const [R, L] = a.shape;
  const P = population(op, { a, b });
  const out = destination(r, op, 'out', P, [L], to);
  const operands = { a, b, out };
  r.push({ kernel: dotKernel, operands, sizes: { P, R, L }, constants: {}, accumulate: false });
  return out;
}

export const cases: readonly OpCase[] = [
  { P: 1, R: 1, L: 1 },
  { P: 3, R: 7, L: 33 },
  { P: 2, R: 300, L: 270 },
  { P: 10, R: 256, L: 2048, bench: true },
].flatMap(({ P, R, L, bench }): OpCase[] => [
  {
    ...{ name: `columns.scale P=${P} ${R}x${L}, gain shared`, bench },
    record(r) {
      const operands = { x: r.external('x', P, [R, L]), gain: r.external('gain', 1, [L]) };
      scale(r, operands, { into: r.external('out', P, [R, L]) });
    },
  },
  {
    ...{ name: `columns.dot P=${P} ${R}x${L}, b shared`, bench },
    record(r) {
      const operands = { a: r.external('a', P, [R, L]), b: r.external('b', 1, [R, L]) };
      dot(r, operands, { into: r.external('out', P, [L]) });
    },
  },
]);
