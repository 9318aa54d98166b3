import type { Kernel, Sizes } from '../../kernel.js';
import type { OpCase } from '../../op.js';
import * as conv2d from '../../ops/conv2d.js';
import type { Recorder } from '../../program.js';
import type { View } from '../../view.js';

/**
 * 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), where a tile of 4x4 outputs costs 36 products instead of 144.
 * With 6x6 inputs d, weights g and `u = G g Gᵀ`
 *
 *     y = Aᵀ [u . (Bᵀ d B)] A,   dBar = B [u . (A yBar Aᵀ)] Bᵀ,   gBar = Gᵀ [(Bᵀ d B) . (A yBar Aᵀ)] G
 *
 * where `.` is a product element by element, added up over input channels, output channels, or tiles: 36 matrix
 * products. In exact arithmetic these are the convolution and its two adjoints: the definitions are those of `conv2d`, and so are
 * the tolerances. No layer records them, the pass `winograd` puts them in.
 */
const sizes = ['P', 'N', 'C', 'H', 'W', 'OC', 'OH', 'OW', 'padding'] as const;

/** The sizes of the plain convolution. */
const whole = (s: Sizes): Sizes => ({ ...s, KH: 3, KW: 3, stride: 1, G: 1, dilation: 1 });

/** A kernel of conv2d by Winograd's algorithm: the same operands and sums, fewer products. */
const fast = (name: string, plain: Kernel): Kernel => ({
  name,
  operands: plain.operands,
  sizes,
  constants: [],
  kind: plain.kind,
  reduction: (s, operands) => plain.reduction(whole(s), operands),
  flops: (s, operands) => plain.flops(whole(s), operands),
  reference: (operands, s, constants, accumulate) =>
    plain.reference(operands, whole(s), constants, accumulate),
});

export const forwardKernel = fast('winograd.forward', conv2d.forwardKernel);
export const backwardInputKernel = fast('winograd.backwardInput', conv2d.backwardInputKernel);
export const backwardWeightKernel = fast('winograd.backwardWeight', conv2d.backwardWeightKernel);

interface CaseShape {
  N: number;
  C: number;
  H: number;
  W: number;
  OC: number;
  padding: number;
  P?: number;
  /** Which factors of every pair the population shares. */
  shared?: 'first' | 'second';
  pairs?: 1 | 2;
  accumulate?: boolean;
}

function casesOf(shape: CaseShape): OpCase[] {
  const { N, C, H, W, OC, padding, P = 1, shared, pairs = 1, accumulate = false } = shape;
  const [OH, OW] = [H + 2 * padding - 2, W + 2 * padding - 2];
  const geometry = { P, N, C, H, W, OC, OH, OW, padding };
  const [x, y, w] = [
    [N, C, H, W],
    [N, OC, OH, OW],
    [OC, C, 3, 3],
  ];
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} p${padding}${shared ? ` ${shared} shared` : ''}` +
    `${pairs > 1 ? ' two pairs' : ''}${accumulate ? ' accumulate' : ''}`;

  const step = (
    kernel: Kernel,
    first: [string, readonly number[]],
    second: [string, readonly number[]],
    result: [string, readonly number[]],
    more: (r: Recorder) => Record<string, View> = () => ({}),
  ): OpCase => ({
    name: `${kernel.name} ${name}`,
    record(r) {
      const factor = ([name, shape]: [string, readonly number[]], which: string, suffix: string) => [
        name + suffix,
        r.external(name + suffix, shared === which ? 1 : P, shape),
      ];
      const factors = ['', '2']
        .slice(0, pairs)
        .flatMap((suffix) => [factor(first, 'first', suffix), factor(second, 'second', suffix)]);
      const [out, outShape] = result;
      const operands = { ...Object.fromEntries(factors), ...more(r), [out]: r.external(out, P, outShape) };
      r.push({ kernel, operands, sizes: geometry, constants: {}, accumulate });
    },
  });
  const members = shared === 'second' ? 1 : P;
  return [
    step(
      forwardKernel,
      ['x', x],
      ['w', w],
      ['y', y],
      (r): Record<string, View> => (accumulate ? {} : { b: r.external('b', members, [OC]) }),
    ),
    step(backwardInputKernel, ['yBar', y], ['w', w], ['xBar', x]),
    step(backwardWeightKernel, ['x', x], ['yBar', y], ['wBar', w]),
  ];
}

/**
 * At least 16 channels, as in the pass: all pixels of a tile share its rounding errors, which with fewer channels may exceed the
 * tolerance of a pixel at the border that is a sum of few terms.
 */
export const cases: readonly OpCase[] = [
  { N: 2, C: 16, H: 8, W: 8, OC: 16, padding: 1 },
  { N: 3, C: 17, H: 7, W: 9, OC: 19, padding: 1 },
  { N: 2, C: 18, H: 6, W: 5, OC: 17, padding: 0, pairs: 2 as const },
  { N: 1, C: 21, H: 3, W: 10, OC: 33, padding: 2, accumulate: true },
  { P: 3, N: 2, C: 17, H: 5, W: 6, OC: 16, padding: 1, shared: 'first' as const },
  {
    P: 3,
    N: 2,
    C: 16,
    H: 4,
    W: 7,
    OC: 18,
    padding: 1,
    shared: 'second' as const,
    pairs: 2 as const,
    accumulate: true,
  },
  { P: 2, N: 1, C: 16, H: 1, W: 1, OC: 16, padding: 1, pairs: 2 as const },
].flatMap(casesOf);
