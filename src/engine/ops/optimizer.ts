import type { Kernel } from '../kernel.js';
import {
  destination,
  expectMembers,
  expectSameLength,
  expectShape,
  type Into,
  type OpCase,
  population,
} from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * SGD, and what all optimisers share (momentum.ts and adam.ts hold the others).
 *
 *     sgd      out = theta - rate[0] (g + decay theta)      (not in place: an unrolled run keeps every theta_t)
 *     adjoint  out = lambda + hv + decay v - rate[0] shrink lambda
 *     clip     scale = min(1, limit / norm)
 *     trust    scale = |theta| / |step|, 1 where either is 0
 *     clipByAverage   limit = factor average[0] / average[1] (none where average[1] is 0);   scale = min(1, limit / norm)
 *                     average = decay average + (1 - decay) [scale norm, 1]      (in place)
 *
 * `sgd` is its own adjoint: with theta = lambda and g = H_ww lambda it gives dL/dtheta before the step. `adjoint` is
 * that of a step whose gradient has the cotangent v: `hv` is H_ww v, `decay` an L2 penalty, `shrink` a decoupled decay.
 * `average` `[2]` holds running means of norms and, to correct the first of them, of ones, both 0 at first; a norm counts as
 * it was clipped, so that one that is far too large does not raise the limit of those after it.
 */
const sizes = ['P', 'M'] as const;

