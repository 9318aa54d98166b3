import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * The same numbers in another order.
 *
 *     swap    out[b,a,s] = x[a,b,s]                       x `[A, B, S]`, out `[B, A, S]`; its own transpose
 *     join    out[m] = a[m], and behind it b[m]           a `[M, A]`, b `[M, B]`, out `[M, A + B]`
 *     split   the way back: a and b from x                the transpose of join
 */
export const swapKernel: Kernel = {
  name: 'layout.swap',
  operands: { x: 'read', out: 'write' },
  sizes: ['P', 'A', 'B', 'S'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ x, out }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, op] = [x(p), out(p)];
      for (let a = 0; a < s.A; a++)
        for (let b = 0; b < s.B; b++)
          for (let i = 0; i < s.S; i++) op[(b * s.A + a) * s.S + i] = xp[(a * s.B + b) * s.S + i];
    }
  },
};

export const joinKernel: Kernel = {
  name: 'layout.join',
  operands: { a: 'read', b: 'read', out: 'write' },
  sizes: ['P', 'M', 'A', 'B'],
  constants: [],
  cuts: { images: { sizes: ['M'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ a, b, out }, s) {
    for (let p = 0; p < s.P; p++)
      for (let m = 0; m < s.M; m++) {
        const row = m * (s.A + s.B);
        out(p).set(a(p).subarray(m * s.A, (m + 1) * s.A), row);
        out(p).set(b(p).subarray(m * s.B, (m + 1) * s.B), row + s.A);
      }
  },
};

export const splitKernel: Kernel = {
  name: 'layout.split',
  operands: { x: 'read', a: 'write', b: 'write' },
  sizes: ['P', 'M', 'A', 'B'],
  constants: [],
  cuts: { images: { sizes: ['M'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ x, a, b }, s) {
    for (let p = 0; p < s.P; p++)
      for (let m = 0; m < s.M; m++) {
        const row = m * (s.A + s.B);
        a(p).set(x(p).subarray(row, row + s.A), m * s.A);
        b(p).set(x(p).subarray(row + s.A, row + s.A + s.B), m * s.B);
      }
  },
};

/** x `[A, B, ...]` with its first two axes exchanged. */
export function swap(r: Recorder, { x }: { x: View }, to: Into = {}): View {
  const op = swapKernel.name;
  const [A, B, ...rest] = x.shape;
  const out = destination(r, op, 'out', x.members, [B, A, ...rest], to);
  const sizes = { P: x.members, A, B, S: elements(rest) };
  r.push({ kernel: swapKernel, operands: { x, out }, sizes, constants: {}, accumulate: false });
  return out;
}

/** The rows of a `[M, A]` and b `[M, B]` side by side. */
export function join(r: Recorder, { a, b }: { a: View; b: View }, to: Into = {}): View {
  const op = joinKernel.name;
  expectRank(op, 'a', a, 'M A');
  const [M, A] = a.shape;
  const B = b.shape[1];
  expectShape(op, 'b', b, [M, B], '(a row for each of a)');
  const P = population(op, { a, b });
  const out = destination(r, op, 'out', P, [M, A + B], to);
  r.push({
    kernel: joinKernel,
    operands: { a, b, out },
    sizes: { P, M, A, B },
    constants: {},
    accumulate: false,
  });
  return out;
}

/** The first `A` columns of x, and the others. */
export function split(
  r: Recorder,
  { x }: { x: View },
  A: number,
  into: { a?: View; b?: View } = {},
): { a: View; b: View } {
  const op = splitKernel.name;
  expectRank(op, 'x', x, 'M columns');
  const [M, columns] = x.shape;
  const [P, B] = [x.members, columns - A];
  const a = destination(r, op, 'a', P, [M, A], { into: into.a });
  const b = destination(r, op, 'b', P, [M, B], { into: into.b });
  r.push({
    kernel: splitKernel,
    operands: { x, a, b },
    sizes: { P, M, A, B },
    constants: {},
    accumulate: false,
  });
  return { a, b };
}

const swapped = [
  { P: 1, shape: [5, 7] },
  { P: 3, shape: [33, 18] },
  { P: 2, shape: [4, 30, 100] },
  { P: 1, shape: [120, 30, 3] },
].map(
  ({ P, shape: [A, B, ...rest] }): OpCase => ({
    name: `layout.swap P=${P} ${[A, B, ...rest].join('x')}`,
    record(r) {
      swap(r, { x: r.external('x', P, [A, B, ...rest]) }, { into: r.external('out', P, [B, A, ...rest]) });
    },
  }),
);

const joined = [
  { P: 1, M: 3, A: 5, B: 2 },
  { P: 3, M: 67, A: 100, B: 31 },
].flatMap(({ P, M, A, B }): OpCase[] => [
  {
    name: `layout.join P=${P} ${M}x${A} and ${M}x${B}`,
    record(r) {
      const [a, b] = [r.external('a', P, [M, A]), r.external('b', 1, [M, B])];
      join(r, { a, b }, { into: r.external('out', P, [M, A + B]) });
    },
  },
  {
    name: `layout.split P=${P} ${M}x${A} and ${M}x${B}`,
    record(r) {
      const into = { a: r.external('a', P, [M, A]), b: r.external('b', P, [M, B]) };
      split(r, { x: r.external('x', P, [M, A + B]) }, A, into);
    },
  },
]);

export const cases: readonly OpCase[] = [...swapped, ...joined];
