import type { Kernel, Sizes } from '../kernel.js';
import type { OpCase } from '../op.js';
import { Program, type Recorder } from '../program.js';
import type { Step } from '../step.js';
import type { View } from '../view.js';

/** 3x3 convolutions of stride 1, for the passes that put faster kernels in the place of those of `conv2d`. */
const sizes = ['P', 'N', 'C', 'H', 'W', 'OC', 'OH', 'OW', 'padding'] as const;

/** The sizes of the plain convolution. */
const whole = (s: Sizes): Sizes => ({ ...s, KH: 3, KW: 3, stride: 1, G: 1, dilation: 1 });

/** A kernel of conv2d computed in another way: the same operands and sums. */
export const threeByThree = (name: string, plain: Kernel, cuts?: Kernel['cuts']): Kernel => ({
  name,
  operands: plain.operands,
  sizes,
  constants: [],
  cuts,
  kind: plain.kind,
  reduction: (s, operands) => plain.reduction(whole(s), operands),
  flops: (s, operands) => plain.flops(whole(s), operands),
  reference: (operands, s, constants, accumulate) =>
    plain.reference(operands, whole(s), constants, accumulate),
});

/** Whether these are the sizes of such a convolution. */
const isThreeByThree = (s: Sizes): boolean =>
  s.KH === 3 && s.KW === 3 && s.stride === 1 && s.dilation === 1 && s.G === 1;

/** The same program with other kernels, by the names of those of conv2d, for such convolutions where it `pays`. */
export function byKernels(
  program: Program,
  kernels: Readonly<Record<string, Kernel>>,
  pays: (sizes: Sizes) => boolean,
): Program {
  const steps = program.steps.map((step): Step => {
    const kernel = kernels[step.kernel.name];
    if (!kernel || !isThreeByThree(step.sizes) || !pays(step.sizes)) return step;
    const { P, N, C, H, W, OC, OH, OW, padding } = step.sizes;
    return { ...step, kernel, sizes: { P, N, C, H, W, OC, OH, OW, padding } };
  });
  return new Program(program.name, program.slots, steps);
}

export interface CaseShape {
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

interface Kernels {
  readonly forward: Kernel;
  readonly backwardInput?: Kernel;
  readonly backwardWeight: Kernel;
}

/** Cases of an op with these kernels. */
export function casesOf(kernels: Kernels, shape: CaseShape): OpCase[] {
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
      kernels.forward,
      ['x', x],
      ['w', w],
      ['y', y],
      (r): Record<string, View> => (accumulate ? {} : { b: r.external('b', members, [OC]) }),
    ),
    ...(kernels.backwardInput ? [step(kernels.backwardInput, ['yBar', y], ['w', w], ['xBar', x])] : []),
    step(kernels.backwardWeight, ['x', x], ['yBar', y], ['wBar', w]),
  ];
}