export const sgdKernel: Kernel = {
  name: 'optimizer.sgd',
  operands: { theta: 'read', g: 'read', rate: 'read', out: 'write' },
  sizes,
  constants: ['decay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 2 * s.P * s.M,
  reference({ theta, g, rate, out }, s, { decay }) {
    for (let p = 0; p < s.P; p++) {
      const [tp, gp, op] = [theta(p), g(p), out(p)];
      const step = rate(p)[0];
      for (let i = 0; i < s.M; i++) op[i] = tp[i] - step * (gp[i] + decay * tp[i]);
    }
  },
};

export const adjointKernel: Kernel = {
  name: 'optimizer.adjoint',
  operands: { lambda: 'read', hv: 'read', v: 'read', rate: 'read', out: 'write' },
  sizes,
  constants: ['decay', 'shrink'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 5 * s.P * s.M,
  reference({ lambda, hv, v, rate, out }, s, { decay, shrink }) {
    for (let p = 0; p < s.P; p++) {
      const [lp, hp, vp, op] = [lambda(p), hv(p), v(p), out(p)];
      const keep = 1 - rate(p)[0] * shrink;
      for (let i = 0; i < s.M; i++) op[i] = keep * lp[i] + hp[i] + decay * vp[i];
    }
  },
};

export const clipKernel: Kernel = {
  name: 'optimizer.clip',
  operands: { squaredNorm: 'read', scale: 'write' },
  sizes: ['P'],
  constants: ['limit'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 3 * s.P,
  reference({ squaredNorm, scale }, s, { limit }) {
    for (let p = 0; p < s.P; p++) {
      const norm = Math.sqrt(squaredNorm(p)[0]);
      scale(p)[0] = norm > limit ? limit / norm : 1;
    }
  },
};

export const trustKernel: Kernel = {
  name: 'optimizer.trust',
  operands: { squaredNorm: 'read', squaredStep: 'read', scale: 'write' },
  sizes: ['P'],
  constants: [],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 3 * s.P,
  reference({ squaredNorm, squaredStep, scale }, s) {
    for (let p = 0; p < s.P; p++) {
      const [norm, step] = [squaredNorm(p)[0], squaredStep(p)[0]];
      scale(p)[0] = norm === 0 || step === 0 ? 1 : Math.sqrt(norm / step);
    }
  },
};

export const clipByAverageKernel: Kernel = {
  name: 'optimizer.clipByAverage',
  operands: { squaredNorm: 'read', average: 'update', scale: 'write' },
  sizes: ['P'],
  constants: ['factor', 'decay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 12 * s.P,
  reference({ squaredNorm, average, scale }, s, { factor, decay }) {
    for (let p = 0; p < s.P; p++) {
      const norm = Math.sqrt(squaredNorm(p)[0]);
      const [total, weight] = average(p);
      // norm > factor total / weight, without a division by a weight of 0.
      const clips = weight > 0 && norm * weight > factor * total;
      const clipped = clips ? (factor * total) / weight : norm;
      scale(p)[0] = clips ? clipped / norm : 1;
      // One that is infinite, or no number, says nothing about those to come.
      if (!Number.isFinite(norm)) continue;
      average(p)[0] = decay * total + (1 - decay) * clipped;
      average(p)[1] = decay * weight + (1 - decay);
    }
  },
};

/** out = theta - rate (g + decay theta); `rate` is `[1]`, shared or per member. */
export function sgd(
  r: Recorder,
  { theta, g, rate }: { theta: View; g: View; rate: View },
  to: Into = {},
  decay = 0,
): View {
  const op = sgdKernel.name;
  expectSameLength(op, 'g', g, 'theta', theta);
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { theta, g, rate });
  const out = destination(r, op, 'out', P, theta.shape, to);
  const sizes = { P, M: elements(theta.shape) };
  const operands = { theta, g, rate, out };
  r.push({ kernel: sgdKernel, operands, sizes, constants: { decay }, accumulate: false });
  return out;
}

/** out = lambda + hv + decay v - rate shrink lambda: dL/dtheta before a step, from lambda = dL/dtheta after it. */
export function adjoint(
  r: Recorder,
  { lambda, hv, v, rate }: { lambda: View; hv: View; v: View; rate: View },
  { decay, shrink }: { decay: number; shrink: number },
  to: Into = {},
): View {
  const op = adjointKernel.name;
  expectSameLength(op, 'hv', hv, 'lambda', lambda);
  expectSameLength(op, 'v', v, 'lambda', lambda);
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { lambda, hv, v, rate });
  const out = destination(r, op, 'out', P, lambda.shape, to);
  const sizes = { P, M: elements(lambda.shape) };
  const operands = { lambda, hv, v, rate, out };
  r.push({ kernel: adjointKernel, operands, sizes, constants: { decay, shrink }, accumulate: false });
  return out;
}

/** scale = min(1, limit / norm), from the squared norm `[1]`. */
export function clip(
  r: Recorder,
  { squaredNorm }: { squaredNorm: View },
  limit: number,
  to: Into = {},
): View {
  const op = clipKernel.name;
  expectShape(op, 'squaredNorm', squaredNorm, [1], '(one squared norm)');
  const scale = destination(r, op, 'scale', squaredNorm.members, [1], to);
  const sizes = { P: squaredNorm.members };
  r.push({
    kernel: clipKernel,
    operands: { squaredNorm, scale },
    sizes,
    constants: { limit },
    accumulate: false,
  });
  return scale;
}

/** scale = |theta| / |step|: the trust ratio of LAMB (You et al. 2020), from both squared norms `[1]`. */
export function trust(
  r: Recorder,
  { squaredNorm, squaredStep }: { squaredNorm: View; squaredStep: View },
  to: Into = {},
): View {
  const op = trustKernel.name;
  expectShape(op, 'squaredNorm', squaredNorm, [1], '(one squared norm)');
  expectShape(op, 'squaredStep', squaredStep, [1], '(one squared norm)');
  const P = population(op, { squaredNorm, squaredStep });
  const scale = destination(r, op, 'scale', P, [1], to);
  const operands = { squaredNorm, squaredStep, scale };
  r.push({ kernel: trustKernel, operands, sizes: { P }, constants: {}, accumulate: false });
  return scale;
}

/** How a limit follows the norms before it. */
export interface AverageClip {
  /** How many times the average norm a norm may be. */
  readonly factor: number;
  /** Decay of the average. */
  readonly decay: number;
}

/** scale = min(1, limit / norm), from the squared norm `[1]`; the limit follows `average` `[2]`, which is changed in place. */
export function clipByAverage(
  r: Recorder,
  { squaredNorm, average }: { squaredNorm: View; average: View },
  { factor, decay }: AverageClip,
  to: Into = {},
): View {
  const op = clipByAverageKernel.name;
  const P = squaredNorm.members;
  expectShape(op, 'squaredNorm', squaredNorm, [1], '(one squared norm)');
  expectShape(op, 'average', average, [2], '(the means of norms and of ones)');
  expectMembers(op, 'average', average, P);
  const scale = destination(r, op, 'scale', P, [1], to);
  const operands = { squaredNorm, average, scale };
  const constants = { factor, decay };
  r.push({ kernel: clipByAverageKernel, operands, sizes: { P }, constants, accumulate: false });
  return scale;
}

/** To `scale` of P members. */
const clipping = (P: number) => (r: Recorder) => {
  const operands = {
    squaredNorm: r.external('squaredNorm', P, [1]),
    average: r.external('average', P, [2]),
  };
  clipByAverage(r, operands, { factor: 2, decay: 0.75 }, { into: r.external('scale', P, [1]) });
};

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => {
  const shape = [131];
  return [
    {
      name: `optimizer.sgd P=${P}, theta shared`,
      record(r: Recorder) {
        const operands = {
          theta: r.external('theta', 1, shape),
          g: r.external('g', P, shape),
          rate: r.external('rate', 1, [1]),
        };
        sgd(r, operands, { into: r.external('out', P, shape) });
      },
    },
    {
      name: `optimizer.sgd P=${P}, weight decay, a rate each`,
      record(r: Recorder) {
        const operands = { theta: r.external('theta', P, shape), g: r.external('g', P, shape) };
        sgd(
          r,
          { ...operands, rate: r.external('rate', P, [1]) },
          { into: r.external('out', P, shape) },
          0.25,
        );
      },
    },
    {
      name: `optimizer.adjoint P=${P}`,
      record(r: Recorder) {
        const [lambda, hv, v] = ['lambda', 'hv', 'v'].map((name) => r.external(name, P, shape));
        const rate = r.external('rate', 1, [1]);
        const into = r.external('out', P, shape);
        adjoint(r, { lambda, hv, v, rate }, { decay: 0.25, shrink: 0.125 }, { into });
      },
    },
    {
      name: `optimizer.clip P=${P}`,
      fill: { squaredNorm: { kind: 'positive' } as const },
      record(r: Recorder) {
        clip(r, { squaredNorm: r.external('squaredNorm', P, [1]) }, 0.5, {
          into: r.external('scale', P, [1]),
        });
      },
    },
    {
      name: `optimizer.trust P=${P}`,
      fill: {
        squaredNorm: { kind: 'values', values: () => [3, 0, 2].slice(0, P) },
        squaredStep: { kind: 'values', values: () => [7, 1, 0].slice(0, P) },
      },
      record(r: Recorder) {
        const [squaredNorm, squaredStep] = ['squaredNorm', 'squaredStep'].map((name) =>
          r.external(name, P, [1]),
        );
        trust(r, { squaredNorm, squaredStep }, { into: r.external('scale', P, [1]) });
      },
    },
    {
      name: `optimizer.clipByAverage P=${P}, a norm that overflows`,
      fill: {
        squaredNorm: { kind: 'values', values: () => [Number.POSITIVE_INFINITY, 4, 1].slice(0, P) },
        average: { kind: 'values', values: () => Array.from({ length: P }, () => [0.25, 0.5]).flat() },
      },
      record: clipping(P),
    },
    // Limits of none, as before a first step, of 1, which clips some, and of 16, which clips none.
    ...(
      [
        [0, 0],
        [0.0625, 0.125],
        [4, 0.5],
      ] as const
    ).map((average) => ({
      name: `optimizer.clipByAverage P=${P}, averages of ${average[0]}`,
      fill: {
        squaredNorm: { kind: 'positive' } as const,
        average: { kind: 'values', values: () => Array.from({ length: P }, () => average).flat() } as const,
      },
      record: clipping(P),
    })),
  ];
});
