import { LimbeckError } from '../../util/errors.js';
import type { Kernel } from '../kernel.js';
import {
  destination,
  expectMembers,
  expectSameLength,
  expectShape,
  expectShared,
  type Into,
  type OpCase,
  population,
} from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Optimiser steps, and what the adjoints of all inner optimisers share (momentum.ts and adam.ts hold the others).
 *
 *     sgd      out = theta - rate[0] (g + decay theta)      (not in place: an unrolled run keeps every theta_t)
 *     adjoint  out = lambda + hv + decay v - rate[0] shrink lambda
 *     momentumInPlace  v = momentum v + g + weightDecay theta;  theta = theta - schedule[t][0] v    (PyTorch's SGD)
 *     adam     m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g²
 *              theta = theta - schedule[t][0] m / (sqrt(s) schedule[t][1] + epsilon)
 *
 * `sgd` is its own adjoint: with theta = lambda and g = H_ww lambda it gives dL/dtheta before the step. `adjoint` is
 * that of a step whose gradient has the cotangent v: `hv` is H_ww v, `decay` an L2 penalty, `shrink` a decoupled decay.
 *
 * Here `adam` is the outer one, in place: its bias corrections and learning rate are a table made once in float64 (`adamSchedule`): row t holds
 * `rate_t / (1 - beta1^(t+1))` and `1 / sqrt(1 - beta2^(t+1))`; `t` is the device's own step counter, word 2 of
 * `state` (see random.ts), clamped to the last row. (Kingma & Ba 2015, algorithm 1.)
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

export const adamKernel: Kernel = {
  name: 'optimizer.adam',
  operands: {
    g: 'read',
    scale: 'optional',
    schedule: 'read',
    state: 'read',
    theta: 'update',
    m: 'update',
    s: 'update',
  },
  sizes: ['P', 'M', 'rows'],
  constants: ['beta1', 'beta2', 'epsilon'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 10 * s.P * s.M,
  parts: () => ({ schedule: 2 }),
  reference({ g, scale, schedule, state, theta, m, s }, sizes, { beta1, beta2, epsilon }) {
    const row = Math.min(state(0)[2], sizes.rows - 1);
    const [rate, correction] = [schedule(0)[2 * row], schedule(0)[2 * row + 1]];
    const by = scale ? scale(0)[0] : 1;
    for (let p = 0; p < sizes.P; p++) {
      const [gp, tp, mp, sp] = [g(p), theta(p), m(p), s(p)];
      for (let i = 0; i < sizes.M; i++) {
        const gradient = by * gp[i];
        mp[i] = beta1 * mp[i] + (1 - beta1) * gradient;
        sp[i] = beta2 * sp[i] + (1 - beta2) * gradient * gradient;
        tp[i] -= (rate * mp[i]) / (Math.sqrt(sp[i]) * correction + epsilon);
      }
    }
  },
};

export const momentumInPlaceKernel: Kernel = {
  name: 'optimizer.momentumInPlace',
  operands: { g: 'read', schedule: 'read', state: 'read', theta: 'update', v: 'update' },
  sizes: ['P', 'M', 'rows'],
  constants: ['momentum', 'weightDecay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 6 * s.P * s.M,
  parts: () => ({ schedule: 1 }),
  reference({ g, schedule, state, theta, v }, sizes, { momentum, weightDecay }) {
    const rate = schedule(0)[2 * Math.min(state(0)[2], sizes.rows - 1)];
    for (let p = 0; p < sizes.P; p++) {
      const [gp, tp, vp] = [g(p), theta(p), v(p)];
      for (let i = 0; i < sizes.M; i++) {
        vp[i] = momentum * vp[i] + gp[i] + weightDecay * tp[i];
        tp[i] -= rate * vp[i];
      }
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

export interface AdamConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * One Adam step in place on theta, m and s, all three per member where one is; the gradient is first multiplied by
 * `scale[0]` where given. `scale`, `schedule` and `state` are shared by the population.
 */
export function adam(
  r: Recorder,
  o: { g: View; scale?: View; schedule: View; state: View; theta: View; m: View; s: View },
  { beta1, beta2, epsilon }: AdamConstants,
): void {
  const op = adamKernel.name;
  for (const name of ['g', 'm', 's'] as const) expectSameLength(op, name, o[name], 'theta', o.theta);
  expectShape(op, 'state', o.state, [4], '(a counter state)');
  const rows = o.schedule.shape[0];
  expectShape(op, 'schedule', o.schedule, [rows, 2], '(rows of rate and correction)');
  if (o.scale) expectShape(op, 'scale', o.scale, [1], '(one factor)');
  for (const name of ['scale', 'schedule', 'state'] as const) {
    const view = o[name];
    if (view) expectShared(op, name, view);
  }
  for (const name of ['m', 's'] as const) expectMembers(op, name, o[name], o.theta.members);
  const sizes = { P: o.theta.members, M: elements(o.theta.shape), rows };
  const { g, scale, schedule, state, theta, m, s } = o;
  r.push({
    kernel: adamKernel,
    operands: { g, scale, schedule, state, theta, m, s },
    sizes,
    constants: { beta1, beta2, epsilon },
    accumulate: false,
  });
}

/**
 * One step of SGD with momentum and weight decay in place on theta and the velocity v, both per member where one is; the
 * rate is column 0 of row t of `schedule` `[rows, 2]`, t the draw of `state`, clamped to the last row.
 */
export function momentumInPlace(
  r: Recorder,
  { g, schedule, state, theta, v }: { g: View; schedule: View; state: View; theta: View; v: View },
  { momentum, weightDecay }: { momentum: number; weightDecay: number },
): void {
  const op = momentumInPlaceKernel.name;
  expectSameLength(op, 'g', g, 'theta', theta);
  expectSameLength(op, 'v', v, 'theta', theta);
  expectShape(op, 'state', state, [4], '(a counter state)');
  const rows = schedule.shape[0];
  expectShape(op, 'schedule', schedule, [rows, 2], '(rows of a rate and a number that is not read)');
  expectShared(op, 'schedule', schedule);
  expectShared(op, 'state', state);
  if (v.members !== theta.members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${op}: v has ${v.members} members, expected ${theta.members} as theta has`,
    );
  r.push({
    kernel: momentumInPlaceKernel,
    operands: { g, schedule, state, theta, v },
    sizes: { P: theta.members, M: elements(theta.shape), rows },
    constants: { momentum, weightDecay },
    accumulate: false,
  });
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

/** The table `optimizer.adam` reads: `[rows, 2]`, from the learning rate of each step. */
export function adamSchedule(rates: readonly number[], { beta1, beta2 }: AdamConstants): Float64Array {
  const table = new Float64Array(2 * rates.length);
  rates.forEach((rate, t) => {
    table[2 * t] = rate / (1 - beta1 ** (t + 1));
    table[2 * t + 1] = 1 / Math.sqrt(1 - beta2 ** (t + 1));
  });
  return table;
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
      name: `optimizer.adam P=${P}`,
      fill: {
        s: { kind: 'positive' } as const,
        schedule: { kind: 'positive' } as const,
        state: { kind: 'values', values: [0, 0, 2, 0] } as const,
      },
      record(r: Recorder) {
        adam(
          r,
          {
            g: r.external('g', P, shape),
            scale: P > 1 ? r.external('scale', 1, [1]) : undefined,
            schedule: r.external('schedule', 1, [4, 2]),
            state: r.external('state', 1, [4], 'u32'),
            theta: r.external('theta', P, shape),
            m: r.external('m', P, shape),
            s: r.external('s', P, shape),
          },
          { beta1: 0.5, beta2: 0.999, epsilon: 1e-8 },
        );
      },
    },
    ...[2, 9].map((draw) => ({
      name: `optimizer.momentumInPlace P=${P}, step ${draw} of 4`,
      fill: {
        schedule: { kind: 'positive' } as const,
        state: { kind: 'values', values: [0, 0, draw, 0] } as const,
      },
      record(r: Recorder) {
        const operands = {
          g: r.external('g', 1, shape),
          schedule: r.external('schedule', 1, [4, 2]),
          state: r.external('state', 1, [4], 'u32'),
          theta: r.external('theta', P, shape),
          v: r.external('v', P, shape),
        };
        momentumInPlace(r, operands, { momentum: 0.9, weightDecay: 0.01 });
      },
    })),
    {
      name: `optimizer.clip P=${P}`,
      fill: { squaredNorm: { kind: 'positive' } as const },
      record(r: Recorder) {
        clip(r, { squaredNorm: r.external('squaredNorm', P, [1]) }, 0.5, {
          into: r.external('scale', P, [1]),
        });
      },
    },
  ];
});
