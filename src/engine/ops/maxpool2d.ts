import { LimbeckError } from '../../util/errors.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';
import { outputSize } from './conv2d.js';

/**
 * Max pooling: `y[n,c,oh,ow] = max over the window of x`; windows may overlap and may reach over the border,
 * where pixels count as minus infinity. A NaN in a window is its maximum. `index` remembers, per output, which pixel
 * `h*W + w` of its map won (the first in reading order when several tie or are NaN), and everything else is linear
 * with that choice held fixed: `tangent` picks `xDot[index]`, `backward` is its transpose.
 *
 * x `[N, C, H, W]`, y and index `[N, C, OH, OW]`.
 */
export interface PoolGeometry {
  /** Height and width of a window; one number for a square one. */
  readonly kernel: number | readonly [number, number];
  readonly stride: number;
  /** At most half of `kernel` in both directions, so that every window holds a pixel. */
  readonly padding: number;
}

const sizes = ['P', 'N', 'C', 'H', 'W', 'OH', 'OW', 'KH', 'KW', 'stride', 'padding'] as const;
const outputs = (s: Sizes) => s.P * s.N * s.C * s.OH * s.OW;

export const forwardKernel: Kernel = {
  name: 'maxpool2d.forward',
  operands: { x: 'read', y: 'write', index: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] }, planes: { channels: ['C'], images: ['N'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => outputs(s) * s.KH * s.KW,
  reference({ x, y, index }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, ip] = [x(p), y(p), index(p)];
      for (let nc = 0; nc < s.N * s.C; nc++)
        for (let oh = 0; oh < s.OH; oh++)
          for (let ow = 0; ow < s.OW; ow++) {
            let best = Number.NEGATIVE_INFINITY;
            let winner = -1;
            for (let kh = 0; kh < s.KH; kh++)
              for (let kw = 0; kw < s.KW; kw++) {
                const h = oh * s.stride + kh - s.padding;
                const w = ow * s.stride + kw - s.padding;
                if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
                const value = xp[nc * s.H * s.W + h * s.W + w];
                const firstNaN = Number.isNaN(value) && !Number.isNaN(best);
                if (winner < 0 || value > best || firstNaN) {
                  best = value;
                  winner = h * s.W + w;
                }
              }
            yp[(nc * s.OH + oh) * s.OW + ow] = best;
            ip[(nc * s.OH + oh) * s.OW + ow] = winner;
          }
    }
  },
};

export const tangentKernel: Kernel = {
  name: 'maxpool2d.tangent',
  operands: { xDot: 'read', index: 'read', yDot: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] }, planes: { channels: ['C'], images: ['N'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ xDot, index, yDot }, s) {
    const map = s.OH * s.OW;
    for (let p = 0; p < s.P; p++) {
      const [xp, ip, yp] = [xDot(p), index(p), yDot(p)];
      for (let i = 0; i < yp.length; i++) yp[i] = xp[Math.floor(i / map) * s.H * s.W + ip[i]];
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'maxpool2d.backward',
  operands: { yBar: 'read', index: 'read', xBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] }, planes: { channels: ['C'], images: ['N'] } },
  kind: 'multilinear',
  reduction: (s) => Math.ceil(s.KH / s.stride) * Math.ceil(s.KW / s.stride),
  flops: outputs,
  reference({ yBar, index, xBar }, s) {
    const map = s.OH * s.OW;
    for (let p = 0; p < s.P; p++) {
      const [yp, ip, xp] = [yBar(p), index(p), xBar(p)];
      xp.fill(0);
      for (let i = 0; i < yp.length; i++) xp[Math.floor(i / map) * s.H * s.W + ip[i]] += yp[i];
    }
  },
};

/** Height and width of a window. */
export const sidesOf = ({ kernel }: Pick<PoolGeometry, 'kernel'>): readonly [number, number] =>
  typeof kernel === 'number' ? [kernel, kernel] : kernel;

