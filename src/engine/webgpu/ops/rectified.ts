import type { Kernel } from '../../kernel.js';

/**
 * What a kernel may do with an element before it stores it, instead of the step that would follow: `rectified` is
 * `relu.forward`, `masked` is `relu.mask` (`shaders/with/`).
 */
export const rectifications = ['rectified', 'masked'] as const;
export type Rectification = (typeof rectifications)[number];

/** The mask of a kernel that masks its result: always its last binding. No op has an operand of this name. */
export const maskOperand = 'maskOfRectifier';

/** The kernels whose result a ReLU, or the mask of one, follows in some network, and that result. */
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

/** The result that a kernel may rectify, also in tiles and in half precision; undefined where it may not. */
export const rectifiable = ({ name }: Kernel): string | undefined =>
  results[name.replace(/^(tiled|half)/, '')];

/** A kernel that rectifies its result, or masks it. */
export function rectifying(kernel: Kernel, how: Rectification): Kernel {
  const result = rectifiable(kernel)!;
  return {
    ...kernel,
    name: `${how}${kernel.name}`,
    operands: how === 'masked' ? { ...kernel.operands, [maskOperand]: 'read' } : kernel.operands,
    reference(operands, s, constants, accumulate) {
      kernel.reference(operands, s, constants, accumulate);
      for (let p = 0; p < s.P; p++) {
        const values = operands[result](p);
        const mask = operands[maskOperand]?.(p);
        for (let i = 0; i < values.length; i++)
          values[i] = mask ? (mask[i] > 0 ? values[i] : 0) : Math.max(values[i], 0);
      }
    },
  };
}
