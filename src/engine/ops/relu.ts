import type { Kernel } from '../kernel.js';
import { destination, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Rectifier: `y = max(x, 0)`. All its other passes multiply by the same mask, which y itself holds:
 * `xBar = [y > 0] yBar`, `yDot = [y > 0] xDot`, `xBarDot = [y > 0] yBarDot`.
 */
const sizes = ['P', 'M'] as const;

export const forwardKernel: Kernel = {
  name: 'relu.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => s.P * s.M,
  reference({ x, y }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      // Math.max lets a NaN through, as every engine must.
      for (let i = 0; i < s.M; i++) yp[i] = Math.max(xp[i], 0);
    }
  },
};

export const maskKernel: Kernel = {
  name: 'relu.mask',
  operands: { y: 'read', u: 'read', out: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => s.P * s.M,
  reference({ y, u, out }, s) {
    for (let p = 0; p < s.P; p++) {
      const [yp, up, op] = [y(p), u(p), out(p)];
      for (let i = 0; i < s.M; i++) op[i] = yp[i] > 0 ? up[i] : 0;
    }
  },
};

/** y = max(x, 0). */
export function forward(r: Recorder, { x }: { x: View }, to: Into = {}): View {
  const y = destination(r, forwardKernel.name, 'y', x.members, x.shape, to);
  const sizes = { P: x.members, M: elements(x.shape) };
  r.push({ kernel: forwardKernel, operands: { x, y }, sizes, constants: {}, accumulate: false });
  return y;
}

/** u where y is positive, else 0: the backward, tangent and tangent-backward pass. */
export function mask(r: Recorder, { y, u }: { y: View; u: View }, to: Into = {}): View {
  const op = maskKernel.name;
  expectSameLength(op, 'u', u, 'y', y);
  const P = population(op, { y, u });
  const out = destination(r, op, 'out', P, y.shape, to);
  const sizes = { P, M: elements(y.shape) };
  r.push({ kernel: maskKernel, operands: { y, u, out }, sizes, constants: {}, accumulate: false });
  return out;
}

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => [
  {
    name: `relu.forward P=${P} M=133`,
    record(r: Recorder) {
      forward(r, { x: r.external('x', P, [7, 19]) }, { into: r.external('y', P, [7, 19]) });
    },
  },
  {
    name: `relu.mask P=${P} M=133, y shared`,
    record(r: Recorder) {
      const y = r.external('y', 1, [7, 19]);
      mask(r, { y, u: r.external('u', P, [7, 19]) }, { into: r.external('out', P, [7, 19]) });
    },
  },
]);