/** `[OH, OW]` of a map `[H, W]`; throws where no window fits or one could lie outside the map. */
export function outputShape(op: string, [H, W]: readonly number[], g: PoolGeometry): [number, number] {
  const [KH, KW] = sidesOf(g);
  if (g.padding * 2 > Math.min(KH, KW))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: padding is ${g.padding}, expected at most half of kernel ${KH === KW ? KH : `${KH}x${KW}`}: a window could lie outside the image`,
    );
  return [
    outputSize(op, 'height', H, KH, g.stride, g.padding),
    outputSize(op, 'width', W, KW, g.stride, g.padding),
  ];
}

function sizesOf(op: string, P: number, xShape: readonly number[], g: PoolGeometry): Sizes {
  const [N, C, H, W] = xShape;
  const [OH, OW] = outputShape(op, [H, W], g);
  const [KH, KW] = sidesOf(g);
  return { P, N, C, H, W, OH, OW, KH, KW, stride: g.stride, padding: g.padding };
}

/** The window maxima and where they are. */
export function forward(
  r: Recorder,
  { x }: { x: View },
  geometry: PoolGeometry,
  into: { y?: View; index?: View } = {},
): { y: View; index: View } {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'N C H W');
  const s = sizesOf(op, x.members, x.shape, geometry);
  const shape = [s.N, s.C, s.OH, s.OW];
  const y = destination(r, op, 'y', s.P, shape, { into: into.y });
  const index = destination(r, op, 'index', s.P, shape, { into: into.index }, 'u32');
  r.push({ kernel: forwardKernel, operands: { x, y, index }, sizes: s, constants: {}, accumulate: false });
  return { y, index };
}

/** yDot = xDot at the winners. */
export function tangent(
  r: Recorder,
  { xDot, index }: { xDot: View; index: View },
  geometry: PoolGeometry,
  to: Into = {},
): View {
  const op = tangentKernel.name;
  const s = sizesOf(op, population(op, { xDot, index }), xDot.shape, geometry);
  expectShape(op, 'index', index, [s.N, s.C, s.OH, s.OW], 'for this input and window');
  const yDot = destination(r, op, 'yDot', s.P, index.shape, to);
  r.push({
    kernel: tangentKernel,
    operands: { xDot, index, yDot },
    sizes: s,
    constants: {},
    accumulate: false,
  });
  return yDot;
}

/** xBar = yBar sent back to the winners, zero elsewhere; `xShape` is the `[N, C, H, W]` of the input. */
export function backward(
  r: Recorder,
  { yBar, index }: { yBar: View; index: View },
  geometry: PoolGeometry,
  xShape: readonly number[],
  to: Into = {},
): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, population(op, { yBar, index }), xShape, geometry);
  expectShape(op, 'yBar', yBar, [s.N, s.C, s.OH, s.OW], 'for this input and window');
  expectShape(op, 'index', index, [s.N, s.C, s.OH, s.OW], 'for this input and window');
  const xBar = destination(r, op, 'xBar', s.P, xShape, to);
  r.push({
    kernel: backwardKernel,
    operands: { yBar, index, xBar },
    sizes: s,
    constants: {},
    accumulate: false,
  });
  return xBar;
}

type CaseShape = PoolGeometry & Readonly<Record<'P' | 'N' | 'C' | 'H' | 'W', number>> & { bench?: boolean };

export const cases: readonly OpCase[] = [
  { P: 1, N: 2, C: 3, H: 8, W: 6, kernel: 2, stride: 2, padding: 0 },
  { P: 1, N: 1, C: 2, H: 7, W: 9, kernel: 2, stride: 2, padding: 0 },
  { P: 3, N: 2, C: 2, H: 8, W: 8, kernel: 3, stride: 2, padding: 1 },
  { P: 1, N: 2, C: 1, H: 6, W: 7, kernel: 3, stride: 1, padding: 1 },
  { P: 1, N: 2, C: 2, H: 5, W: 75, kernel: 3, stride: 2, padding: 1 },
  { P: 3, N: 1, C: 2, H: 11, W: 13, kernel: 4, stride: 3, padding: 2 },
  { P: 1, N: 128, C: 64, H: 32, W: 32, kernel: 3, stride: 2, padding: 1, bench: true },
  { P: 1, N: 1024, C: 6, H: 28, W: 28, kernel: 2, stride: 2, padding: 0, bench: true },
  // Whole maps, and windows along one axis.
  { P: 2, N: 3, C: 5, H: 28, W: 1, kernel: [28, 1] as const, stride: 1, padding: 0 },
  { P: 1, N: 2, C: 3, H: 1, W: 97, kernel: [1, 4] as const, stride: 4, padding: 0 },
  { P: 1, N: 2, C: 2, H: 9, W: 11, kernel: [5, 2] as const, stride: 2, padding: 1 },
].flatMap(({ P, N, C, H, W, bench, ...geometry }: CaseShape) => {
  const xShape = [N, C, H, W];
  const { OH, OW } = sizesOf('maxpool2d case', P, xShape, geometry);
  const yShape = [N, C, OH, OW];
  const name = `P=${P} N=${N} ${C}x${H}x${W} k${geometry.kernel} s${geometry.stride} p${geometry.padding}`;
  // The winners come from a forward pass in the same program, so that every index is a legal one.
  const index = (r: Recorder) => forward(r, { x: r.external('x', P, xShape) }, geometry).index;
  return [
    {
      name: `maxpool2d.forward ${name}`,
      bench,
      record(r: Recorder) {
        const into = { y: r.external('y', P, yShape), index: r.external('index', P, yShape, 'u32') };
        forward(r, { x: r.external('x', P, xShape) }, geometry, into);
      },
    },
    {
      name: `maxpool2d.tangent ${name}`,
      bench,
      record(r: Recorder) {
        const operands = { xDot: r.external('xDot', P, xShape), index: index(r) };
        tangent(r, operands, geometry, { into: r.external('yDot', P, yShape) });
      },
    },
    {
      name: `maxpool2d.backward ${name}`,
      bench,
      record(r: Recorder) {
        const operands = { yBar: r.external('yBar', P, yShape), index: index(r) };
        backward(r, operands, geometry, xShape, { into: r.external('xBar', P, xShape) });
      },
    },
  ];
});
