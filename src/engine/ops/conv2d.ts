import { LimbeckError, shapeText } from '../../util/errors.js';
import { type Kernel, pairCount, pairsOf, type Sizes } from '../kernel.js';
import { destination, expectLike, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { Step } from '../step.js';
import type { View } from '../view.js';

/**
 * Two-dimensional convolution (cross-correlation, as every framework means it).
 *
 *     y[n,oc,oh,ow] = b[oc] + sum over c,kh,kw of
 *       x[n, g*C/groups + c, oh*stride + kh*dilation - padding, ow*stride + kw*dilation - padding] * w[oc,c,kh,kw]
 *
 * x `[N, C, H, W]`, w `[OC, C / groups, KH, KW]`, b `[OC]`, y `[N, OC, OH, OW]`; pixels outside x are zero. Channels of
 * x and y are cut into `groups` pieces of neighbours: output channel oc, of group `g = floor(oc groups / OC)`, sees the
 * input channels of its group alone. With as many groups as channels the convolution is depthwise.
 * The op is bilinear in (x, w): the tangent passes are these same kernels fed two pairs, each with one tangent.
 */
export interface ConvGeometry {
  readonly stride: number;
  readonly padding: number;
  /** 1 unless given; divides C and OC. */
  readonly groups?: number;
  /** Pixels from one kernel position to the next, 1 unless given. */
  readonly dilation?: number;
}

/** `G` is the number of groups; C and OC count the channels of all. */
const sizes = [
  ...['P', 'N', 'C', 'H', 'W', 'OC', 'KH', 'KW', 'OH', 'OW'],
  ...['stride', 'padding', 'G', 'dilation'],
] as const;
const multiplyAdds = (s: Sizes, operands: Step['operands']) =>
  (pairCount(operands) * 2 * s.P * s.N * s.OC * s.OH * s.OW * s.C * s.KH * s.KW) / s.G;

/**
 * Output size of one axis: `floor((size + 2 padding - extent) / stride) + 1` with the extent
 * `dilation (kernel - 1) + 1` of the kernel; throws when that is below 1.
 */
export function outputSize(
  op: string,
  axis: string,
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation = 1,
): number {
  if (
    ![kernel, stride, dilation].every((n) => Number.isInteger(n) && n >= 1) ||
    !Number.isInteger(padding) ||
    padding < 0
  )
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: kernel ${kernel}, stride ${stride}, padding ${padding}, dilation ${dilation}: expected whole numbers, padding >= 0 and the others >= 1`,
    );
  const extent = dilation * (kernel - 1) + 1;
  const output = Math.floor((size + 2 * padding - extent) / stride) + 1;
  if (output < 1)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: the ${axis} of the input is ${size}, too small for a kernel of ${extent} with padding ${padding}`,
    );
  return output;
}

