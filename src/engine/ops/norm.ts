import { LimbeckError } from '../../util/errors.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectSameLength, expectShape, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Group norm (Wu and He 2018; instance and layer norm are its extremes) and batch norm (Ioffe and Szegedy 2015) are one op: what
 * differs is which elements share a mean. With `m` the mean over a group, `inv = 1 / sqrt(variance + eps)` (the biased
 * variance, two passes), gamma and beta per channel:
 *
 *     forward           n = (x - m(x)) inv,   y = gamma n + beta
 *     tangent           nDot = inv (xDot - m(xDot) - n m(n xDot)),   yDot = gamma nDot + gammaDot n + betaDot
 *     backward          d = gamma yBar,   xBar = inv (d - m(d) - n m(d n))
 *     tangentBackward   dDot = gammaDot yBar + gamma yBarDot,
 *                       xBarDot = -inv m(n xDot) xBar + inv (dDot - m(dDot) - nDot m(d n) - n m(dDot n + d nDot))
 *
 * With given statistics (`frozen`) these are constants of the derivative: every m(...) but m(x) is zero.
 *
 * x, y and their derivatives `[N, C, ...map]`; gamma, beta `[C]`. `saved` `[2 groups + C]` holds what the other passes
 * read, means, variances and gamma, and `savedDot` m(xDot), m(n xDot) and gammaDot. The two backward passes also
 * give, per sample and channel, the sums over the map that gamma's and beta's gradients are made of: `sums`
 * `[2, N, C]`, yBar n and yBar (or their tangents); `bias.backward` adds each up over the batch.
 *
 * Group (a, b) of A times B holds the elements `((a S + s) B + b) L + l`, and element i has channel `i / map mod C`.
 */
export interface NormGeometry {
  /** Into how many groups of channels a sample is cut; `batch`: a group is a channel of the whole batch. */
  readonly groups: number | 'batch';
  /** Added to the variance, 1e-5 in PyTorch. */
  readonly eps: number;
}

const sizes = ['P', 'A', 'S', 'B', 'L', 'C', 'map', 'frozen'] as const;
const constants = ['eps'] as const;
const elementsOf = (s: Sizes) => s.P * s.A * s.S * s.B * s.L;
/** Where every channel of every image is a group (A = N, B = C) a strip may have some of them. */
const perChannel = ['gamma', 'beta', 'gammaDot', 'betaDot'];
const placed = ['saved', 'savedDot', 'sums', 'sumsDot'];
const cuts = { planes: { channels: ['B', 'C'], images: ['A'], perChannel, placed } };
const common = { sizes, constants, cuts, kind: 'nonlinear', reduction: (s: Sizes) => s.S * s.L } as const;

const groupOf = (s: Sizes, i: number) => {
  const piece = Math.floor(i / s.L);
  return Math.floor(piece / (s.S * s.B)) * s.B + (piece % s.B);
};
const channelOf = (s: Sizes, i: number) => Math.floor(i / s.map) % s.C;

/** Means of `term` over each group. */
function means(s: Sizes, term: (i: number) => number): Float64Array {
  const sums = new Float64Array(s.A * s.B);
  for (let i = 0; i < s.A * s.S * s.B * s.L; i++) sums[groupOf(s, i)] += term(i);
  return sums.map((sum) => sum / (s.S * s.L));
}
/** Means that are zero where the statistics are given and so do not depend on x. */
const meansOfDerivative = (s: Sizes, term: (i: number) => number) =>
  s.frozen ? new Float64Array(s.A * s.B) : means(s, term);

/** Sums of `term` over the map of each sample and channel, from element `start` of `into` on. */
function sumMaps(s: Sizes, into: { [i: number]: number }, start: number, term: (i: number) => number): void {
  const maps = (s.A * s.S * s.B * s.L) / s.map;
  for (let q = 0; q < maps; q++) {
    let sum = 0;
    for (let i = q * s.map; i < (q + 1) * s.map; i++) sum += term(i);
    into[start + q] = sum;
  }
}

