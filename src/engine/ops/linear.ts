import { shapeText } from '../../util/errors.js';
import { type Kernel, pairCount, pairsOf, type Sizes } from '../kernel.js';
import {
  destination,
  expectLike,
  expectRank,
  expectShape,
  type Into,
  type OpCase,
  population,
} from '../op.js';
import type { Recorder } from '../program.js';
import type { Step } from '../step.js';
import type { View } from '../view.js';

/**
 * Fully connected layer: `y[n,o] = b[o] + sum over i of x[n,i] * w[o,i]`.
 *
 * x `[N, I]`, w `[O, I]`, b `[O]`, y `[N, O]`. Bilinear in (x, w).
 */
const sizes = ['P', 'N', 'I', 'O'] as const;
const multiplyAdds = (s: Sizes, operands: Step['operands']) =>
  pairCount(operands) * 2 * s.P * s.N * s.I * s.O;

export const forwardKernel: Kernel = {
  name: 'linear.forward',
  operands: { x: 'read', w: 'read', x2: 'optional', w2: 'optional', b: 'optional', y: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'w2', 'b'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.I + 1,
  flops: multiplyAdds,
  reference({ x, w, x2, w2, b, y }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const yp = y(p);
      const pairs = pairsOf(p, [x, w], [x2, w2]);
      for (let n = 0; n < s.N; n++)
        for (let o = 0; o < s.O; o++) {
          let sum = b ? b(p)[o] : 0;
          for (const [xp, wp] of pairs)
            for (let i = 0; i < s.I; i++) sum += xp[n * s.I + i] * wp[o * s.I + i];
          yp[n * s.O + o] = (accumulate ? yp[n * s.O + o] : 0) + sum;
        }
    }
  },
};

