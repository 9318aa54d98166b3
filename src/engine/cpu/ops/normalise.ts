import type { Kernel } from '../../kernel.js';
import type { OpCase } from '../../op.js';
import { forwardFrozenKernel, forwardKernel } from '../../ops/norm.js';
import type { Step } from '../../step.js';
import { elements } from '../../view.js';

/**
 * Recomputes the output of a norm's forward pass from x and the statistics that it saved (`engine/ops/norm.ts`), to the same bits:
 * plane by plane, also where a norm's own passes cannot be cut.
 *
 *     y = gamma (x - mean) / sqrt(variance + eps) + beta
 *
 * x, y `[N, C, ...map]`; saved `[2 groups + C]`: means, variances, gamma. There are A groups times B: a plane of image n and
 * channel c is in group `(n mod A, floor(c B / C))`. No layer records it, the pass `rematerialise` does.
 */
export const recomputeKernel: Kernel = {
  name: 'normalise.recompute',
  operands: { x: 'read', saved: 'read', beta: 'read', y: 'write' },
  sizes: ['P', 'planes', 'A', 'B', 'C', 'map'],
  constants: ['eps'],
  cuts: { planes: { sizes: ['planes'], placed: ['saved', 'beta'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 3 * s.P * s.planes * s.map,
  reference({ x, saved, beta, y }, s, { eps }) {
    const groups = s.A * s.B;
    for (let p = 0; p < s.P; p++) {
      const [xp, sp, bp, yp] = [x(p), saved(p), beta(p), y(p)];
      for (let i = 0; i < s.planes * s.map; i++) {
        const [n, c] = [Math.floor(i / s.map / s.C), Math.floor(i / s.map) % s.C];
        const group = (n % s.A) * s.B + Math.floor((c * s.B) / s.C);
        const inv = 1 / Math.sqrt(sp[groups + group] + eps);
        yp[i] = sp[2 * groups + c] * inv * (xp[i] - sp[group]) + bp[c];
      }
    }
  },
};

/** A step that recomputes y of a norm's forward pass; undefined for other steps. */
export function recomputeNorm({ kernel, operands, sizes, constants }: Step): Step | undefined {
  if (kernel !== forwardKernel && kernel !== forwardFrozenKernel) return undefined;
  const { x, saved, beta, y } = operands;
  const { P, A, B, C, map } = sizes;
  const planes = elements(x!.shape) / map;
  return {
    kernel: recomputeKernel,
    operands: { x, saved, beta, y },
    sizes: { P, planes, A, B, C, map },
    constants,
    accumulate: false,
  };
}

/** Images, channels and map; groups as A times B. */
const examples = [
  { P: 1, shape: [2, 6, 3, 5], A: 2, B: 6 },
  { P: 3, shape: [3, 6, 5, 5], A: 3, B: 2, shared: true },
  { P: 2, shape: [3, 5, 2, 2], A: 1, B: 5 },
  { P: 1, shape: [40, 3, 33, 37], A: 40, B: 1 },
];

export const cases: readonly OpCase[] = examples.map(({ P, shape, A, B, shared }) => ({
  name: `normalise.recompute P=${P} ${shape.join('x')} in ${A} x ${B} groups${shared ? ', x shared' : ''}`,
  fill: { saved: { kind: 'positive' } },
  record(r) {
    const [N, C, H, W] = shape;
    const operands = {
      x: r.external('x', shared ? 1 : P, shape),
      saved: r.external('saved', P, [2 * A * B + C]),
      beta: r.external('beta', P, [C]),
      y: r.external('y', P, shape),
    };
    const sizes = { P, planes: N * C, A, B, C, map: H * W };
    r.push({ kernel: recomputeKernel, operands, sizes, constants: { eps: 1e-5 }, accumulate: false });
  },
}));