/** n, the inverse deviation and gamma of element i, from what a forward pass saved. */
function reader(s: Sizes, x: ArrayLike<number>, saved: ArrayLike<number>, eps: number) {
  const G = s.A * s.B;
  const inv = (i: number) => 1 / Math.sqrt(saved[G + groupOf(s, i)] + eps);
  return {
    inv,
    n: (i: number) => (x[i] - saved[groupOf(s, i)]) * inv(i),
    gamma: (i: number) => saved[2 * G + channelOf(s, i)],
  };
}

export const forwardKernel: Kernel = {
  ...common,
  name: 'norm.forward',
  operands: { x: 'read', gamma: 'read', beta: 'read', y: 'write', saved: 'write' },
  flops: (s) => 7 * elementsOf(s),
  reference({ x, gamma, beta, y, saved }, s, { eps }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, gp, bp, yp, sp] = [x(p), gamma(p), beta(p), y(p), saved(p)];
      const mean = means(s, (i) => xp[i]);
      sp.set([...mean, ...means(s, (i) => (xp[i] - mean[groupOf(s, i)]) ** 2), ...gp]);
      const { n } = reader(s, xp, sp, eps);
      for (let i = 0; i < xp.length; i++) yp[i] = gp[channelOf(s, i)] * n(i) + bp[channelOf(s, i)];
    }
  },
};

export const forwardFrozenKernel: Kernel = {
  ...common,
  name: 'norm.forwardFrozen',
  cuts: undefined,
  operands: { x: 'read', statistics: 'read', gamma: 'read', beta: 'read', y: 'write', saved: 'write' },
  reduction: () => 1,
  flops: (s) => 3 * elementsOf(s),
  reference({ x, statistics, gamma, beta, y, saved }, s, { eps }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, gp, bp, yp, sp] = [x(p), gamma(p), beta(p), y(p), saved(p)];
      sp.set([...statistics(p), ...gp]);
      const { n } = reader(s, xp, sp, eps);
      for (let i = 0; i < xp.length; i++) yp[i] = gp[channelOf(s, i)] * n(i) + bp[channelOf(s, i)];
    }
  },
};

export const tangentKernel: Kernel = {
  ...common,
  name: 'norm.tangent',
  operands: {
    x: 'read',
    saved: 'read',
    xDot: 'optional',
    gammaDot: 'read',
    betaDot: 'read',
    yDot: 'write',
    savedDot: 'write',
  },
  flops: (s) => 9 * elementsOf(s),
  reference({ x, saved, xDot, gammaDot, betaDot, yDot, savedDot }, s, { eps }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, gp, bp, yp, sp] = [x(p), gammaDot(p), betaDot(p), yDot(p), savedDot(p)];
      const xDotP = xDot?.(p) ?? new Float64Array(xp.length);
      const { n, inv, gamma } = reader(s, xp, saved(p), eps);
      const mean = meansOfDerivative(s, (i) => xDotP[i]);
      const slope = meansOfDerivative(s, (i) => n(i) * xDotP[i]);
      sp.set([...mean, ...slope, ...gp]);
      for (let i = 0; i < xp.length; i++) {
        const [g, c] = [groupOf(s, i), channelOf(s, i)];
        const nDot = inv(i) * (xDotP[i] - mean[g] - n(i) * slope[g]);
        yp[i] = gamma(i) * nDot + gp[c] * n(i) + bp[c];
      }
    }
  },
};

export const backwardKernel: Kernel = {
  ...common,
  name: 'norm.backward',
  operands: { x: 'read', saved: 'read', yBar: 'read', xBar: 'write', sums: 'write' },
  inPlaceOf: { xBar: 'x' },
  flops: (s) => 10 * elementsOf(s),
  reference({ x, saved, yBar, xBar, sums }, s, { eps }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, xBarP, sumsP] = [x(p), yBar(p), xBar(p), sums(p)];
      const { n, inv, gamma } = reader(s, xp, saved(p), eps);
      const mean = meansOfDerivative(s, (i) => gamma(i) * yp[i]);
      const slope = meansOfDerivative(s, (i) => gamma(i) * yp[i] * n(i));
      for (let i = 0; i < xp.length; i++) {
        const g = groupOf(s, i);
        xBarP[i] = inv(i) * (gamma(i) * yp[i] - mean[g] - n(i) * slope[g]);
      }
      sumMaps(s, sumsP, 0, (i) => yp[i] * n(i));
      sumMaps(s, sumsP, xp.length / s.map, (i) => yp[i]);
    }
  },
};

