import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Rows brought to one length, `y = length x / |x|`, and the way back, which is across y alone:
 *
 *     xBar = (length yBar - y (y·yBar) / length) / |x|
 *
 * A row of zeros stays one, and has no gradient.
 *
 * x, y, yBar, xBar `[R, L]`.
 */
const sizes = ['P', 'R', 'L'] as const;

/** Sum over i of a[from + i] b[from + i]. */
function rowDot(a: ArrayLike<number>, b: ArrayLike<number>, from: number, L: number): number {
  let sum = 0;
  for (let i = from; i < from + L; i++) sum += a[i] * b[i];
  return sum;
}

export const forwardKernel: Kernel = {
  name: 'unitrows.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants: ['length'],
  kind: 'nonlinear',
  reduction: (s) => s.L,
  flops: (s) => 3 * s.P * s.R * s.L,
  reference({ x, y }, s, { length }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      for (let from = 0; from < s.R * s.L; from += s.L) {
        const squared = rowDot(xp, xp, from, s.L);
        const by = squared > 0 ? length / Math.sqrt(squared) : 0;
        for (let i = from; i < from + s.L; i++) yp[i] = by * xp[i];
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'unitrows.backward',
  operands: { x: 'read', yBar: 'read', xBar: 'write' },
  sizes,
  constants: ['length'],
  kind: 'nonlinear',
  reduction: (s) => s.L,
  flops: (s) => 7 * s.P * s.R * s.L,
  reference({ x, yBar, xBar }, s, { length }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, out] = [x(p), yBar(p), xBar(p)];
      for (let from = 0; from < s.R * s.L; from += s.L) {
        const squared = rowDot(xp, xp, from, s.L);
        const by = squared > 0 ? length / Math.sqrt(squared) : 0;
        const along = squared > 0 ? rowDot(xp, yp, from, s.L) / squared : 0;
        for (let i = from; i < from + s.L; i++) out[i] = by * (yp[i] - along * xp[i]);
      }
    }
  },
};

/** The rows of x at the given length. */
export function forward(r: Recorder, { x }: { x: View }, length = 1, to: Into = {}): View {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'R L');
  const [R, L] = x.shape;
  const y = destination(r, op, 'y', x.members, x.shape, to);
  const sizes = { P: x.members, R, L };
  r.push({ kernel: forwardKernel, operands: { x, y }, sizes, constants: { length }, accumulate: false });
  return y;
}

/** xBar, the gradient of the rows before, from that of those of the given length. */
export function backward(r: Recorder, { x, yBar }: { x: View; yBar: View }, length = 1, to: Into = {}): View {
  const op = backwardKernel.name;
  expectRank(op, 'x', x, 'R L');
  expectSameLength(op, 'yBar', yBar, 'x', x);
  const [R, L] = x.shape;
  const P = population(op, { x, yBar });
  const xBar = destination(r, op, 'xBar', P, x.shape, to);
  const operands = { x, yBar, xBar };
  const sizes = { P, R, L };
  r.push({ kernel: backwardKernel, operands, sizes, constants: { length }, accumulate: false });
  return xBar;
}

/** Rows of numbers of both signs, row 1 of 0. */
const withZeros = (R: number, L: number) =>
  Array.from({ length: R * L }, (_, i) => (Math.floor(i / L) === 1 ? 0 : Math.sin(i * i)));

export const cases: readonly OpCase[] = [
  { P: 1, R: 6, L: 25, length: 1 },
  { P: 3, R: 10, L: 84, length: 2.5 },
  { P: 1, R: 1, L: 20_011, length: 100 },
  { P: 1, R: 4, L: 9, length: 1, zeros: true },
  { P: 10, R: 256, L: 2048, length: 1, bench: true },
].flatMap(({ P, R, L, length, zeros, bench }): OpCase[] => {
  const shape = [R, L];
  const fill = zeros ? ({ x: { kind: 'values', values: () => withZeros(R, L) } } as const) : undefined;
  const name = `P=${P} ${R}x${L}${zeros ? ' a row of zeros' : ''}`;
  return [
    {
      ...{ name: `unitrows.forward ${name}`, bench, fill },
      record: (r) =>
        void forward(r, { x: r.external('x', P, shape) }, length, { into: r.external('y', P, shape) }),
    },
    {
      ...{ name: `unitrows.backward ${name}`, bench, fill },
      record(r) {
        const operands = { x: r.external('x', P, shape), yBar: r.external('yBar', P, shape) };
        backward(r, operands, length, { into: r.external('xBar', P, shape) });
      },
    },
  ];
});
