import type { Kernel } from '../../kernel.js';

/**
 * What a kernel may do with an element before it stores it, instead of the step that would follow: `rectified` is
 * `relu.forward`, `masked` is `relu.mask` (`shaders/with/`).
 */
export const finishes = ['rectified', 'masked'] as const;
export type Finish = (typeof finishes)[number];

/** The operand that is finished, by kernel: of those that a rectifier follows or its mask, in some network. */
const results: Readonly<Record<string, string>> = {
  'avgpool2d.backward': 'xBar',
  'conv2d.backwardInput': 'xBar',
  'conv2d.forward': 'y',
  'elementwise.add': 'out',
  'linear.backwardInput': 'xBar',
  'linear.forward': 'y',
  'maxpool2d.forward': 'y',
  'maxpool2d.tangent': 'yDot',
  'norm.forward': 'y',
  'norm.forwardFrozen': 'y',
  'norm.tangent': 'yDot',
};

/** The operand that a kernel may finish; undefined where it may not. In tiles and in half precision kernels are alike. */
export const finishedBy = ({ name }: Kernel): string | undefined =>
  results[name.replace(/^(tiled|half)/, '')];

/** A kernel that finishes its result. */
export function finishing(kernel: Kernel, finish: Finish): Kernel {
  const result = finishedBy(kernel)!;
  return {
    ...kernel,
    name: `${finish}${kernel.name}`,
    operands: finish === 'masked' ? { ...kernel.operands, mask: 'read' } : kernel.operands,
    reference(operands, s, constants, accumulate) {
      kernel.reference(operands, s, constants, accumulate);
      for (let p = 0; p < s.P; p++) {
        const values = operands[result](p);
        const mask = operands.mask?.(p);
        for (let i = 0; i < values.length; i++)
          values[i] = mask ? (mask[i] > 0 ? values[i] : 0) : Math.max(values[i], 0);
      }
    },
  };
}
