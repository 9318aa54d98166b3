import { LimbeckError, shapeText } from '../../util/errors.js';
import { destination, expectShape, type Into, type Kernel, type OpCase, population } from '../kernel.js';
import type { Recorder, Sizes, View } from '../program.js';

/**
 * Two-dimensional convolution (cross-correlation, as every framework means it).
 *
 *     y[n,oc,oh,ow] = b[oc] + sum over c,kh,kw of x[n, c, oh*stride + kh - padding, ow*stride + kw - padding] * w[oc,c,kh,kw]
 *
 * x `[N, C, H, W]`, w `[OC, C, KH, KW]`, b `[OC]`, y `[N, OC, OH, OW]`; pixels outside x are zero.
 * The op is bilinear in (x, w): the tangent passes are these same kernels fed one tangent operand at a time.
 */
export interface ConvGeometry {
  readonly stride: number;
  readonly padding: number;
}

const sizes = ['P', 'N', 'C', 'H', 'W', 'OC', 'KH', 'KW', 'OH', 'OW', 'stride', 'padding'] as const;
const multiplyAdds = (s: Sizes) => 2 * s.P * s.N * s.OC * s.OH * s.OW * s.C * s.KH * s.KW;

/** Output size of one axis: `floor((size + 2 padding - kernel) / stride) + 1`; throws when that is below 1. */
export function outputSize(
  op: string,
  axis: string,
  size: number,
  kernel: number,
  stride: number,
  padding: number,
): number {
  if (
    ![kernel, stride].every((n) => Number.isInteger(n) && n >= 1) ||
    !Number.isInteger(padding) ||
    padding < 0
  )
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: kernel ${kernel}, stride ${stride}, padding ${padding}: expected whole kernel >= 1, stride >= 1, padding >= 0`,
    );
  const output = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  if (output < 1)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: the ${axis} of the input is ${size}, too small for a kernel of ${kernel} with padding ${padding}`,
    );
  return output;
}

/** Calls `visit(y, x, w)` with the three element indices of every product in one member. */
function forEachProduct(s: Sizes, visit: (yIndex: number, xIndex: number, wIndex: number) => void): void {
  for (let n = 0; n < s.N; n++)
    for (let oc = 0; oc < s.OC; oc++)
      for (let oh = 0; oh < s.OH; oh++)
        for (let ow = 0; ow < s.OW; ow++) {
          const y = ((n * s.OC + oc) * s.OH + oh) * s.OW + ow;
          for (let c = 0; c < s.C; c++)
            for (let kh = 0; kh < s.KH; kh++) {
              const h = oh * s.stride + kh - s.padding;
              if (h < 0 || h >= s.H) continue;
              for (let kw = 0; kw < s.KW; kw++) {
                const w = ow * s.stride + kw - s.padding;
                if (w < 0 || w >= s.W) continue;
                visit(y, ((n * s.C + c) * s.H + h) * s.W + w, ((oc * s.C + c) * s.KH + kh) * s.KW + kw);
              }
            }
        }
}

export const forwardKernel: Kernel = {
  name: 'conv2d.forward',
  operands: { x: 'read', w: 'read', b: 'optional', y: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.C * s.KH * s.KW + 1,
  flops: multiplyAdds,
  reference({ x, w, b, y }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [xp, wp, yp] = [x(p), w(p), y(p)];
      const map = s.OH * s.OW;
      for (let i = 0; i < yp.length; i++) {
        const bias = b ? b(p)[Math.floor(i / map) % s.OC] : 0;
        yp[i] = (accumulate ? yp[i] : 0) + bias;
      }
      forEachProduct(s, (yi, xi, wi) => {
        yp[yi] += xp[xi] * wp[wi];
      });
    }
  },
};

