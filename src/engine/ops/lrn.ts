import { LimbeckError } from '../../util/errors.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Local response normalisation over channels (Krizhevsky et al. 2012, section 3.3, with PyTorch's window and its
 * alpha divided by the window's width), element by element of a map. With `a = alpha / size` and the window
 * `W(i) = i - floor(size / 2) .. i + floor((size - 1) / 2)`, cut off at the first and last channel:
 *
 *     d[i] = k + a sum over j in W(i) of x[j]^2          y[i] = x[i] d[i]^-beta
 *     dDot[i] = 2 a sum over j in W(i) of x[j] xDot[j]   yDot[i] = d[i]^-beta (xDot[i] - beta x[i] dDot[i] / d[i])
 *     xBar[j] = yBar[j] d[j]^-beta - 2 beta a x[j] sum over i with j in W(i) of t[i],   t = yBar x d^-beta / d
 *     xBarDot = the tangent of xBar, by the product rule: two window sums, of t and of tDot
 *
 * x, y, d and all their derivatives `[N, C, ...map]`. The cut-off channels count as zero, and the sum is divided by
 * `size` all the same.
 */
export interface LrnGeometry {
  /** Channels in the window. */
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  /** What d is where x is zero; above 0, so that every power exists. */
  readonly k: number;
}

const sizes = ['P', 'N', 'C', 'S', 'window'] as const;
const outputs = (s: Sizes) => s.P * s.N * s.C * s.S;

/** Sums `term` over channels c - before .. c + after of the map that element `i` is in. */
function windowSum(s: Sizes, i: number, before: number, after: number, term: (j: number) => number): number {
  const c = Math.floor(i / s.S) % s.C;
  let sum = 0;
  for (let j = Math.max(0, c - before); j <= Math.min(s.C - 1, c + after); j++)
    sum += term(i + (j - c) * s.S);
  return sum;
}
const half = (s: Sizes) => [Math.floor(s.window / 2), Math.floor((s.window - 1) / 2)];
/** Over W(i). */
const over = (s: Sizes, i: number, term: (j: number) => number) => {
  const [before, after] = half(s);
  return windowSum(s, i, before, after, term);
};
/** Over all i with j in W(i). */
const overTransposed = (s: Sizes, j: number, term: (i: number) => number) => {
  const [before, after] = half(s);
  return windowSum(s, j, after, before, term);
};

export const forwardKernel: Kernel = {
  name: 'lrn.forward',
  operands: { x: 'read', y: 'write', d: 'write' },
  sizes,
  constants: ['alpha', 'beta', 'k'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.window,
  flops: (s) => outputs(s) * (2 * s.window + 4),
  reference({ x, y, d }, s, { alpha, beta, k }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, dp] = [x(p), y(p), d(p)];
      for (let i = 0; i < xp.length; i++) {
        dp[i] = k + (alpha / s.window) * over(s, i, (j) => xp[j] * xp[j]);
        yp[i] = xp[i] * dp[i] ** -beta;
      }
    }
  },
};