/** Throws unless `groups` divides the channels on both sides. */
export function expectGroups(op: string, C: number, OC: number, groups: number): void {
  if (!Number.isInteger(groups) || groups < 1 || C % groups || OC % groups)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: groups is ${groups}, expected a whole number >= 1 that divides the ${C} input and the ${OC} output channels`,
    );
}

/**
 * The products of one member, a run for each weight and row of y: calls `visit(y, x, w, count)` with the element indices of its first product.
 * Along a run y goes on by 1 and x by the stride.
 */
function forEachRun(
  s: Sizes,
  visit: (yIndex: number, xIndex: number, wIndex: number, count: number) => void,
): void {
  const C = s.C / s.G;
  for (let n = 0; n < s.N; n++)
    for (let oc = 0; oc < s.OC; oc++)
      for (let oh = 0; oh < s.OH; oh++) {
        const y = ((n * s.OC + oc) * s.OH + oh) * s.OW;
        const first = n * s.C + Math.floor(oc / (s.OC / s.G)) * C;
        for (let c = 0; c < C; c++)
          for (let kh = 0; kh < s.KH; kh++) {
            const h = oh * s.stride + kh * s.dilation - s.padding;
            if (h < 0 || h >= s.H) continue;
            for (let kw = 0; kw < s.KW; kw++) {
              const left = kw * s.dilation - s.padding;
              const from = Math.max(0, Math.ceil(-left / s.stride));
              const to = Math.min(s.OW, Math.floor((s.W - 1 - left) / s.stride) + 1);
              if (from >= to) continue;
              const x = ((first + c) * s.H + h) * s.W + from * s.stride + left;
              visit(y + from, x, ((oc * C + c) * s.KH + kh) * s.KW + kw, to - from);
            }
          }
      }
}

export const forwardKernel: Kernel = {
  name: 'conv2d.forward',
  operands: { x: 'read', w: 'read', x2: 'optional', w2: 'optional', b: 'optional', y: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'w2', 'b'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * (s.C / s.G) * s.KH * s.KW + 1,
  flops: multiplyAdds,
  reference({ x, w, x2, w2, b, y }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const yp = y(p);
      const map = s.OH * s.OW;
      for (let i = 0; i < yp.length; i++) {
        const bias = b ? b(p)[Math.floor(i / map) % s.OC] : 0;
        yp[i] = (accumulate ? yp[i] : 0) + bias;
      }
      for (const [xp, wp] of pairsOf(p, [x, w], [x2, w2]))
        forEachRun(s, (yi, xi, wi, count) => {
          for (let i = 0; i < count; i++) yp[yi + i] += xp[xi + i * s.stride] * wp[wi];
        });
    }
  },
};

export const backwardInputKernel: Kernel = {
  name: 'conv2d.backwardInput',
  operands: { yBar: 'read', w: 'read', yBar2: 'optional', w2: 'optional', xBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'w2'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * (s.OC / s.G) * s.KH * s.KW + 1,
  flops: multiplyAdds,
  reference({ yBar, w, yBar2, w2, xBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const xp = xBar(p);
      if (!accumulate) xp.fill(0);
      for (const [yp, wp] of pairsOf(p, [yBar, w], [yBar2, w2]))
        forEachRun(s, (yi, xi, wi, count) => {
          for (let i = 0; i < count; i++) xp[xi + i * s.stride] += yp[yi + i] * wp[wi];
        });
    }
  },
};

export const backwardWeightKernel: Kernel = {
  name: 'conv2d.backwardWeight',
  operands: { x: 'read', yBar: 'read', x2: 'optional', yBar2: 'optional', wBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], sums: ['wBar'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.N * s.OH * s.OW + 1,
  flops: multiplyAdds,
  reference({ x, yBar, x2, yBar2, wBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const wp = wBar(p);
      if (!accumulate) wp.fill(0);
      for (const [xp, yp] of pairsOf(p, [x, yBar], [x2, yBar2]))
        forEachRun(s, (yi, xi, wi, count) => {
          for (let i = 0; i < count; i++) wp[wi] += xp[xi + i * s.stride] * yp[yi + i];
        });
    }
  },
};

/** Sizes of a convolution of x `[N, C, H, W]` with w `[OC, C / groups, KH, KW]`; throws where the two do not fit. */
function sizesOf(
  op: string,
  xShape: readonly number[],
  wShape: readonly number[],
  { stride, padding, groups: G = 1, dilation = 1 }: ConvGeometry,
) {
  const [N, C, H, W] = xShape;
  const [OC, wC, KH, KW] = wShape;
  expectGroups(op, C, OC, G);
  if (xShape.length !== 4 || wShape.length !== 4 || wC * G !== C)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: w is ${shapeText(wShape)}, expected [OC, C / groups, KH, KW] with the C of x, which is ${shapeText(xShape)} (N, C, H, W), and groups ${G}`,
    );
  const OH = outputSize(op, 'height', H, KH, stride, padding, dilation);
  const OW = outputSize(op, 'width', W, KW, stride, padding, dilation);
  return { N, C, H, W, OC, KH, KW, OH, OW, stride, padding, G, dilation };
}

function push(r: Recorder, kernel: Kernel, operands: Step['operands'], sizes: Sizes, to: Into): void {
  r.push({ kernel, operands, sizes, constants: {}, accumulate: to.accumulate ?? false });
}

/** y = x * w + b, and where there is a second pair of factors the convolution of these on top. */
export function forward(
  r: Recorder,
  { x, w, b, second }: { x: View; w: View; b?: View; second?: { x: View; w: View } },
  geometry: ConvGeometry,
  to: Into = {},
): View {
  const op = forwardKernel.name;
  const s = sizesOf(op, x.shape, w.shape, geometry);
  if (b) expectShape(op, 'b', b, [s.OC], `because w is ${shapeText(w.shape)}`);
  const { x: x2, w: w2 } = second ?? {};
  expectLike(op, { x, w }, { x: x2, w: w2 });
  const P = population(op, { x, w, x2, w2, b });
  const y = destination(r, op, 'y', P, [s.N, s.OC, s.OH, s.OW], to);
  const operands = { x, w, x2, w2, b, y };
  push(r, forwardKernel, operands, { P, ...s }, to);
  return y;
}

