import type { Elements, Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Augmentation (DSA, Zhao & Bilen 2021; DC, Zhao et al. 2021): one randomly chosen operation per image. For a fixed draw every
 * operation is affine in the image, `y = A x + b`: `forward` computes that, the tangent is the same kernel without `b`, and
 * `backward` applies the transpose of `A`.
 *
 * `draws [R, 8]` holds a row for every image, or (R = 1) one row for all of them; `augmentdraw.rows` draws them. The
 * first number of a row says what is done, the others say how; what is not named here is ignored:
 *
 *     0 warp     hh hw ht wh ww wt f    y[h, w] = x at (hh h + hw w + ht, wh h + ww w + wt), where h and w are
 *                                       counted from the middle of the image; bilinear, f times `fill` outside
 *     1 colour   b s c                  brightness, saturation, contrast in this order: x + b, then
 *                                       s (x - m) + m with m the mean over the channels of a pixel, then
 *                                       c (x - M) + M with M the mean over the image
 *     2 cutout   top bottom left right  zero where top <= h < bottom and left <= w < right
 *     3 resize   height width top left  x brought to height x width by its nearest pixels, of which y is what is seen from
 *                                       (top, left) on; zero outside
 *     4 turn     as warp                the same with cubic splines through the pixels of x, mirrored at its edges; f times
 *                                       `fill` outside them
 *
 * Written out, colour is `y = c s x + c (1 - s) m + (1 - c) M + b`: symmetric, as cutout is. A warp by whole pixels
 * or by a reflection moves values and rounds nothing. x, y, xBar, yBar `[N, C, H, W]`; `fill [C]`, a constant of all
 * derivatives, is 0 where it is left out.
 */
export const WARP = 0;
export const COLOUR = 1;
export const CUTOUT = 2;
export const RESIZE = 3;
export const TURN = 4;
/** Numbers in a row of `draws`. */
export const COLUMNS = 8;

/** Farther from a place than this many pixels a spline through them does not feel them: 1e-7 of what it feels most. */
const REACH = 12;
/** By this a pixel's part in a spline falls from one pixel to the next. */
const POLE = Math.sqrt(3) - 2;

const sizes = ['P', 'N', 'C', 'H', 'W', 'R'] as const;

/** A pixel of a side and its weight. */
type Tap = readonly [number, number];

/** The two pixels beside a place, or one; those outside are left out. */
function linearTaps(place: number, side: number): Tap[] {
  const taps: Tap[] = [];
  for (let i = Math.max(Math.floor(place), 0); i <= Math.min(place + 1, side - 1); i++) {
    const weight = 1 - Math.abs(place - i);
    if (weight !== 0) taps.push([i, weight]);
  }
  return taps;
}

/**
 * The pixels whose cubic spline is at a place from 0 to side - 1: four B-splines, each of whose coefficients is made of
 * the pixels around it with weights that fall by `POLE`. A pixel outside is its mirror image; none where the place is.
 */
function splineTaps(place: number, side: number): Tap[] {
  if (!(place >= 0 && place <= side - 1)) return [];
  const first = Math.floor(place);
  const t = place - first;
  const bases = [(1 - t) ** 3, 4 - 6 * t ** 2 + 3 * t ** 3, 1 + 3 * t + 3 * t ** 2 - 3 * t ** 3, t ** 3];
  const period = Math.max(2 * side - 2, 1);
  return Array.from({ length: 2 * REACH + 2 }, (_, i) => {
    const by = i - REACH;
    const weight = bases.reduce((sum, base, k) => sum + base * POLE ** Math.abs(by - (k - 1)), 0);
    const folded = (((first + by) % period) + period) % period;
    return [Math.min(folded, period - folded), (weight * Math.sqrt(3)) / 6];
  });
}

/** Calls body(pixel of x, weight) for the pixels that pixel (h, w) of y is made of. */
function eachTap(row: Elements, h: number, w: number, s: Sizes, body: (at: number, weight: number) => void) {
  if (Math.round(row[0]) === RESIZE) {
    const [, height, width, top, left] = row.map(Math.round);
    if (h + top < 0 || h + top >= height || w + left < 0 || w + left >= width) return;
    const [i, j] = [Math.floor(((h + top) * s.H) / height), Math.floor(((w + left) * s.W) / width)];
    body(i * s.W + j, 1);
    return;
  }
  const [middleH, middleW] = [(s.H - 1) / 2, (s.W - 1) / 2];
  const fromH = row[1] * (h - middleH) + row[2] * (w - middleW) + (middleH + row[3]);
  const fromW = row[4] * (h - middleH) + row[5] * (w - middleW) + (middleW + row[6]);
  const taps = Math.round(row[0]) === TURN ? splineTaps : linearTaps;
  for (const [i, down] of taps(fromH, s.H))
    for (const [j, right] of taps(fromW, s.W)) body(i * s.W + j, down * right);
}

/** Whether a row moves pixels, so that `eachTap` knows what it does. */
const moves = (row: Elements) => ![COLOUR, CUTOUT].includes(Math.round(row[0]));

/** Colour and cutout of one image: y = A x + offset b, where A is symmetric. */
function pointwise(row: Elements, x: Elements, y: Elements, s: Sizes, offset: number): void {
  const map = s.H * s.W;
  if (Math.round(row[0]) === CUTOUT) {
    const [, top, bottom, left, right] = row.map(Math.round);
    for (let i = 0; i < s.C * map; i++) {
      const [h, w] = [Math.floor((i % map) / s.W), i % s.W];
      y[i] = top <= h && h < bottom && left <= w && w < right ? 0 : x[i];
    }
    return;
  }
  const [, b, saturation, contrast] = row;
  let imageMean = 0;
  for (let i = 0; i < s.C * map; i++) imageMean += x[i] / (s.C * map);
  for (let i = 0; i < map; i++) {
    let mean = 0;
    for (let c = 0; c < s.C; c++) mean += x[c * map + i] / s.C;
    const rest = contrast * (1 - saturation) * mean + (1 - contrast) * imageMean + offset * b;
    for (let c = 0; c < s.C; c++) y[c * map + i] = contrast * saturation * x[c * map + i] + rest;
  }
}

/** Calls body with what belongs to each image: its row, and its pixels in both operands. */
function eachImage(
  { from, to, draws }: Record<'from' | 'to' | 'draws', (member: number) => Elements>,
  s: Sizes,
  body: (row: Elements, from: Elements, to: Elements, member: number) => void,
): void {
  const image = s.C * s.H * s.W;
  for (let p = 0; p < s.P; p++)
    for (let n = 0; n < s.N; n++) {
      const at = (s.R === 1 ? 0 : n) * COLUMNS;
      const pixels = (all: Elements) => all.subarray(n * image, (n + 1) * image);
      body(draws(p).subarray(at, at + COLUMNS), pixels(from(p)), pixels(to(p)), p);
    }
}

/** Of a turn, the pixels that a spline feels in both directions. */
const longestSum = (s: Sizes) => Math.min(2 * REACH + 2, s.H) * Math.min(2 * REACH + 2, s.W);

export const forwardKernel: Kernel = {
  name: 'augment.forward',
  operands: { x: 'read', draws: 'read', fill: 'optional', y: 'write' },
  sizes,
  // 1, or 0 for the linear part alone.
  constants: ['offset'],
  kind: 'nonlinear',
  reduction: (s) => longestSum(s),
  flops: (s) => 8 * s.P * s.N * s.C * s.H * s.W,
  reference({ x, draws, fill, y }, s, { offset }) {
    eachImage({ from: x, draws, to: y }, s, (row, from, to, p) => {
      if (!moves(row)) return pointwise(row, from, to, s, offset);
      const map = s.H * s.W;
      const filled = Math.round(row[0]) === RESIZE ? 0 : offset * row[7];
      for (let i = 0; i < s.C * map; i++) {
        let sum = 0;
        let missing = 1;
        eachTap(row, Math.floor((i % map) / s.W), i % s.W, s, (at, weight) => {
          sum += weight * from[i - (i % map) + at];
          missing = Math.round(row[0]) === TURN ? 0 : missing - weight;
        });
        to[i] = sum + (fill ? filled * missing * fill(p)[Math.floor(i / map)] : 0);
      }
    });
  },
};

export const backwardKernel: Kernel = {
  name: 'augment.backward',
  operands: { yBar: 'read', draws: 'read', xBar: 'write' },
  sizes,
  constants: [],
  kind: 'nonlinear',
  reduction: (s) => longestSum(s),
  flops: (s) => 8 * s.P * s.N * s.C * s.H * s.W,
  reference({ yBar, draws, xBar }, s) {
    eachImage({ from: yBar, draws, to: xBar }, s, (row, from, to) => {
      if (!moves(row)) return pointwise(row, from, to, s, 0);
      const map = s.H * s.W;
      to.fill(0);
      for (let i = 0; i < s.C * map; i++)
        eachTap(row, Math.floor((i % map) / s.W), i % s.W, s, (at, weight) => {
          to[i - (i % map) + at] += weight * from[i];
        });
    });
  },
};

function sizesOf(op: string, name: string, x: View, draws: View): Sizes {
  expectRank(op, name, x, 'N C H W');
  const [N, C, H, W] = x.shape;
  const R = draws.shape[0] === 1 ? 1 : N;
  expectShape(op, 'draws', draws, [R, COLUMNS], '(a row for every image, or one for all)');
  return { P: population(op, { [name]: x, draws }), N, C, H, W, R };
}

function apply(
  r: Recorder,
  { x, draws, fill }: { x: View; draws: View; fill?: View },
  offset: number,
  name: string,
  into?: View,
): View {
  const op = forwardKernel.name;
  const s = sizesOf(op, 'x', x, draws);
  if (fill) expectShape(op, 'fill', fill, [s.C], '(a number for each channel of x)');
  const P = fill ? population(op, { x, draws, fill }) : s.P;
  const y = destination(r, op, name, P, x.shape, { into });
  const operands = { x, draws, fill, y };
  r.push({ kernel: forwardKernel, operands, sizes: { ...s, P }, constants: { offset }, accumulate: false });
  return y;
}

/** y = A x + b. */
export function forward(
  r: Recorder,
  o: { x: View; draws: View; fill?: View },
  { into }: { into?: View } = {},
): View {
  return apply(r, o, 1, 'y', into);
}

/** yDot = A xDot. */
export function tangent(
  r: Recorder,
  { xDot, draws }: { xDot: View; draws: View },
  { into }: { into?: View } = {},
): View {
  return apply(r, { x: xDot, draws }, 0, 'yDot', into);
}

/** xBar = transpose of A times yBar; per member when either operand is. */
export function backward(
  r: Recorder,
  { yBar, draws }: { yBar: View; draws: View },
  { into }: { into?: View } = {},
): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, 'yBar', yBar, draws);
  const xBar = destination(r, op, 'xBar', s.P, yBar.shape, { into });
  r.push({
    kernel: backwardKernel,
    operands: { yBar, draws, xBar },
    sizes: s,
    constants: {},
    accumulate: false,
  });
  return xBar;
}

