import type { Kernel } from '../kernel.js';
import { destination, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Gradient of a bias: `bBar[c] = sum over n and s of yBar[n,c,s]`, where `s` runs over the map (one element after
 * a linear layer). The forward direction is part of `conv2d.forward` and `linear.forward`.
 *
 * yBar `[N, C, ...map]`, bBar `[C]`.
 */
export const backwardKernel: Kernel = {
  name: 'bias.backward',
  operands: { yBar: 'read', bBar: 'write' },
  sizes: ['P', 'N', 'C', 'S'],
  constants: [],
  cuts: {
    images: { sizes: ['N'], sums: ['bBar'] },
    planes: { channels: ['C'], images: ['N'], channelSums: ['bBar'] },
  },
  kind: 'multilinear',
  reduction: (s) => s.N * s.S + 1,
  flops: (s) => s.P * s.N * s.C * s.S,
  reference({ yBar, bBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [yp, bp] = [yBar(p), bBar(p)];
      for (let c = 0; c < s.C; c++) {
        let sum = 0;
        for (let n = 0; n < s.N; n++) for (let i = 0; i < s.S; i++) sum += yp[(n * s.C + c) * s.S + i];
        bp[c] = (accumulate ? bp[c] : 0) + sum;
      }
    }
  },
};

/** bBar = yBar summed over batch and map. */
export function backward(r: Recorder, { yBar }: { yBar: View }, to: Into = {}): View {
  const [N, C, ...map] = yBar.shape;
  const sizes = { P: yBar.members, N, C, S: elements(map) };
  const bBar = destination(r, backwardKernel.name, 'bBar', sizes.P, [C], to);
  r.push({
    kernel: backwardKernel,
    operands: { yBar, bBar },
    sizes,
    constants: {},
    accumulate: to.accumulate ?? false,
  });
  return bBar;
}

export const cases: readonly OpCase[] = [
  { P: 1, shape: [5, 7] },
  { P: 3, shape: [4, 3, 6, 5] },
  { P: 2, shape: [33, 2, 9, 9], accumulate: true },
  { P: 1, shape: [1024, 6, 28, 28], bench: true },
].map(({ P, shape, accumulate, bench }) => ({
  name: `bias.backward P=${P} ${shape.join('x')}${accumulate ? ' accumulate' : ''}`,
  bench,
  record(r: Recorder) {
    backward(
      r,
      { yBar: r.external('yBar', P, shape) },
      { into: r.external('bBar', P, [shape[1]]), accumulate },
    );
  },
}));