/** xBar = yBar correlated back through w; `xShape` is the `[N, C, H, W]` of the input. A second pair adds its own. */
export function backwardInput(
  r: Recorder,
  { yBar, w, second }: { yBar: View; w: View; second?: { yBar: View; w: View } },
  geometry: ConvGeometry,
  xShape: readonly number[],
  to: Into = {},
): View {
  const op = backwardInputKernel.name;
  const s = sizesOf(op, xShape, w.shape, geometry);
  expectShape(
    op,
    'yBar',
    yBar,
    [s.N, s.OC, s.OH, s.OW],
    `for x ${shapeText(xShape)} and w ${shapeText(w.shape)}`,
  );
  const { yBar: yBar2, w: w2 } = second ?? {};
  expectLike(op, { yBar, w }, { yBar: yBar2, w: w2 });
  const P = population(op, { yBar, w, yBar2, w2 });
  const xBar = destination(r, op, 'xBar', P, xShape, to);
  const operands = { yBar, w, yBar2, w2, xBar };
  push(r, backwardInputKernel, operands, { P, ...s }, to);
  return xBar;
}

/** wBar = x correlated with yBar, summed over the batch, `[OC, C / groups, KH, KW]` as `wShape` says. A second pair adds its own. */
export function backwardWeight(
  r: Recorder,
  { x, yBar, second }: { x: View; yBar: View; second?: { x: View; yBar: View } },
  geometry: ConvGeometry,
  wShape: readonly number[],
  to: Into = {},
): View {
  const op = backwardWeightKernel.name;
  const s = sizesOf(op, x.shape, wShape, geometry);
  expectShape(
    op,
    'yBar',
    yBar,
    [s.N, s.OC, s.OH, s.OW],
    `for x ${shapeText(x.shape)} and w ${shapeText(wShape)}`,
  );
  const { x: x2, yBar: yBar2 } = second ?? {};
  expectLike(op, { x, yBar }, { x: x2, yBar: yBar2 });
  const P = population(op, { x, yBar, x2, yBar2 });
  const wBar = destination(r, op, 'wBar', P, wShape, to);
  const operands = { x, yBar, x2, yBar2, wBar };
  push(r, backwardWeightKernel, operands, { P, ...s }, to);
  return wBar;
}

interface CaseShape {
  P: number;
  N: number;
  C: number;
  H: number;
  W: number;
  OC: number;
  K: number;
  stride?: number;
  padding?: number;
  groups?: number;
  dilation?: number;
  /** Which of the two operands is shared by the population. */
  shared?: 'first' | 'second';
  accumulate?: boolean;
  /** Most of yBar is zero, as behind max pooling. */
  sparse?: boolean;
  /** A second pair of factors, in which the other operand is the shared one. */
  paired?: boolean;
  bench?: boolean;
}