export const tangentBackwardKernel: Kernel = {
  ...common,
  name: 'norm.tangentBackward',
  operands: {
    x: 'read',
    saved: 'read',
    yBar: 'read',
    xDot: 'optional',
    savedDot: 'read',
    yBarDot: 'optional',
    xBarDot: 'write',
    sumsDot: 'write',
  },
  inPlaceOf: { xBarDot: 'x' },
  flops: (s) => 24 * elementsOf(s),
  reference({ x, saved, yBar, xDot, savedDot, yBarDot, xBarDot, sumsDot }, s, { eps }) {
    const G = s.A * s.B;
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, sp, xBarDotP, sumsP] = [x(p), yBar(p), savedDot(p), xBarDot(p), sumsDot(p)];
      const xDotP = xDot?.(p) ?? new Float64Array(xp.length);
      const yBarDotP = yBarDot?.(p) ?? new Float64Array(xp.length);
      const { n, inv, gamma } = reader(s, xp, saved(p), eps);
      const slopeOfX = (i: number) => sp[G + groupOf(s, i)];
      const nDot = (i: number) => inv(i) * (xDotP[i] - sp[groupOf(s, i)] - n(i) * slopeOfX(i));
      const d = (i: number) => gamma(i) * yp[i];
      const dDot = (i: number) => sp[2 * G + channelOf(s, i)] * yp[i] + gamma(i) * yBarDotP[i];
      const mean = meansOfDerivative(s, d);
      const slope = meansOfDerivative(s, (i) => d(i) * n(i));
      const meanDot = meansOfDerivative(s, dDot);
      const slopeDot = meansOfDerivative(s, (i) => dDot(i) * n(i) + d(i) * nDot(i));
      for (let i = 0; i < xp.length; i++) {
        const g = groupOf(s, i);
        const xBar = inv(i) * (d(i) - mean[g] - n(i) * slope[g]);
        const product = dDot(i) - meanDot[g] - nDot(i) * slope[g] - n(i) * slopeDot[g];
        xBarDotP[i] = inv(i) * (product - slopeOfX(i) * xBar);
      }
      sumMaps(s, sumsP, 0, (i) => yBarDotP[i] * n(i) + yp[i] * nDot(i));
      sumMaps(s, sumsP, xp.length / s.map, (i) => yBarDotP[i]);
    }
  },
};

