import { LimbeckError } from '../../util/errors.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * A picture that holds F x F sub-pictures of ceil(H / F) x ceil(W / F) pixels, each zoomed to the size of the whole by
 * bilinear interpolation between pixel centres, clamped at the edge (`align_corners = false` of PyTorch):
 *
 *     y[n,i,j,c,h,w] = sum over a,b of weight(H,h,a) weight(W,w,b) x[n, c, min(i S + a, H - 1), min(j T + b, W - 1)]
 *     weight(H,h,a) = max(0, 1 - |place - a|)     place = (h + 1/2) S / H - 1/2, at least 0 and at most S - 1
 *
 * with S = ceil(H / F), T = ceil(W / F). Where F does not divide H, the picture is continued by its last row, and likewise
 * by its last column. Linear: the tangent is the same kernel, `backward` its transpose.
 *
 * x `[N, C, H, W]`, y `[N F F, C, H, W]`: the items of one picture follow one another.
 */
const sizes = ['P', 'N', 'C', 'H', 'W', 'F'] as const;

/** Calls `visit(to, from, weight)` for the pixels `to` of an item of sub-picture `part` and those they are made of. */
function forEachTap(
  whole: number,
  F: number,
  part: number,
  visit: (to: number, from: number, weight: number) => void,
): void {
  const size = Math.ceil(whole / F);
  for (let to = 0; to < whole; to++) {
    // In whole numbers, as on the other engines, so that the same pixels are met everywhere.
    const place = Math.max(0, Math.min((2 * to + 1) * size - whole, 2 * whole * (size - 1)));
    const low = Math.floor(place / (2 * whole));
    const weight = (place % (2 * whole)) / (2 * whole);
    visit(to, Math.min(part * size + low, whole - 1), 1 - weight);
    if (weight > 0) visit(to, Math.min(part * size + low + 1, whole - 1), weight);
  }
}

/** Calls `visit(y, x, weight)` with the two element indices of every term in one member. */
function forEachTerm(s: Sizes, visit: (yIndex: number, xIndex: number, weight: number) => void): void {
  for (let item = 0; item < s.N * s.F * s.F; item++) {
    const part = item % (s.F * s.F);
    const n = (item - part) / (s.F * s.F);
    for (let c = 0; c < s.C; c++)
      forEachTap(s.H, s.F, Math.floor(part / s.F), (h, fromH, rowWeight) =>
        forEachTap(s.W, s.F, part % s.F, (w, fromW, weight) =>
          visit(
            ((item * s.C + c) * s.H + h) * s.W + w,
            ((n * s.C + c) * s.H + fromH) * s.W + fromW,
            rowWeight * weight,
          ),
        ),
      );
  }
}

/** The most pixels of an item that one pixel of the picture counts in. */
function mostTaps(whole: number, F: number): number {
  const counts = new Array<number>(whole).fill(0);
  for (const part of Array(F).keys()) forEachTap(whole, F, part, (_, from) => counts[from]++);
  return Math.max(...counts);
}

const additions = (s: Sizes) => 8 * s.P * s.N * s.F * s.F * s.C * s.H * s.W;

export const forwardKernel: Kernel = {
  name: 'zoom.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: () => 4,
  flops: additions,
  reference({ x, y }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      yp.fill(0);
      forEachTerm(s, (yi, xi, weight) => {
        yp[yi] += weight * xp[xi];
      });
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'zoom.backward',
  operands: { yBar: 'read', xBar: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => mostTaps(s.H, s.F) * mostTaps(s.W, s.F),
  flops: additions,
  reference({ yBar, xBar }, s) {
    for (let p = 0; p < s.P; p++) {
      const [yp, xp] = [yBar(p), xBar(p)];
      xp.fill(0);
      forEachTerm(s, (yi, xi, weight) => {
        xp[xi] += weight * yp[yi];
      });
    }
  },
};

/** Whether each of F x F sub-pictures has a pixel of a picture of `[H, W]`. */
export const fits = (F: number, [H, W]: readonly number[]): boolean =>
  Number.isSafeInteger(F) && F >= 1 && [H, W].every((size) => (F - 1) * Math.ceil(size / F) < size);

function sizesOf(op: string, P: number, xShape: readonly number[], F: number): Sizes {
  const [N, C, H, W] = xShape;
  if (!fits(F, [H, W]))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: factor is ${F}, expected a whole number of at least 1 that leaves every sub-picture of ${H}x${W} a pixel`,
    );
  return { P, N, C, H, W, F };
}

/** The items `[N F F, C, H, W]` of pictures x `[N, C, H, W]`. */
export function forward(r: Recorder, { x }: { x: View }, F: number, to: Into = {}): View {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'N C H W');
  const s = sizesOf(op, x.members, x.shape, F);
  const y = destination(r, op, 'y', s.P, [s.N * F * F, s.C, s.H, s.W], to);
  r.push({ kernel: forwardKernel, operands: { x, y }, sizes: s, constants: {}, accumulate: false });
  return y;
}

/** xBar, the gradient of the pictures, from that of the items. */
export function backward(r: Recorder, { yBar }: { yBar: View }, F: number, to: Into = {}): View {
  const op = backwardKernel.name;
  expectRank(op, 'yBar', yBar, 'N*F*F C H W');
  const xShape = [Math.floor(yBar.shape[0] / F ** 2), ...yBar.shape.slice(1)];
  const s = sizesOf(op, yBar.members, xShape, F);
  expectShape(op, 'yBar', yBar, [s.N * F * F, s.C, s.H, s.W], `because a picture has ${F}x${F} items`);
  const xBar = destination(r, op, 'xBar', s.P, xShape, to);
  r.push({ kernel: backwardKernel, operands: { yBar, xBar }, sizes: s, constants: {}, accumulate: false });
  return xBar;
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 2, C: 3, H: 8, W: 6, F: 2 },
  { P: 3, N: 1, C: 1, H: 7, W: 5, F: 2 },
  { P: 2, N: 2, C: 2, H: 11, W: 8, F: 3 },
  { P: 1, N: 1, C: 2, H: 5, W: 9, F: 5 },
  { P: 1, N: 2, C: 2, H: 6, W: 7, F: 1 },
  { P: 1, N: 5, C: 3, H: 32, W: 30, F: 3 },
  { P: 1, N: 100, C: 3, H: 32, W: 32, F: 2, bench: true },
].flatMap(({ P, N, C, H, W, F, bench }) => {
  const [xShape, yShape] = [N, N * F * F].map((count) => [count, C, H, W]);
  const name = `P=${P} N=${N} ${C}x${H}x${W} factor ${F}`;
  return [
    {
      name: `zoom.forward ${name}`,
      bench,
      record(r: Recorder) {
        forward(r, { x: r.external('x', P, xShape) }, F, { into: r.external('y', P, yShape) });
      },
    },
    {
      name: `zoom.backward ${name}`,
      bench,
      record(r: Recorder) {
        backward(r, { yBar: r.external('yBar', P, yShape) }, F, { into: r.external('xBar', P, xShape) });
      },
    },
  ];
});
