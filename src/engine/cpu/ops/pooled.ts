import { type Kernel, type Members, pairCount, type Sizes } from '../../kernel.js';
import type { OpCase } from '../../op.js';
import * as conv2d from '../../ops/conv2d.js';
import * as maxpool2d from '../../ops/maxpool2d.js';
import type { Recorder } from '../../program.js';

/**
 * A convolution whose output is read by max pooling alone, in windows of 2 x 2 that do not overlap; the output itself is never
 * written:
 *
 *     y, index = forward(x, w, b) = maxpool2d(conv2d(x, w, b))
 *
 * And gradients of a convolution whose output y is read by max pooling alone: most of the gradient of y is zero, and it is never
 * written. yBar is the gradient of the pooling's output, and `index` where each element of it goes:
 *
 *     xBar = backwardInput(scatter(yBar, index), w);   wBar = backwardWeight(x, scatter(yBar, index))
 *
 * as in `conv2d`, for one pair of factors or two behind the same pooling. No layer records these ops, the pass `pooled` puts
 * them in. yBar and index `[N, OC, …]`, with `outputs` elements a map, of which index are places `oh * OW + ow`.
 */
const sizes = [
  ...['P', 'N', 'C', 'H', 'W', 'OC', 'KH', 'KW', 'OH', 'OW'],
  ...['stride', 'padding', 'G', 'dilation', 'outputs'],
] as const;

/** The gradient of the convolution's output. */
function scatter(yBar: Members, index: Members, s: Sizes): Members {
  return (p) => {
    const [from, places] = [yBar(p), index(p)];
    const to = new Float64Array(s.N * s.OC * s.OH * s.OW);
    for (let i = 0; i < from.length; i++) to[Math.floor(i / s.outputs) * s.OH * s.OW + places[i]] += from[i];
    return to;
  };
}

const multiplyAdds: Kernel['flops'] = (s, operands) =>
  pairCount(operands) * 2 * s.P * s.N * s.OC * s.outputs * s.C * s.KH * s.KW;

export const forwardKernel: Kernel = {
  name: 'pooled.forward',
  operands: { x: 'read', w: 'read', b: 'optional', y: 'write', index: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'b'] } },
  kind: 'nonlinear',
  reduction: (s) => s.C * s.KH * s.KW + 1,
  flops: (s, operands) => conv2d.forwardKernel.flops(s, operands) + s.P * s.N * s.OC * s.OH * s.OW,
  reference({ x, w, b, y, index }, s, constants) {
    const maps = Array.from({ length: s.P }, () => new Float64Array(s.N * s.OC * s.OH * s.OW));
    conv2d.forwardKernel.reference({ x, w, b, y: (p) => maps[p] }, s, constants, false);
    const window = { H: s.OH, W: s.OW, OH: s.OH / 2, OW: s.OW / 2, KH: 2, KW: 2, stride: 2, padding: 0 };
    const pooling = { P: s.P, N: s.N, C: s.OC, ...window };
    maxpool2d.forwardKernel.reference({ x: (p) => maps[p], y, index }, pooling, constants, false);
  },
};

export const backwardInputKernel: Kernel = {
  name: 'pooled.backwardInput',
  operands: { yBar: 'read', w: 'read', yBar2: 'optional', w2: 'optional', index: 'read', xBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], whole: ['w', 'w2'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.OC * s.KH * s.KW + 1,
  flops: multiplyAdds,
  reference({ yBar, w, yBar2, w2, index, xBar }, s, constants, accumulate) {
    const { reference } = conv2d.backwardInputKernel;
    reference({ yBar: scatter(yBar, index, s), w, xBar }, s, constants, accumulate);
    if (yBar2 && w2) reference({ yBar: scatter(yBar2, index, s), w: w2, xBar }, s, constants, true);
  },
};

export const backwardWeightKernel: Kernel = {
  name: 'pooled.backwardWeight',
  operands: { x: 'read', yBar: 'read', x2: 'optional', yBar2: 'optional', index: 'read', wBar: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['N'], sums: ['wBar'] } },
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.N * s.outputs + 1,
  flops: multiplyAdds,
  reference({ x, yBar, x2, yBar2, index, wBar }, s, constants, accumulate) {
    const { reference } = conv2d.backwardWeightKernel;
    reference({ x, yBar: scatter(yBar, index, s), wBar }, s, constants, accumulate);
    if (x2 && yBar2) reference({ x: x2, yBar: scatter(yBar2, index, s), wBar }, s, constants, true);
  },
};

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
  /** Which factors of every pair the population shares. */
  shared?: 'first' | 'second';
  paired?: boolean;
  accumulate?: boolean;
  bench?: boolean;
}

