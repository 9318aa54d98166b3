import { LimbeckError } from '../../util/errors.js';
import type { Kernel, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';
import { outputSize } from './conv2d.js';

/**
 * Average pooling.
 *
 *     y[n,c,oh,ow] = 1/(KH KW) sum over kh,kw of x[n, c, oh*stride + kh - padding, ow*stride + kw - padding]
 *
 * Pixels outside x are zero and count: every window is divided by KH KW, also one that reaches over the border
 * (what PyTorch calls count_include_pad, its default). Linear: the tangent is the same kernel, `backward` its transpose.
 *
 * x `[N, C, H, W]`, y `[N, C, OH, OW]`.
 */
export interface AvgPoolGeometry {
  /** Height and width of a window; one number for a square one. */
  readonly kernel: number | readonly [number, number];
  readonly stride: number;
  /** At most half of `kernel`, as in max pooling. */
  readonly padding: number;
}

const sizes = ['P', 'N', 'C', 'H', 'W', 'OH', 'OW', 'KH', 'KW', 'stride', 'padding'] as const;
const additions = (s: Sizes) => s.P * s.N * s.C * s.OH * s.OW * s.KH * s.KW;

/** Calls `visit(y, x)` with the two element indices of every term in one member. */
function forEachTerm(s: Sizes, visit: (yIndex: number, xIndex: number) => void): void {
  for (let nc = 0; nc < s.N * s.C; nc++)
    for (let oh = 0; oh < s.OH; oh++)
      for (let ow = 0; ow < s.OW; ow++)
        for (let kh = 0; kh < s.KH; kh++)
          for (let kw = 0; kw < s.KW; kw++) {
            const h = oh * s.stride + kh - s.padding;
            const w = ow * s.stride + kw - s.padding;
            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
            visit((nc * s.OH + oh) * s.OW + ow, (nc * s.H + h) * s.W + w);
          }
}

export const forwardKernel: Kernel = {
  name: 'avgpool2d.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] }, planes: { channels: ['C'], images: ['N'] } },
  kind: 'multilinear',
  reduction: (s) => s.KH * s.KW,
  flops: additions,
  reference({ x, y }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      yp.fill(0);
      forEachTerm(s, (yi, xi) => {
        yp[yi] += xp[xi] / (s.KH * s.KW);
      });
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'avgpool2d.backward',
  operands: { yBar: 'read', xBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'] }, planes: { channels: ['C'], images: ['N'] } },
  kind: 'multilinear',
  reduction: (s) => Math.ceil(s.KH / s.stride) * Math.ceil(s.KW / s.stride),
  flops: additions,
  reference({ yBar, xBar }, s) {
    for (let p = 0; p < s.P; p++) {
      const [yp, xp] = [yBar(p), xBar(p)];
      xp.fill(0);
      forEachTerm(s, (yi, xi) => {
        xp[xi] += yp[yi] / (s.KH * s.KW);
      });
    }
  },
};

/** The `[OH, OW]` of maps of `[H, W]`; throws where the window does not fit. */
export function outputShape(
  op: string,
  [H, W]: readonly number[],
  { kernel, stride, padding }: AvgPoolGeometry,
): [number, number] {
  const [KH, KW] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  if (padding * 2 > Math.min(KH, KW))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: padding is ${padding}, expected at most half of kernel ${KH}x${KW}: a window could lie outside the image`,
    );
  return [outputSize(op, 'height', H, KH, stride, padding), outputSize(op, 'width', W, KW, stride, padding)];
}

function sizesOf(op: string, P: number, xShape: readonly number[], geometry: AvgPoolGeometry): Sizes {
  const [N, C, H, W] = xShape;
  const { kernel, stride, padding } = geometry;
  const [OH, OW] = outputShape(op, [H, W], geometry);
  const [KH, KW] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  return { P, N, C, H, W, OH, OW, KH, KW, stride, padding };
}

/** The window means. */
export function forward(r: Recorder, { x }: { x: View }, geometry: AvgPoolGeometry, to: Into = {}): View {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'N C H W');
  const s = sizesOf(op, x.members, x.shape, geometry);
  const y = destination(r, op, 'y', s.P, [s.N, s.C, s.OH, s.OW], to);
  r.push({ kernel: forwardKernel, operands: { x, y }, sizes: s, constants: {}, accumulate: false });
  return y;
}

/** xBar: every pixel gets its share of the windows it is in; `xShape` is the `[N, C, H, W]` of the input. */
export function backward(
  r: Recorder,
  { yBar }: { yBar: View },
  geometry: AvgPoolGeometry,
  xShape: readonly number[],
  to: Into = {},
): View {
  const op = backwardKernel.name;
  const s = sizesOf(op, yBar.members, xShape, geometry);
  expectShape(op, 'yBar', yBar, [s.N, s.C, s.OH, s.OW], 'for this input and window');
  const xBar = destination(r, op, 'xBar', s.P, xShape, to);
  r.push({ kernel: backwardKernel, operands: { yBar, xBar }, sizes: s, constants: {}, accumulate: false });
  return xBar;
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 2, C: 3, H: 8, W: 6, kernel: 2, stride: 2, padding: 0 },
  { P: 3, N: 1, C: 2, H: 7, W: 69, kernel: 2, stride: 2, padding: 0 },
  { P: 3, N: 2, C: 2, H: 8, W: 9, kernel: 3, stride: 2, padding: 1 },
  { P: 1, N: 2, C: 1, H: 6, W: 7, kernel: 3, stride: 1, padding: 1 },
  { P: 1, N: 2, C: 1, H: 9, W: 8, kernel: 2, stride: 3, padding: 0 },
  { P: 1, N: 1, C: 2, H: 6, W: 7, kernel: [4, 2] as const, stride: 2, padding: 1 },
  { P: 3, N: 2, C: 5, H: 7, W: 5, kernel: [7, 5] as const, stride: 1, padding: 0 },
  { P: 1, N: 64, C: 128, H: 32, W: 32, kernel: 2, stride: 2, padding: 0, bench: true },
  { P: 1, N: 256, C: 512, H: 4, W: 4, kernel: 4, stride: 1, padding: 0, bench: true },
].flatMap(({ P, N, C, H, W, bench, ...geometry }) => {
  const xShape = [N, C, H, W];
  const { OH, OW, KH, KW } = sizesOf('avgpool2d case', P, xShape, geometry);
  const yShape = [N, C, OH, OW];
  const name = `P=${P} N=${N} ${C}x${H}x${W} k${KH}x${KW} s${geometry.stride} p${geometry.padding}`;
  return [
    {
      name: `avgpool2d.forward ${name}`,
      bench,
      record(r: Recorder) {
        forward(r, { x: r.external('x', P, xShape) }, geometry, { into: r.external('y', P, yShape) });
      },
    },
    {
      name: `avgpool2d.backward ${name}`,
      bench,
      record(r: Recorder) {
        const into = r.external('xBar', P, xShape);
        backward(r, { yBar: r.external('yBar', P, yShape) }, geometry, xShape, { into });
      },
    },
  ];
});
