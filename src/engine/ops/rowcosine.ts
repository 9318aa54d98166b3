import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Fill, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * How far rows point from the rows of a target, and the gradient of that. For a row x and its target t, with
 * `d = |x| |t| + epsilon`:
 *
 *     losses[r] = 1 - x·t / d             xBar = -t / d + (x·t) |t| / (d² |x|) x
 *
 * The second term of xBar is 0 where x is: a norm has the slope 0 there.
 *
 * x, target, xBar `[R, L]`; losses `[R]`.
 */
export const matchKernel: Kernel = {
  name: 'rowcosine.match',
  operands: { x: 'read', target: 'read', losses: 'write', xBar: 'write' },
  sizes: ['P', 'R', 'L'],
  constants: ['epsilon'],
  kind: 'nonlinear',
  reduction: (s) => s.L,
  flops: (s) => 9 * s.P * s.R * s.L,
  reference({ x, target, losses, xBar }, s, { epsilon }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, tp, loss, out] = [x(p), target(p), losses(p), xBar(p)];
      for (let r = 0; r < s.R; r++) {
        const [from, to] = [r * s.L, (r + 1) * s.L];
        let [xx, tt, xt] = [0, 0, 0];
        for (let i = from; i < to; i++) {
          xx += xp[i] * xp[i];
          tt += tp[i] * tp[i];
          xt += xp[i] * tp[i];
        }
        const d = Math.sqrt(xx) * Math.sqrt(tt) + epsilon;
        const byX = xx > 0 ? ((xt / Math.sqrt(xx)) * (Math.sqrt(tt) / d)) / d : 0;
        loss[r] = 1 - xt / d;
        for (let i = from; i < to; i++) out[i] = byX * xp[i] - tp[i] / d;
      }
    }
  },
};

/** The distance of every row, and its gradient with respect to x. */
export function match(
  r: Recorder,
  { x, target }: { x: View; target: View },
  epsilon: number,
  into: { losses?: View; xBar?: View } = {},
): { losses: View; xBar: View } {
  const op = matchKernel.name;
  expectRank(op, 'x', x, 'R L');
  expectShape(op, 'target', target, x.shape, 'because x has that shape');
  const P = population(op, { x, target });
  const [R, L] = x.shape;
  const losses = destination(r, op, 'losses', P, [R], { into: into.losses });
  const xBar = destination(r, op, 'xBar', P, x.shape, { into: into.xBar });
  const operands = { x, target, losses, xBar };
  r.push({ kernel: matchKernel, operands, sizes: { P, R, L }, constants: { epsilon }, accumulate: false });
  return { losses, xBar };
}

/** Rows of numbers of both signs, row `zero` of 0. */
const rowsBut = (R: number, L: number, zero: number): Fill => ({
  kind: 'values',
  values: () =>
    Array.from({ length: R * L }, (_, i) => (Math.floor(i / L) === zero ? 0 : Math.sin(i * i + zero))),
});

export const cases: readonly OpCase[] = [
  { P: 1, R: 6, L: 25 },
  { P: 3, R: 10, L: 84, targetShared: true },
  { P: 2, R: 1, L: 40_000 },
  { P: 1, R: 4, L: 9, zeros: true },
  { P: 1, R: 5, L: 4099 },
  { P: 10, R: 128, L: 1152, bench: true },
].map(({ P, R, L, targetShared, zeros, bench }) => ({
  name: `rowcosine.match P=${P} ${R}x${L}${targetShared ? ' target shared' : ''}${zeros ? ' rows of zeros' : ''}`,
  bench,
  fill: zeros ? { x: rowsBut(R, L, 1), target: rowsBut(R, L, 2) } : undefined,
  record(r: Recorder) {
    const target = r.external('target', targetShared ? 1 : P, [R, L]);
    const into = { losses: r.external('losses', P, [R]), xBar: r.external('xBar', P, [R, L]) };
    match(r, { x: r.external('x', P, [R, L]), target }, 1e-6, into);
  },
}));