export const backwardInputKernel: Kernel = {
  name: 'conv2d.backwardInput',
  operands: { yBar: 'read', w: 'read', xBar: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.OC * s.KH * s.KW + 1,
  flops: multiplyAdds,
  reference({ yBar, w, xBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [yp, wp, xp] = [yBar(p), w(p), xBar(p)];
      if (!accumulate) xp.fill(0);
      forEachProduct(s, (yi, xi, wi) => {
        xp[xi] += yp[yi] * wp[wi];
      });
    }
  },
};

export const backwardWeightKernel: Kernel = {
  name: 'conv2d.backwardWeight',
  operands: { x: 'read', yBar: 'read', wBar: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.N * s.OH * s.OW + 1,
  flops: multiplyAdds,
  reference({ x, yBar, wBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, wp] = [x(p), yBar(p), wBar(p)];
      if (!accumulate) wp.fill(0);
      forEachProduct(s, (yi, xi, wi) => {
        wp[wi] += xp[xi] * yp[yi];
      });
    }
  },
};

/** Sizes of a convolution of x `[N, C, H, W]` with w `[OC, C, KH, KW]`; throws where the two do not fit. */
function sizesOf(
  op: string,
  xShape: readonly number[],
  wShape: readonly number[],
  { stride, padding }: ConvGeometry,
): Omit<Record<(typeof sizes)[number], number>, 'P'> {
  const [N, C, H, W] = xShape;
  const [OC, wC, KH, KW] = wShape;
  if (xShape.length !== 4 || wShape.length !== 4 || wC !== C)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: w is ${shapeText(wShape)}, expected [OC, C, KH, KW] with the C of x, which is ${shapeText(xShape)} (N, C, H, W)`,
    );
  const OH = outputSize(op, 'height', H, KH, stride, padding);
  const OW = outputSize(op, 'width', W, KW, stride, padding);
  return { N, C, H, W, OC, KH, KW, OH, OW, stride, padding };
}

/** y = x * w + b. */
export function forward(
  r: Recorder,
  { x, w, b }: { x: View; w: View; b?: View },
  geometry: ConvGeometry,
  to: Into = {},
): View {
  const op = forwardKernel.name;
  const s = sizesOf(op, x.shape, w.shape, geometry);
  if (b) expectShape(op, 'b', b, [s.OC], `because w is ${shapeText(w.shape)}`);
  const P = population(op, { x, w, b });
  const y = destination(r, op, 'y', P, [s.N, s.OC, s.OH, s.OW], to);
  const accumulate = to.accumulate ?? false;
  r.push({ kernel: forwardKernel, operands: { x, w, b, y }, sizes: { P, ...s }, constants: {}, accumulate });
  return y;
}

/** xBar = yBar correlated back through w; `xShape` is the `[N, C, H, W]` of the input. */
export function backwardInput(
  r: Recorder,
  { yBar, w }: { yBar: View; w: View },
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
  const P = population(op, { yBar, w });
  const xBar = destination(r, op, 'xBar', P, xShape, to);
  const accumulate = to.accumulate ?? false;
  r.push({
    kernel: backwardInputKernel,
    operands: { yBar, w, xBar },
    sizes: { P, ...s },
    constants: {},
    accumulate,
  });
  return xBar;
}

/** wBar = x correlated with yBar, summed over the batch; `wShape` is `[OC, C, KH, KW]`. */
export function backwardWeight(
  r: Recorder,
  { x, yBar }: { x: View; yBar: View },
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
  const P = population(op, { x, yBar });
  const wBar = destination(r, op, 'wBar', P, wShape, to);
  const accumulate = to.accumulate ?? false;
  r.push({
    kernel: backwardWeightKernel,
    operands: { x, yBar, wBar },
    sizes: { P, ...s },
    constants: {},
    accumulate,
  });
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
  stride: number;
  padding: number;
  /** Which of the two operands is shared by the population. */
  shared?: 'first' | 'second';
  accumulate?: boolean;
  bench?: boolean;
}

function casesOf(shape: CaseShape): OpCase[] {
  const { P, N, C, H, W, OC, K, stride, padding, shared, accumulate, bench } = shape;
  const OH = outputSize('conv2d case', 'height', H, K, stride, padding);
  const OW = outputSize('conv2d case', 'width', W, K, stride, padding);
  const geometry = { stride, padding };
  const first = shared === 'first' ? 1 : P;
  const second = shared === 'second' ? 1 : P;
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} k${K} s${stride} p${padding}` +
    `${shared ? ` ${shared} shared` : ''}${accumulate ? ' accumulate' : ''}`;
  return [
    {
      name: `conv2d.forward ${name}`,
      bench,
      record(r) {
        const x = r.external('x', first, [N, C, H, W]);
        const w = r.external('w', second, [OC, C, K, K]);
        const b = accumulate ? undefined : r.external('b', second, [OC]);
        forward(r, { x, w, b }, geometry, { into: r.external('y', P, [N, OC, OH, OW]), accumulate });
      },
    },
    {
      name: `conv2d.backwardInput ${name}`,
      bench,
      record(r) {
        const yBar = r.external('yBar', first, [N, OC, OH, OW]);
        const w = r.external('w', second, [OC, C, K, K]);
        backwardInput(r, { yBar, w }, geometry, [N, C, H, W], {
          into: r.external('xBar', P, [N, C, H, W]),
          accumulate,
        });
      },
    },
    {
      name: `conv2d.backwardWeight ${name}`,
      bench,
      record(r) {
        const x = r.external('x', first, [N, C, H, W]);
        const yBar = r.external('yBar', second, [N, OC, OH, OW]);
        backwardWeight(r, { x, yBar }, geometry, [OC, C, K, K], {
          into: r.external('wBar', P, [OC, C, K, K]),
          accumulate,
        });
      },
    },
  ];
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 1, C: 1, H: 1, W: 1, OC: 1, K: 1, stride: 1, padding: 0 },
  { P: 1, N: 2, C: 1, H: 9, W: 7, OC: 6, K: 5, stride: 1, padding: 2 },
  { P: 3, N: 2, C: 3, H: 6, W: 5, OC: 4, K: 3, stride: 1, padding: 1, shared: 'first' as const },
  { P: 3, N: 3, C: 2, H: 7, W: 8, OC: 5, K: 3, stride: 2, padding: 1, shared: 'second' as const },
  { P: 2, N: 3, C: 2, H: 8, W: 6, OC: 3, K: 3, stride: 2, padding: 0, accumulate: true },
  { P: 1, N: 5, C: 2, H: 7, W: 7, OC: 17, K: 4, stride: 3, padding: 3, accumulate: true },
  { P: 1, N: 10, C: 6, H: 14, W: 14, OC: 16, K: 5, stride: 1, padding: 0 },
  { P: 1, N: 37, C: 1, H: 28, W: 28, OC: 6, K: 5, stride: 1, padding: 2 },
  { P: 1, N: 1024, C: 1, H: 28, W: 28, OC: 6, K: 5, stride: 1, padding: 2, bench: true },
  { P: 1, N: 1024, C: 6, H: 14, W: 14, OC: 16, K: 5, stride: 1, padding: 0, bench: true },
].flatMap(casesOf);