export const backwardInputKernel: Kernel = {
  name: 'linear.backwardInput',
  operands: { yBar: 'read', w: 'read', yBar2: 'optional', w2: 'optional', xBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'w2'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.O + 1,
  flops: multiplyAdds,
  reference({ yBar, w, yBar2, w2, xBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const xp = xBar(p);
      const pairs = pairsOf(p, [yBar, w], [yBar2, w2]);
      for (let n = 0; n < s.N; n++)
        for (let i = 0; i < s.I; i++) {
          let sum = 0;
          for (const [yp, wp] of pairs)
            for (let o = 0; o < s.O; o++) sum += yp[n * s.O + o] * wp[o * s.I + i];
          xp[n * s.I + i] = (accumulate ? xp[n * s.I + i] : 0) + sum;
        }
    }
  },
};

export const backwardWeightKernel: Kernel = {
  name: 'linear.backwardWeight',
  operands: { x: 'read', yBar: 'read', x2: 'optional', yBar2: 'optional', wBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], sums: ['wBar'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.N + 1,
  flops: multiplyAdds,
  reference({ x, yBar, x2, yBar2, wBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const wp = wBar(p);
      const pairs = pairsOf(p, [x, yBar], [x2, yBar2]);
      for (let o = 0; o < s.O; o++)
        for (let i = 0; i < s.I; i++) {
          let sum = 0;
          for (const [xp, yp] of pairs)
            for (let n = 0; n < s.N; n++) sum += yp[n * s.O + o] * xp[n * s.I + i];
          wp[o * s.I + i] = (accumulate ? wp[o * s.I + i] : 0) + sum;
        }
    }
  },
};

/** y = x wᵀ + b, and where there is a second pair of factors their product on top. */
export function forward(
  r: Recorder,
  { x, w, b, second }: { x: View; w: View; b?: View; second?: { x: View; w: View } },
  to: Into = {},
): View {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'N I');
  expectRank(op, 'w', w, 'O I');
  const [N, I] = x.shape;
  const O = w.shape[0];
  expectShape(op, 'w', w, [O, I], `(O, I) because x is ${shapeText(x.shape)}`);
  if (b) expectShape(op, 'b', b, [O], `because w is ${shapeText(w.shape)}`);
  const { x: x2, w: w2 } = second ?? {};
  expectLike(op, { x, w }, { x: x2, w: w2 });
  const P = population(op, { x, w, x2, w2, b });
  const y = destination(r, op, 'y', P, [N, O], to);
  const accumulate = to.accumulate ?? false;
  r.push({
    kernel: forwardKernel,
    operands: { x, w, x2, w2, b, y },
    sizes: { P, N, I, O },
    constants: {},
    accumulate,
  });
  return y;
}

/** xBar = yBar w; a second pair of factors adds its own. */
export function backwardInput(
  r: Recorder,
  { yBar, w, second }: { yBar: View; w: View; second?: { yBar: View; w: View } },
  to: Into = {},
): View {
  const op = backwardInputKernel.name;
  expectRank(op, 'yBar', yBar, 'N O');
  expectRank(op, 'w', w, 'O I');
  const [N, O] = yBar.shape;
  const I = w.shape[1];
  expectShape(op, 'w', w, [O, I], `(O, I) because yBar is ${shapeText(yBar.shape)}`);
  const { yBar: yBar2, w: w2 } = second ?? {};
  expectLike(op, { yBar, w }, { yBar: yBar2, w: w2 });
  const P = population(op, { yBar, w, yBar2, w2 });
  const xBar = destination(r, op, 'xBar', P, [N, I], to);
  const accumulate = to.accumulate ?? false;
  r.push({
    kernel: backwardInputKernel,
    operands: { yBar, w, yBar2, w2, xBar },
    sizes: { P, N, I, O },
    constants: {},
    accumulate,
  });
  return xBar;
}

/** wBar = yBarᵀ x, summed over the batch; a second pair of factors adds its own. */
export function backwardWeight(
  r: Recorder,
  { x, yBar, second }: { x: View; yBar: View; second?: { x: View; yBar: View } },
  to: Into = {},
): View {
  const op = backwardWeightKernel.name;
  expectRank(op, 'x', x, 'N I');
  expectRank(op, 'yBar', yBar, 'N O');
  const [N, I] = x.shape;
  const O = yBar.shape[1];
  expectShape(op, 'yBar', yBar, [N, O], `(N, O) because x is ${shapeText(x.shape)}`);
  const { x: x2, yBar: yBar2 } = second ?? {};
  expectLike(op, { x, yBar }, { x: x2, yBar: yBar2 });
  const P = population(op, { x, yBar, x2, yBar2 });
  const wBar = destination(r, op, 'wBar', P, [O, I], to);
  const accumulate = to.accumulate ?? false;
  r.push({
    kernel: backwardWeightKernel,
    operands: { x, yBar, x2, yBar2, wBar },
    sizes: { P, N, I, O },
    constants: {},
    accumulate,
  });
  return wBar;
}

interface CaseShape {
  P: number;
  N: number;
  I: number;
  O: number;
  shared?: 'first' | 'second';
  accumulate?: boolean;
  /** A second pair of factors, in which the other operand is the shared one. */
  paired?: boolean;
  bench?: boolean;
}

function casesOf({ P, N, I, O, shared, accumulate, paired, bench }: CaseShape): OpCase[] {
  const first = shared === 'first' ? 1 : P;
  const second = shared === 'second' ? 1 : P;
  const name = `P=${P} N=${N} ${I} -> ${O}${shared ? ` ${shared} shared` : ''}${paired ? ' paired' : ''}${accumulate ? ' accumulate' : ''}`;
  return [
    {
      name: `linear.forward ${name}`,
      bench,
      record(r) {
        const x = r.external('x', first, [N, I]);
        const w = r.external('w', second, [O, I]);
        const b = accumulate ? undefined : r.external('b', second, [O]);
        const more = paired
          ? { x: r.external('x2', second, [N, I]), w: r.external('w2', first, [O, I]) }
          : undefined;
        forward(r, { x, w, b, second: more }, { into: r.external('y', P, [N, O]), accumulate });
      },
    },
    {
      name: `linear.backwardInput ${name}`,
      bench,
      record(r) {
        const yBar = r.external('yBar', first, [N, O]);
        const w = r.external('w', second, [O, I]);
        const more = paired
          ? {
              yBar: r.external('yBar2', second, [N, O]),
              w: r.external('w2', first, [O, I]),
            }
          : undefined;
        backwardInput(r, { yBar, w, second: more }, { into: r.external('xBar', P, [N, I]), accumulate });
      },
    },
    {
      name: `linear.backwardWeight ${name}`,
      bench,
      record(r) {
        const x = r.external('x', first, [N, I]);
        const yBar = r.external('yBar', second, [N, O]);
        const more = paired
          ? {
              x: r.external('x2', second, [N, I]),
              yBar: r.external('yBar2', first, [N, O]),
            }
          : undefined;
        backwardWeight(r, { x, yBar, second: more }, { into: r.external('wBar', P, [O, I]), accumulate });
      },
    },
  ];
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 1, I: 1, O: 1 },
  { P: 1, N: 10, I: 400, O: 120 },
  { P: 1, N: 67, I: 84, O: 10 },
  { P: 3, N: 7, I: 19, O: 33, shared: 'first' as const },
  { P: 3, N: 10, I: 37, O: 5, shared: 'second' as const },
  { P: 2, N: 9, I: 23, O: 18, accumulate: true },
  { P: 1, N: 10, I: 400, O: 120, paired: true, bench: true },
  { P: 2, N: 67, I: 37, O: 18, paired: true, accumulate: true },
  { P: 3, N: 7, I: 19, O: 33, shared: 'first' as const, paired: true },
  { P: 3, N: 50, I: 21, O: 9, shared: 'second' as const, paired: true },
  { P: 20, N: 3, I: 7, O: 5, shared: 'first' as const },
  { P: 1, N: 1024, I: 400, O: 120, bench: true },
  { P: 1, N: 1024, I: 120, O: 84, bench: true },
].flatMap(casesOf);
