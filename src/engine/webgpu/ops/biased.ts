import type { Elements, Kernel, Members, Sizes } from '../../kernel.js';
import { backwardKernel } from '../../ops/bias.js';
import * as conv2d from '../../ops/conv2d.js';
import * as linear from '../../ops/linear.js';

/** Channels of a layer's bias, and elements of a map: its gradient is a sum of N * S terms for each channel. */
interface BiasGeometry {
  readonly C: number;
  readonly S: number;
}

export interface BiasedKernel extends Kernel {
  geometry(s: Sizes): BiasGeometry;
}

const additionsOf = (s: Sizes, { C, S }: BiasGeometry): number => s.P * s.N * C * S;

/**
 * A gradient of weights followed by that of the bias, where BIAS is 1: wBar is then `[weights + C]`, and its last C elements are the
 * sums of yBar `[N, C, S]` that `bias.backward` computes. A second pair of factors does not enter them.
 */
function withBias(kernel: Kernel, geometry: (s: Sizes) => BiasGeometry): BiasedKernel {
  return {
    ...kernel,
    geometry,
    sizes: [...kernel.sizes, 'BIAS'],
    flops: (s, operands) => kernel.flops(s, operands) + (s.BIAS ? additionsOf(s, geometry(s)) : 0),
    reference(operands, s, constants, accumulate) {
      kernel.reference(operands, s, constants, accumulate);
      if (!s.BIAS) return;
      const { C, S } = geometry(s);
      for (let p = 0; p < s.P; p++) {
        const [yp, wp] = [operands.yBar(p), operands.wBar(p)];
        const first = wp.length - C;
        if (!accumulate) wp.fill(0, first);
        for (let i = 0; i < s.N * C * S; i++) wp[first + (Math.floor(i / S) % C)] += yp[i];
      }
    },
  };
}

/** Gradients of several biases of the same size, SETS of them one behind the other: yBar `[SETS, N, C, S]`, bBar `[SETS, C]`. */
export const setsKernel: Kernel = {
  ...backwardKernel,
  sizes: [...backwardKernel.sizes, 'SETS'],
  flops: (s, operands) => s.SETS * backwardKernel.flops(s, operands),
  reference({ yBar, bBar }, s, constants, accumulate) {
    const part =
      (of: Members, set: number): Members =>
      (p) => {
        const all = of(p);
        const length = all.length / s.SETS;
        return all.subarray(set * length, (set + 1) * length) as Elements;
      };
    for (let set = 0; set < s.SETS; set++)
      backwardKernel.reference({ yBar: part(yBar, set), bBar: part(bBar, set) }, s, constants, accumulate);
  },
};

export const biasedKernels: Readonly<Record<string, BiasedKernel>> = {
  'conv2d.backwardWeight': withBias(conv2d.backwardWeightKernel, (s) => ({ C: s.OC, S: s.OH * s.OW })),
  'linear.backwardWeight': withBias(linear.backwardWeightKernel, (s) => ({ C: s.O, S: 1 })),
};