export const tangentKernel: Kernel = {
  name: 'lrn.tangent',
  operands: { x: 'read', d: 'read', xDot: 'read', yDot: 'write', dDot: 'write' },
  sizes,
  constants: ['alpha', 'beta'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.window,
  flops: (s) => outputs(s) * (2 * s.window + 7),
  reference({ x, d, xDot, yDot, dDot }, s, { alpha, beta }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, dp, xDotP, yDotP, dDotP] = [x(p), d(p), xDot(p), yDot(p), dDot(p)];
      for (let i = 0; i < xp.length; i++) {
        dDotP[i] = 2 * (alpha / s.window) * over(s, i, (j) => xp[j] * xDotP[j]);
        yDotP[i] = dp[i] ** -beta * (xDotP[i] - (beta * xp[i] * dDotP[i]) / dp[i]);
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'lrn.backward',
  operands: { x: 'read', d: 'read', yBar: 'read', xBar: 'write' },
  sizes,
  constants: ['alpha', 'beta'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.window,
  flops: (s) => outputs(s) * (s.window + 9),
  reference({ x, d, yBar, xBar }, s, { alpha, beta }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, dp, yBarP, xBarP] = [x(p), d(p), yBar(p), xBar(p)];
      const t = xp.map((value, i) => yBarP[i] * value * dp[i] ** (-beta - 1));
      for (let j = 0; j < xp.length; j++)
        xBarP[j] =
          yBarP[j] * dp[j] ** -beta -
          2 * beta * (alpha / s.window) * xp[j] * overTransposed(s, j, (i) => t[i]);
    }
  },
};

export const tangentBackwardKernel: Kernel = {
  name: 'lrn.tangentBackward',
  operands: {
    x: 'read',
    d: 'read',
    yBar: 'read',
    xDot: 'read',
    dDot: 'read',
    yBarDot: 'optional',
    xBarDot: 'write',
  },
  sizes,
  constants: ['alpha', 'beta'],
  cuts: { images: { sizes: ['N'] } },
  kind: 'nonlinear',
  reduction: (s) => s.window,
  flops: (s) => outputs(s) * (2 * s.window + 20),
  reference({ x, d, yBar, xDot, dDot, yBarDot, xBarDot }, s, { alpha, beta }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, dp, yBarP, xDotP, dDotP] = [x(p), d(p), yBar(p), xDot(p), dDot(p)];
      const [yBarDotP, xBarDotP] = [yBarDot?.(p), xBarDot(p)];
      const bar = (i: number) => yBarDotP?.[i] ?? 0;
      const t = xp.map((value, i) => yBarP[i] * value * dp[i] ** (-beta - 1));
      const tDot = xp.map(
        (value, i) =>
          dp[i] ** (-beta - 1) *
          (bar(i) * value + yBarP[i] * xDotP[i] - ((beta + 1) * yBarP[i] * value * dDotP[i]) / dp[i]),
      );
      for (let j = 0; j < xp.length; j++)
        xBarDotP[j] =
          dp[j] ** -beta * (bar(j) - (beta * yBarP[j] * dDotP[j]) / dp[j]) -
          2 *
            beta *
            (alpha / s.window) *
            (xDotP[j] * overTransposed(s, j, (i) => t[i]) + xp[j] * overTransposed(s, j, (i) => tDot[i]));
    }
  },
};

function sizesOf(op: string, x: View, others: Record<string, View | undefined>, g: LrnGeometry): Sizes {
  if (!Number.isInteger(g.size) || g.size < 1 || !(g.alpha >= 0) || !(g.k > 0) || !Number.isFinite(g.beta))
    throw new LimbeckError(
      'ERR_OPTION',
      `${op}: size ${g.size}, alpha ${g.alpha}, beta ${g.beta}, k ${g.k}: expected whole size >= 1, alpha >= 0, finite beta, k > 0`,
    );
  if (x.shape.length < 2) expectRank(op, 'x', x, 'N C H W');
  for (const [name, view] of Object.entries(others)) if (view) expectSameLength(op, name, view, 'x', x);
  const [N, C, ...map] = x.shape;
  return { P: population(op, { x, ...others }), N, C, S: elements(map), window: g.size };
}

/** The normalised maps, and the divisors d that the other passes read. */
export function forward(
  r: Recorder,
  { x }: { x: View },
  geometry: LrnGeometry,
  into: { y?: View; d?: View } = {},
): { y: View; d: View } {
  const op = forwardKernel.name;
  const s = sizesOf(op, x, {}, geometry);
  const y = destination(r, op, 'y', s.P, x.shape, { into: into.y });
  const d = destination(r, op, 'd', s.P, x.shape, { into: into.d });
  const { alpha, beta, k } = geometry;
  const operands = { x, y, d };
  r.push({ kernel: forwardKernel, operands, sizes: s, constants: { alpha, beta, k }, accumulate: false });
  return { y, d };
}

/** yDot, and the tangent of d that `tangentBackward` reads. */
export function tangent(
  r: Recorder,
  { x, d, xDot }: { x: View; d: View; xDot: View },
  geometry: LrnGeometry,
  into: { yDot?: View; dDot?: View } = {},
): { yDot: View; dDot: View } {
  const op = tangentKernel.name;
  const s = sizesOf(op, x, { d, xDot }, geometry);
  const yDot = destination(r, op, 'yDot', s.P, x.shape, { into: into.yDot });
  const dDot = destination(r, op, 'dDot', s.P, x.shape, { into: into.dDot });
  const { alpha, beta } = geometry;
  const operands = { x, d, xDot, yDot, dDot };
  r.push({ kernel: tangentKernel, operands, sizes: s, constants: { alpha, beta }, accumulate: false });
  return { yDot, dDot };
}