function casesOf(shape: CaseShape): OpCase[] {
  const { P, N, C, H, W, OC, K, stride = 1, padding = 0 } = shape;
  const { shared, paired = false, accumulate = false, bench } = shape;
  const output = (size: number) => conv2d.outputSize('pooled case', 'map', size, K, stride, padding);
  const [OH, OW] = [output(H), output(W)];
  const [x, w, y] = [
    [N, C, H, W],
    [OC, C, K, K],
    [N, OC, Math.ceil(OH / 2), Math.ceil(OW / 2)],
  ];
  const geometry = { P, N, C, H, W, OC, KH: K, KW: K, OH, OW, stride, padding, G: 1, dilation: 1 };
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} k${K} s${stride} p${padding}` +
    `${shared ? ` ${shared} shared` : ''}${paired ? ' two pairs' : ''}${accumulate ? ' accumulate' : ''}`;

  const step = (
    kernel: Kernel,
    first: [string, readonly number[]],
    second: [string, readonly number[]],
    result: [string, readonly number[]],
  ): OpCase => ({
    name: `${kernel.name} ${name}`,
    bench,
    fill: { index: { kind: 'below', limit: OH * OW } },
    record(r: Recorder) {
      const factor = ([name, shape]: [string, readonly number[]], which: string, suffix: string) => [
        name + suffix,
        r.external(name + suffix, shared === which ? 1 : P, shape),
      ];
      const factors = (paired ? ['', '2'] : ['']).flatMap((suffix) => [
        factor(first, 'first', suffix),
        factor(second, 'second', suffix),
      ]);
      const index = r.external('index', P, y, 'u32');
      const operands = {
        ...Object.fromEntries(factors),
        index,
        [result[0]]: r.external(result[0], P, result[1]),
      };
      const sizes = { ...geometry, outputs: y[2] * y[3] };
      r.push({ kernel, operands, sizes, constants: {}, accumulate });
    },
  });
  return [
    step(backwardInputKernel, ['yBar', y], ['w', w], ['xBar', x]),
    step(backwardWeightKernel, ['x', x], ['yBar', y], ['wBar', w]),
  ];
}

const windows = { kernel: 2, stride: 2, padding: 0 };

/** Compares y and the convolution's output at the winners, not the winners: of two that are nearly equal either may win. */
function forwardCase(shape: CaseShape & { bias?: boolean }): OpCase {
  const { P, N, C, H, W, OC, K, padding = 0, shared, bias = true, bench } = shape;
  const [OH, OW] = [H, W].map((size) => conv2d.outputSize('pooled case', 'map', size, K, 1, padding));
  const pooled = [N, OC, OH / 2, OW / 2];
  const sharing = shared ? ` ${shared} shared` : '';
  return {
    name: `pooled.forward P=${P} N=${N} ${C}x${H}x${W} -> ${OC} k${K} p${padding}${bias ? '' : ' no bias'}${sharing}`,
    bench,
    record(r) {
      const x = r.external('x', shared === 'first' ? 1 : P, [N, C, H, W]);
      const w = r.external('w', shared === 'second' ? 1 : P, [OC, C, K, K]);
      const b = bias ? r.external('b', P, [OC]) : undefined;
      const y = r.external('y', P, pooled);
      const index = r.temporary('index', P, pooled, 'u32');
      const geometry = { P, N, C, H, W, OC, KH: K, KW: K, OH, OW, stride: 1, padding, G: 1, dilation: 1 };
      const sizes = { ...geometry, outputs: pooled[2] * pooled[3] };
      r.push({
        kernel: forwardKernel,
        operands: { x, w, b, y, index },
        sizes,
        constants: {},
        accumulate: false,
      });
      if (bench) return;
      const xDot = conv2d.forward(r, { x, w, b }, { stride: 1, padding });
      maxpool2d.tangent(r, { xDot, index }, windows, { into: r.external('picked', P, pooled) });
    },
  };
}

export const cases: readonly OpCase[] = (
  [
    { P: 1, N: 10, C: 6, H: 14, W: 14, OC: 16, K: 5 },
    { P: 1, N: 9, C: 6, H: 14, W: 14, OC: 16, K: 5, paired: true },
    { P: 2, N: 5, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2, paired: true, shared: 'first' },
    { P: 3, N: 3, C: 3, H: 7, W: 9, OC: 4, K: 3, padding: 1, shared: 'second', accumulate: true },
    {
      P: 2,
      N: 2,
      C: 17,
      H: 8,
      W: 11,
      OC: 5,
      K: 3,
      padding: 2,

      paired: true,
      accumulate: true,
    },
    { P: 1, N: 4, C: 3, H: 17, W: 16, OC: 11, K: 7, stride: 2, padding: 3 },
    { P: 1, N: 2, C: 10, H: 9, W: 8, OC: 3, K: 2, stride: 3, paired: true },
    { P: 1, N: 40, C: 32, H: 9, W: 11, OC: 40, K: 3, padding: 1 },
    { P: 1, N: 1024, C: 6, H: 14, W: 14, OC: 16, K: 5, bench: true },
    { P: 1, N: 1024, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2, bench: true },
  ] as const
)
  .flatMap(casesOf)
  .concat(
    (
      [
        { P: 1, N: 10, C: 6, H: 14, W: 14, OC: 16, K: 5 },
        { P: 2, N: 17, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2, shared: 'first' },
        { P: 3, N: 3, C: 3, H: 6, W: 10, OC: 13, K: 3, padding: 1, shared: 'second' },
        { P: 2, N: 33, C: 5, H: 5, W: 7, OC: 1, K: 2, bias: false },
        { P: 1, N: 1024, C: 6, H: 14, W: 14, OC: 16, K: 5, bench: true },
        { P: 1, N: 1024, C: 1, H: 28, W: 28, OC: 6, K: 5, padding: 2, bench: true },
      ] as const
    ).map(forwardCase),
  );