/**
 * Every kind of row, and what draws seldom meet: quarter turns, shears, shrinking, no inverse, all and nothing cut, edges that
 * are just met.
 */
const rows = [
  [WARP, 1, 0, 0, 0, 1, 0],
  [WARP, 1, 0, 0, 0, -1, 0],
  [WARP, 1, 0, 2, 0, 1, -3],
  [WARP, 1, 0, 40, 0, 1, 0],
  [WARP, 0.9, 0, 0, 0, 1.15, 0],
  [WARP, 0.8, 0.6, 0, -0.6, 0.8, 0],
  [WARP, 0, -1, 0, 1, 0, 0],
  [WARP, 0.3, 0.5, -0.7, 1.9, -1.2, 0.4],
  [WARP, 0.5, 0.5, 0.2, 0.5, 0.5, 0.1],
  [WARP, 3, 0, 0.25, 0, 2.5, 0],
  [COLOUR, 0.4, 1.7, 0.6],
  [COLOUR, 0, 1, 1],
  [COLOUR, -0.2, 0.1, 1.4],
  [CUTOUT, 1, 4, 2, 5],
  [CUTOUT, -2, 2, 3, 9],
  [CUTOUT, 0, 100, 0, 100],
  [CUTOUT, 3, 3, 0, 9],
  [WARP, 1, 0, 2, 0, 1, -1, 1],
  [WARP, 0.9, 0.1, 0, -0.2, 1.3, 0.5, 1],
  [RESIZE, 4, 9, -2, 1],
  [RESIZE, 12, 5, 3, -1],
  [RESIZE, 1, 16, 0, 0],
  // No pixel of y comes from just the edge of x, which rounding decides on.
  [TURN, 0.81, 0.62, 0.117, -0.61, 0.79, -0.213, 1],
  [TURN, 0.957, -0.289, 0.0173, 0.291, 0.963, -0.0237, 1],
  [TURN, 1, 0, 0, 0, 1, 0, 1],
  [TURN, 1, 0, 1, 0, 1, -0.5],
];
const table = (members: number, R: number) =>
  Array.from({ length: members * R }, (_, i) => {
    const row = rows[i % rows.length];
    return Array.from({ length: COLUMNS }, (_value, k) => row[k] ?? 0);
  }).flat();

