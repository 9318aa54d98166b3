import type { Kernel } from '../kernel.js';
import { destination, expectSameLength, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * SGD, and what all optimisers share (momentum.ts and adam.ts hold the others).
 *
 *     sgd      out = theta - rate[0] (g + decay theta)      (not in place: an unrolled run keeps every theta_t)
 *     adjoint  out = lambda + hv + decay v - rate[0] shrink lambda
 *     clip     scale = min(1, limit / norm)
 *     trust    scale = |theta| / |step|, 1 where either is 0
 *
 * `sgd` is its own adjoint: with theta = lambda and g = H_ww lambda it gives dL/dtheta before the step. `adjoint` is
 * that of a step whose gradient has the cotangent v: `hv` is H_ww v, `decay` an L2 penalty, `shrink` a decoupled decay.
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
        squaredNorm: { kind: 'values', values: [3, 0, 2].slice(0, P) },
        squaredStep: { kind: 'values', values: [7, 1, 0].slice(0, P) },
      },
      record(r: Recorder) {
        const [squaredNorm, squaredStep] = ['squaredNorm', 'squaredStep'].map((name) =>
          r.external(name, P, [1]),
        );
        trust(r, { squaredNorm, squaredStep }, { into: r.external('scale', P, [1]) });
      },
    },
  ];
});