/** xBar from yBar. */
export function backward(
  r: Recorder,
  { x, d, yBar }: { x: View; d: View; yBar: View },
  geometry: LrnGeometry,
  to: Into = {},
): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, x, { d, yBar }, geometry);
  const xBar = destination(r, op, 'xBar', s.P, x.shape, to);
  const { alpha, beta } = geometry;
  const operands = { x, d, yBar, xBar };
  r.push({ kernel: backwardKernel, operands, sizes: s, constants: { alpha, beta }, accumulate: false });
  return xBar;
}

/** xBarDot; yBarDot is left out where it is zero, and without xDot xBarDot is `backward` of yBarDot. */
export function tangentBackward(
  r: Recorder,
  o: { x: View; d: View; yBar: View; xDot: View; dDot: View; yBarDot?: View },
  geometry: LrnGeometry,
  to: Into = {},
): View {
  const op = tangentBackwardKernel.name;
  const { x, ...others } = o;
  const s = sizesOf(op, x, others, geometry);
  const xBarDot = destination(r, op, 'xBarDot', s.P, x.shape, to);
  const { alpha, beta } = geometry;
  const operands = { ...o, xBarDot };
  r.push({
    kernel: tangentBackwardKernel,
    operands,
    sizes: s,
    constants: { alpha, beta },
    accumulate: false,
  });
  return xBarDot;
}

export const cases: readonly OpCase[] = [
  // Those of AlexCifarNet, then windows of every parity, wider than the channels, other powers, no map.
  { P: 1, shape: [2, 9, 5, 7], size: 4, alpha: 0.001 / 9, beta: 0.75, k: 1 },
  { P: 3, shape: [2, 6, 3, 3], size: 4, alpha: 0.7, beta: 0.75, k: 1, shared: true },
  { P: 2, shape: [1, 5, 13, 11], size: 5, alpha: 1.5, beta: 0.75, k: 2 },
  { P: 1, shape: [2, 3, 4, 5], size: 8, alpha: 2, beta: 1.25, k: 0.5 },
  { P: 1, shape: [3, 4, 6], size: 1, alpha: 1, beta: 0.5, k: 1 },
  { P: 1, shape: [5, 7], size: 3, alpha: 0.3, beta: 1, k: 1 },
  { P: 1, shape: [32, 64, 16, 16], size: 4, alpha: 0.001 / 9, beta: 0.75, k: 1, bench: true },
].flatMap(({ P, shape, shared, bench, ...geometry }): OpCase[] => {
  const name = `P=${P} ${shape.join('x')} size=${geometry.size} beta=${geometry.beta}${shared ? ', x shared' : ''}`;
  const tensor = (r: Recorder, of: string) => r.external(of, P, shape);
  const input = (r: Recorder) => r.external('x', shared ? 1 : P, shape);
  // The divisors come from a forward pass in the same program: they are positive and belong to x.
  const saved = (r: Recorder) => {
    const x = input(r);
    return { x, d: forward(r, { x }, geometry).d };
  };
  const records: Record<string, (r: Recorder) => void> = {
    forward(r) {
      const x = tensor(r, 'x');
      forward(r, { x }, geometry, { y: tensor(r, 'y'), d: tensor(r, 'd') });
    },
    tangent(r) {
      const operands = { ...saved(r), xDot: tensor(r, 'xDot') };
      tangent(r, operands, geometry, { yDot: tensor(r, 'yDot'), dDot: tensor(r, 'dDot') });
    },
    backward(r) {
      backward(r, { ...saved(r), yBar: tensor(r, 'yBar') }, geometry, { into: tensor(r, 'xBar') });
    },
    tangentBackward(r) {
      const first = { ...saved(r), xDot: tensor(r, 'xDot') };
      const { dDot } = tangent(r, first, geometry);
      const operands = { ...first, dDot, yBar: tensor(r, 'yBar'), yBarDot: tensor(r, 'yBarDot') };
      tangentBackward(r, operands, geometry, { into: tensor(r, 'xBarDot') });
      tangentBackward(r, { ...operands, yBarDot: undefined }, geometry, { into: tensor(r, 'noBarDot') });
    },
  };
  return Object.entries(records).map(([pass, record]) => ({ name: `lrn.${pass} ${name}`, bench, record }));
});