function sizesOf(op: string, x: View, { groups, eps }: NormGeometry, frozen: boolean) {
  if (x.shape.length < 2) expectRank(op, 'x', x, 'N C H W');
  const [N, C, ...rest] = x.shape;
  if (groups !== 'batch' && !(Number.isInteger(groups) && groups >= 1 && C % groups === 0))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: ${groups} groups, expected a divisor of the ${C} channels of x`,
    );
  if (!(eps > 0)) throw new LimbeckError('ERR_OPTION', `${op}: eps is ${eps}, expected more than 0`);
  const map = elements(rest);
  const cut =
    groups === 'batch' ? { A: 1, S: N, B: C, L: map } : { A: N, S: 1, B: groups, L: (C / groups) * map };
  return { ...cut, C, map, frozen: frozen ? 1 : 0 };
}

/** Groups of x `[N, C, ...map]`: means and variances in `saved`. */
const groupsOf = (xShape: readonly number[], { groups }: NormGeometry): number =>
  groups === 'batch' ? xShape[1] : xShape[0] * groups;

/**
 * y and what the other passes read. With `statistics` `[2, groups]`, means and then biased variances, it normalises by
 * these; else by those of x, which are then the first `2 groups` elements of `saved`.
 */
export function forward(
  r: Recorder,
  o: { x: View; gamma: View; beta: View; statistics?: View },
  geometry: NormGeometry,
  into: { y?: View; saved?: View } = {},
): { y: View; saved: View } {
  const { x, statistics, gamma, beta } = o;
  const kernel = statistics ? forwardFrozenKernel : forwardKernel;
  const op = kernel.name;
  const cut = sizesOf(op, x, geometry, !!statistics);
  const groups = cut.A * cut.B;
  for (const [name, view] of Object.entries({ gamma, beta }))
    expectShape(op, name, view, [cut.C], 'because x has that many channels');
  if (statistics) expectShape(op, 'statistics', statistics, [2, groups], '(means and variances)');
  const s = { P: population(op, { ...o }), ...cut };
  const y = destination(r, op, 'y', s.P, x.shape, { into: into.y });
  const saved = destination(r, op, 'saved', s.P, [2 * groups + cut.C], { into: into.saved });
  const operands = statistics ? { x, statistics, gamma, beta, y, saved } : { x, gamma, beta, y, saved };
  r.push({ kernel, operands, sizes: s, constants: { eps: geometry.eps }, accumulate: false });
  return { y, saved };
}

/** How a derivative reads a forward pass: whether its statistics were given. */
export interface SavedGeometry extends NormGeometry {
  readonly frozen: boolean;
}

/** yDot, and what `tangentBackward` reads; xDot is left out where the input has no tangent. */
export function tangent(
  r: Recorder,
  o: { x: View; saved: View; xDot?: View; gammaDot: View; betaDot: View },
  geometry: SavedGeometry,
  into: { yDot?: View; savedDot?: View } = {},
): { yDot: View; savedDot: View } {
  const op = tangentKernel.name;
  const s = { P: population(op, { ...o }), ...sizesOf(op, o.x, geometry, geometry.frozen) };
  if (o.xDot) expectSameLength(op, 'xDot', o.xDot, 'x', o.x);
  const yDot = destination(r, op, 'yDot', s.P, o.x.shape, { into: into.yDot });
  const savedDot = destination(r, op, 'savedDot', s.P, o.saved.shape, { into: into.savedDot });
  const operands = { ...o, yDot, savedDot };
  r.push({ kernel: tangentKernel, operands, sizes: s, constants: { eps: geometry.eps }, accumulate: false });
  return { yDot, savedDot };
}

/** xBar, and the sums for gamma's and beta's gradients. */
export function backward(
  r: Recorder,
  o: { x: View; saved: View; yBar: View },
  geometry: SavedGeometry,
  into: { xBar?: View; sums?: View } = {},
): { xBar: View; sums: View } {
  const op = backwardKernel.name;
  const s = { P: population(op, { ...o }), ...sizesOf(op, o.x, geometry, geometry.frozen) };
  expectSameLength(op, 'yBar', o.yBar, 'x', o.x);
  const xBar = destination(r, op, 'xBar', s.P, o.x.shape, { into: into.xBar });
  const sums = destination(r, op, 'sums', s.P, [2, o.x.shape[0], s.C], { into: into.sums });
  const constants = { eps: geometry.eps };
  r.push({ kernel: backwardKernel, operands: { ...o, xBar, sums }, sizes: s, constants, accumulate: false });
  return { xBar, sums };
}

/** xBarDot, and the tangents of the sums; xDot and yBarDot are left out where they are zero. */
export function tangentBackward(
  r: Recorder,
  o: { x: View; saved: View; yBar: View; xDot?: View; savedDot: View; yBarDot?: View },
  geometry: SavedGeometry,
  into: { xBarDot?: View; sumsDot?: View } = {},
): { xBarDot: View; sumsDot: View } {
  const op = tangentBackwardKernel.name;
  const s = { P: population(op, { ...o }), ...sizesOf(op, o.x, geometry, geometry.frozen) };
  for (const [name, view] of Object.entries({ yBar: o.yBar, xDot: o.xDot, yBarDot: o.yBarDot }))
    if (view) expectSameLength(op, name, view, 'x', o.x);
  const xBarDot = destination(r, op, 'xBarDot', s.P, o.x.shape, { into: into.xBarDot });
  const sumsDot = destination(r, op, 'sumsDot', s.P, [2, o.x.shape[0], s.C], { into: into.sumsDot });
  const operands = { ...o, xBarDot, sumsDot };
  const constants = { eps: geometry.eps };
  r.push({ kernel: tangentBackwardKernel, operands, sizes: s, constants, accumulate: false });
  return { xBarDot, sumsDot };
}

interface Example {
  readonly P: number;
  readonly shape: number[];
  readonly groups: number | 'batch';
  readonly frozen?: boolean;
  /** x has one member, and no tangent comes with it. */
  readonly shared?: boolean;
  readonly bench?: boolean;
  /** How x is filled, unless with random numbers. */
  readonly value?: (i: number) => number;
  readonly note?: string;
}
const farFromZero = (i: number) => 300 + 0.2 * Math.sin(i * i);
const examples: readonly Example[] = [
  { P: 1, shape: [2, 4, 8, 8], groups: 4 },
  { P: 3, shape: [2, 3, 5, 7], groups: 3, shared: true },
  { P: 2, shape: [3, 6, 3, 3], groups: 2 },
  { P: 1, shape: [2, 5, 7, 9], groups: 1 },
  { P: 3, shape: [5, 3, 4, 5], groups: 'batch' },
  { P: 2, shape: [7, 5], groups: 'batch' },
  { P: 1, shape: [3, 70], groups: 2 },
  { P: 1, shape: [1, 2, 33, 37], groups: 2 },
  { P: 2, shape: [4, 3, 3, 5], groups: 'batch', frozen: true },
  { P: 1, shape: [2, 2, 9, 9], groups: 2, note: 'large mean', value: farFromZero },
  { P: 1, shape: [3, 2, 3, 3], groups: 'batch', note: 'constant', value: () => 0.3 },
  { P: 1, shape: [16, 128, 32, 32], groups: 128, bench: true },
];

export const cases: readonly OpCase[] = examples.flatMap(
  ({ P, shape, groups, frozen = false, shared, bench, value, note }): OpCase[] => {
    const geometry = { groups, eps: 1e-5, frozen };
    const [N, C] = shape;
    const G = groupsOf(shape, geometry);
    const notes = `${frozen ? ' frozen' : ''}${shared ? ', x shared' : ''}${note ? `, ${note}` : ''}`;
    const name = (pass: string) => `norm.${pass} P=${P} ${shape.join('x')} groups=${groups}${notes}`;
    const tensor = (r: Recorder, of: string) => r.external(of, P, shape);
    const channels = (r: Recorder, of: string) => r.external(of, P, [C]);
    const forwardOperands = (r: Recorder) => ({
      x: r.external('x', shared ? 1 : P, shape),
      gamma: channels(r, 'gamma'),
      beta: channels(r, 'beta'),
      statistics: frozen ? r.external('statistics', 1, [2, G]) : undefined,
    });
    const saved = (r: Recorder) => {
      const operands = forwardOperands(r);
      return { x: operands.x, saved: forward(r, operands, geometry).saved };
    };
    const tangents = (r: Recorder) => ({
      ...saved(r),
      xDot: shared ? undefined : tensor(r, 'xDot'),
      gammaDot: channels(r, 'gammaDot'),
      betaDot: channels(r, 'betaDot'),
    });
    const sums = (r: Recorder, of: string) => r.external(of, P, [2, N, C]);
    const records: Record<string, (r: Recorder) => void> = {
      forward(r) {
        const into = { y: tensor(r, 'y'), saved: r.external('saved', P, [2 * G + C]) };
        forward(r, forwardOperands(r), geometry, into);
      },
      tangent(r) {
        const into = { yDot: tensor(r, 'yDot'), savedDot: r.external('savedDot', P, [2 * G + C]) };
        tangent(r, tangents(r), geometry, into);
      },
      backward(r) {
        const operands = { ...saved(r), yBar: tensor(r, 'yBar') };
        backward(r, operands, geometry, { xBar: tensor(r, 'xBar'), sums: sums(r, 'sums') });
      },
      tangentBackward(r) {
        const { gammaDot, betaDot, ...first } = tangents(r);
        const { savedDot } = tangent(r, { ...first, gammaDot, betaDot }, geometry);
        const yBarDot = shared ? undefined : tensor(r, 'yBarDot');
        const operands = { ...first, savedDot, yBar: tensor(r, 'yBar'), yBarDot };
        const into = { xBarDot: tensor(r, 'xBarDot'), sumsDot: sums(r, 'sumsDot') };
        tangentBackward(r, operands, geometry, into);
      },
    };
    const values = value && (() => Array.from({ length: elements(shape) }, (_, i) => value(i)));
    const fill: OpCase['fill'] = {
      ...(values && { x: { kind: 'values', values } }),
      statistics: { kind: 'positive' },
    };
    return Object.entries(records).map(([pass, record]) => ({ name: name(pass), bench, fill, record }));
  },
);