function casesOf(shape: CaseShape): OpCase[] {
  const { P, N, C, H, W, OC, K, stride = 1, padding = 0, groups = 1, dilation = 1 } = shape;
  const { shared, accumulate, sparse, paired, bench } = shape;
  const fill = sparse ? { yBar: { kind: 'sparse' } as const } : undefined;
  const geometry = { stride, padding, groups, dilation };
  const wShape = [OC, C / groups, K, K];
  const { OH, OW } = sizesOf('conv2d case', [N, C, H, W], wShape, geometry);
  const first = shared === 'first' ? 1 : P;
  const second = shared === 'second' ? 1 : P;
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} k${K} s${stride} p${padding}` +
    `${groups > 1 ? ` g${groups}` : ''}${dilation > 1 ? ` d${dilation}` : ''}` +
    `${shared ? ` ${shared} shared` : ''}${sparse ? ' sparse' : ''}${paired ? ' paired' : ''}${accumulate ? ' accumulate' : ''}`;
  const [xShape, yShape] = [
    [N, C, H, W],
    [N, OC, OH, OW],
  ];
  return [
    {
      name: `conv2d.forward ${name}`,
      bench,
      record(r) {
        const x = r.external('x', first, xShape);
        const w = r.external('w', second, wShape);
        const b = accumulate ? undefined : r.external('b', second, [OC]);
        const more = paired
          ? { x: r.external('x2', second, xShape), w: r.external('w2', first, wShape) }
          : undefined;
        forward(r, { x, w, b, second: more }, geometry, { into: r.external('y', P, yShape), accumulate });
      },
    },
    {
      name: `conv2d.backwardInput ${name}`,
      fill,
      bench,
      record(r) {
        const yBar = r.external('yBar', first, yShape);
        const w = r.external('w', second, wShape);
        const more = paired
          ? { yBar: r.external('yBar2', second, yShape), w: r.external('w2', first, wShape) }
          : undefined;
        const into = r.external('xBar', P, xShape);
        backwardInput(r, { yBar, w, second: more }, geometry, xShape, { into, accumulate });
      },
    },
    {
      name: `conv2d.backwardWeight ${name}`,
      fill,
      bench,
      record(r) {
        const x = r.external('x', first, xShape);
        const yBar = r.external('yBar', second, yShape);
        const more = paired
          ? { x: r.external('x2', second, xShape), yBar: r.external('yBar2', first, yShape) }
          : undefined;
        const into = r.external('wBar', P, wShape);
        backwardWeight(r, { x, yBar, second: more }, geometry, wShape, { into, accumulate });
      },
    },
  ];
}

const caseShapes: readonly CaseShape[] = [
  { P: 1, N: 1, C: 1, H: 1, W: 1, OC: 1, K: 1 },
  { P: 1, N: 2, C: 1, H: 9, W: 7, OC: 6, K: 5, padding: 2 },
  { P: 3, N: 2, C: 3, H: 6, W: 5, OC: 4, K: 3, padding: 1, shared: 'first' },
  { P: 3, N: 3, C: 2, H: 7, W: 8, OC: 5, K: 3, stride: 2, padding: 1, shared: 'second' },
  { P: 2, N: 3, C: 2, H: 8, W: 6, OC: 3, K: 3, stride: 2, accumulate: true },
  { P: 1, N: 5, C: 2, H: 7, W: 7, OC: 17, K: 4, stride: 3, padding: 3, accumulate: true },
  { P: 1, N: 10, C: 6, H: 14, W: 14, OC: 16, K: 5 },
  { P: 1, N: 37, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2 },
  { P: 1, N: 10, C: 6, H: 14, W: 14, OC: 16, K: 5, paired: true, bench: true },
  { P: 2, N: 3, C: 3, H: 6, W: 5, OC: 4, K: 3, padding: 1, paired: true, accumulate: true },
  { P: 3, N: 3, C: 2, H: 7, W: 8, OC: 5, K: 3, stride: 2, padding: 1, shared: 'first', paired: true },
  { P: 3, N: 2, C: 4, H: 7, W: 6, OC: 6, K: 3, groups: 2, shared: 'second', paired: true },
  { P: 1, N: 2, C: 4, H: 7, W: 6, OC: 6, K: 3, padding: 1, groups: 2 },
  { P: 3, N: 2, C: 6, H: 6, W: 7, OC: 6, K: 3, stride: 2, padding: 1, groups: 6, shared: 'first' },
  { P: 1, N: 3, C: 10, H: 5, W: 5, OC: 40, K: 1, groups: 2, accumulate: true },
  { P: 1, N: 2, C: 2, H: 9, W: 10, OC: 3, K: 3, padding: 2, dilation: 2 },
  { P: 2, N: 2, C: 2, H: 11, W: 9, OC: 5, K: 3, stride: 2, padding: 3, dilation: 3, shared: 'second' },
  {
    P: 2,
    N: 2,
    C: 4,
    H: 11,
    W: 12,
    OC: 6,
    K: 3,
    stride: 2,
    padding: 1,
    groups: 2,
    dilation: 2,
    accumulate: true,
  },
  { P: 1, N: 2, C: 3, H: 12, W: 13, OC: 6, K: 2, stride: 4, padding: 3, groups: 3, dilation: 6 },
  { P: 1, N: 2, C: 40, H: 17, W: 15, OC: 24, K: 3, padding: 1, accumulate: true },
  { P: 2, N: 2, C: 32, H: 9, W: 10, OC: 40, K: 3, stride: 2, padding: 1, groups: 2, shared: 'second' },
  { P: 1, N: 9, C: 6, H: 14, W: 14, OC: 16, K: 5, sparse: true },
  { P: 2, N: 5, C: 1, H: 12, W: 28, OC: 6, K: 5, padding: 2, sparse: true, shared: 'first' },
  { P: 1, N: 4, C: 32, H: 9, W: 11, OC: 40, K: 3, padding: 1, groups: 2, sparse: true, accumulate: true },
  { P: 1, N: 5, C: 8, H: 9, W: 9, OC: 100, K: 3, stride: 2, padding: 1, accumulate: true },
  { P: 2, N: 3, C: 16, H: 8, W: 7, OC: 136, K: 3, stride: 2, padding: 1, groups: 2, sparse: true },
  { P: 20, N: 1, C: 2, H: 5, W: 6, OC: 3, K: 3, padding: 1, shared: 'first', accumulate: true },
  { P: 1, N: 3, C: 3, H: 17, W: 16, OC: 11, K: 7, stride: 2, padding: 3, sparse: true },
  { P: 1, N: 1024, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2, bench: true },
  { P: 1, N: 1024, C: 6, H: 14, W: 14, OC: 16, K: 5, bench: true },
];

export const cases: readonly OpCase[] = caseShapes.flatMap(casesOf);