const externals = { forward: ['x', 'y'], tangent: ['xDot', 'yDot'], backward: ['yBar', 'xBar'] } as const;

interface Example {
  readonly P: number;
  readonly N: number;
  readonly C: number;
  readonly H: number;
  readonly W: number;
  readonly R: number;
  readonly shared?: 'images' | 'draws';
  /** Members of `fill`, where there is one. */
  readonly filled?: number;
  readonly passes: readonly (keyof typeof externals)[];
}

const examples: readonly Example[] = [
  { P: 1, N: 26, C: 2, H: 11, W: 9, R: 26, filled: 1, passes: ['forward', 'backward'] },
  { P: 2, N: 26, C: 1, H: 4, W: 19, R: 26, filled: 2, passes: ['forward'] },
  { P: 3, N: 2, C: 3, H: 6, W: 5, R: 1, passes: ['forward', 'backward'] },
  {
    P: 3,
    N: 17,
    C: 1,
    H: 7,
    W: 9,
    R: 17,
    shared: 'images',
    passes: ['forward', 'tangent', 'backward'],
  },
  { P: 2, N: 17, C: 2, H: 5, W: 6, R: 17, shared: 'draws', passes: ['forward', 'backward'] },
];

export const cases: readonly OpCase[] = examples.flatMap(({ P, N, C, H, W, R, shared, filled, passes }) =>
  passes.map((pass): OpCase => {
    const [from, to] = externals[pass];
    const members = shared === 'draws' ? 1 : P;
    return {
      name: `augment.${pass} P=${P} N=${N} ${C}x${H}x${W} R=${R}${shared ? ` ${shared} shared` : ''}${filled && pass === 'forward' ? ' filled' : ''}`,
      fill: { draws: { kind: 'values', values: () => table(members, R) } },
      record(r) {
        const image = r.external(from, shared === 'images' ? 1 : P, [N, C, H, W]);
        const draws = r.external('draws', members, [R, COLUMNS]);
        const into = r.external(to, P, [N, C, H, W]);
        if (pass === 'forward') {
          const fill = filled ? r.external('fill', filled, [C]) : undefined;
          forward(r, { x: image, draws, fill }, { into });
        } else if (pass === 'tangent') tangent(r, { xDot: image, draws }, { into });
        else backward(r, { yBar: image, draws }, { into });
      },
    };
  }),
);
