import type { Kernel } from '../kernel.js';
import {
  destination,
  expectMembers,
  expectSameLength,
  expectShape,
  expectShared,
  type OpCase,
  population,
} from '../op.js';
import type { Recorder } from '../program.js';
import { expectSchedule, rowOf } from '../schedule.js';
import { elements, type View } from '../view.js';

/**
 * Adam (Kingma & Ba 2015, algorithm 1; `decoupled`: Loshchilov & Hutter 2019): a step with its exact adjoint for unrolled
 * training, and a step in place. `moments` are `[2, M + 1]`: the running means m of gradients and s of their squares, and behind each the
 * same running mean of ones, c1 and c2. Those are the bias corrections 1 - beta^t, so that no kernel needs to know
 * which step it is; all zero before the first step. With d = g + decay theta (d = g when decoupled):
 *
 *     step      m' = beta1 m + (1 - beta1) d;   s' = beta2 s + (1 - beta2) d²;   c1', c2' likewise of ones
 *               q = sqrt(s' / c2');   a = m' / c1' / (q + epsilon)  (+ decay theta when decoupled);   out = theta - rate a
 *     backward  from lambda = dL/dout and momentsBar = dL/d(m', s') by the later steps:
 *               mBar = mBar - rate lambda / (c1' (q + epsilon))
 *               sBar = sBar + rate lambda m' / (c1' (q + epsilon)² 2 q c2')
 *               v = dL/dd = (1 - beta1) mBar + 2 (1 - beta2) d sBar
 *               momentsBar = (beta1 mBar, beta2 sBar)      (in place: dL/d(m, s))
 *
 * and `direction` = a, whose product with -lambda is dL/drate. Where q is 0, every gradient so far was 0, and the
 * sBar of the step is taken as 0: the limit, since m' and d go to 0 with q. What is left, mBar, is finite: the slope of
 * d / (|d| + epsilon) at 0 is 1 / epsilon.
 *
 * theta, g, lambda, v, direction, out `[M]`; momentsBar `[2, M]`; rate `[1]`; `decoupled` is 0 or 1.
 *
 * The step in place takes rate and bias corrections from row t of a table (`adamSchedule`), which holds
 * rate_t / (1 - beta1^(t+1)) and 1 / sqrt(1 - beta2^(t+1)):
 *
 *     inPlace   m = beta1 m + (1 - beta1) g;   s = beta2 s + (1 - beta2) g²
 *               theta = theta - schedule[t][0] m / (sqrt(s) schedule[t][1] + epsilon)
 */
const mean = (beta: number, before: number, d: number): number => beta * before + (1 - beta) * d;
const square = (beta: number, before: number, d: number): number => beta * before + (1 - beta) * d * d;

const sizes = ['P', 'M', 'decoupled'] as const;
const constants = ['beta1', 'beta2', 'epsilon', 'decay'] as const;

export const stepKernel: Kernel = {
  name: 'adam.step',
  operands: { theta: 'read', g: 'read', moments: 'read', rate: 'read', next: 'write', out: 'write' },
  sizes,
  constants,
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 16 * s.P * s.M,
  reference({ theta, g, moments, rate, next, out }, sizes, { beta1, beta2, epsilon, decay }) {
    const { P, M, decoupled } = sizes;
    for (let p = 0; p < P; p++) {
      const [tp, gp, before, after, op] = [theta(p), g(p), moments(p), next(p), out(p)];
      const eta = rate(p)[0];
      const c1 = mean(beta1, before[M], 1);
      const c2 = square(beta2, before[2 * M + 1], 1);
      after[M] = c1;
      after[2 * M + 1] = c2;
      for (let i = 0; i < M; i++) {
        const penalty = decay * tp[i];
        const d = decoupled ? gp[i] : gp[i] + penalty;
        const m = mean(beta1, before[i], d);
        const s = square(beta2, before[M + 1 + i], d);
        after[i] = m;
        after[M + 1 + i] = s;
        const a = m / c1 / (Math.sqrt(s / c2) + epsilon);
        op[i] = tp[i] - eta * (decoupled ? a + penalty : a);
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'adam.backward',
  operands: {
    theta: 'read',
    g: 'read',
    next: 'read',
    rate: 'read',
    lambda: 'read',
    v: 'write',
    direction: 'write',
    momentsBar: 'update',
  },
  sizes,
  constants,
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 30 * s.P * s.M,
  reference({ theta, g, next, rate, lambda, v, direction, momentsBar }, sizes, constants) {
    const { P, M, decoupled } = sizes;
    const { beta1, beta2, epsilon, decay } = constants;
    for (let p = 0; p < P; p++) {
      const [tp, gp, after, lp] = [theta(p), g(p), next(p), lambda(p)];
      const [vp, ap, bar] = [v(p), direction(p), momentsBar(p)];
      const eta = rate(p)[0];
      const [c1, c2] = [after[M], after[2 * M + 1]];
      for (let i = 0; i < M; i++) {
        const penalty = decay * tp[i];
        const d = decoupled ? gp[i] : gp[i] + penalty;
        const q = Math.sqrt(after[M + 1 + i] / c2);
        const a = after[i] / c1 / (q + epsilon);
        const moved = (-eta * lp[i]) / (q + epsilon);
        const mBar = bar[i] + moved / c1;
        const sBar = bar[M + i] - (q === 0 ? 0 : (moved * a) / (2 * q * c2));
        vp[i] = (1 - beta1) * mBar + 2 * (1 - beta2) * d * sBar;
        ap[i] = decoupled ? a + penalty : a;
        bar[i] = beta1 * mBar;
        bar[M + i] = beta2 * sBar;
      }
    }
  },
};

export const inPlaceKernel: Kernel = {
  name: 'adam.inPlace',
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
  reference(operands, sizes, { beta1, beta2, epsilon }) {
    const { g, scale, theta, m, s } = operands;
    const [rate, correction] = rowOf(operands, sizes);
    const by = scale ? scale(0)[0] : 1;
    for (let p = 0; p < sizes.P; p++) {
      const [gp, tp, mp, sp] = [g(p), theta(p), m(p), s(p)];
      for (let i = 0; i < sizes.M; i++) {
        const gradient = by * gp[i];
        mp[i] = mean(beta1, mp[i], gradient);
        sp[i] = square(beta2, sp[i], gradient);
        tp[i] -= (rate * mp[i]) / (Math.sqrt(sp[i]) * correction + epsilon);
      }
    }
  },
};

export interface AdamConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface AdamOptions extends AdamConstants {
  readonly decay: number;
  /** Whether the decay acts on theta directly (AdamW) and not through the gradient. */
  readonly decoupled: boolean;
}

function stepOf(theta: View, P: number, { decoupled, beta1, beta2, epsilon, decay }: AdamOptions) {
  return {
    sizes: { P, M: elements(theta.shape), decoupled: Number(decoupled) },
    constants: { beta1, beta2, epsilon, decay },
    accumulate: false,
  };
}

/** Shape of the moments of M parameters. */
export const momentsShape = (M: number): readonly number[] => [2, M + 1];

/** One step from theta and moments to `out` and `next`, neither in place; `rate` is shared or per member. */
export function step(
  r: Recorder,
  { theta, g, moments, rate }: { theta: View; g: View; moments: View; rate: View },
  options: AdamOptions,
  into: { next?: View; out?: View } = {},
): { next: View; out: View } {
  const op = stepKernel.name;
  const shape = momentsShape(elements(theta.shape));
  expectSameLength(op, 'g', g, 'theta', theta);
  expectShape(op, 'moments', moments, shape, '(both moments, each with its correction)');
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { theta, g, moments, rate });
  const next = destination(r, op, 'next', P, shape, { into: into.next });
  const out = destination(r, op, 'out', P, theta.shape, { into: into.out });
  const operands = { theta, g, moments, rate, next, out };
  r.push({ kernel: stepKernel, operands, ...stepOf(theta, P, options) });
  return { next, out };
}

/**
 * v = dL/dd and the direction of a step, from its operands and the moments after it; `momentsBar`, in place, goes from
 * dL/d(m', s') to dL/d(m, s).
 */
export function backward(
  r: Recorder,
  o: { theta: View; g: View; next: View; rate: View; lambda: View; momentsBar: View },
  options: AdamOptions,
  into: { v?: View; direction?: View } = {},
): { v: View; direction: View } {
  const op = backwardKernel.name;
  const { theta, g, next, rate, lambda, momentsBar } = o;
  const M = elements(theta.shape);
  for (const name of ['g', 'lambda'] as const) expectSameLength(op, name, o[name], 'theta', theta);
  expectShape(op, 'next', next, momentsShape(M), '(both moments, each with its correction)');
  expectShape(op, 'momentsBar', momentsBar, [2, M], '(cotangents of both moments)');
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { theta, g, next, rate, lambda });
  expectMembers(op, 'momentsBar', momentsBar, P);
  const v = destination(r, op, 'v', P, lambda.shape, { into: into.v });
  const direction = destination(r, op, 'direction', P, lambda.shape, { into: into.direction });
  const operands = { theta, g, next, rate, lambda, v, direction, momentsBar };
  r.push({ kernel: backwardKernel, operands, ...stepOf(theta, P, options) });
  return { v, direction };
}

/**
 * One Adam step in place on theta, m and s, all three per member where one is; the gradient is first multiplied by
 * `scale[0]` where given. `scale`, `schedule` and `state` are shared by the population.
 */
export function inPlace(
  r: Recorder,
  o: { g: View; scale?: View; schedule: View; state: View; theta: View; m: View; s: View },
  { beta1, beta2, epsilon }: AdamConstants,
): void {
  const op = inPlaceKernel.name;
  for (const name of ['g', 'm', 's'] as const) expectSameLength(op, name, o[name], 'theta', o.theta);
  const rows = expectSchedule(op, o);
  if (o.scale) {
    expectShape(op, 'scale', o.scale, [1], '(one factor)');
    expectShared(op, 'scale', o.scale);
  }
  for (const name of ['m', 's'] as const) expectMembers(op, name, o[name], o.theta.members);
  const sizes = { P: o.theta.members, M: elements(o.theta.shape), rows };
  const { g, scale, schedule, state, theta, m, s } = o;
  r.push({
    kernel: inPlaceKernel,
    operands: { g, scale, schedule, state, theta, m, s },
    sizes,
    constants: { beta1, beta2, epsilon },
    accumulate: false,
  });
}

/** The table `inPlace` reads: `[rows, 2]`, from the learning rate of each step. */
export function adamSchedule(rates: readonly number[], { beta1, beta2 }: AdamConstants): Float64Array {
  const table = new Float64Array(2 * rates.length);
  rates.forEach((rate, t) => {
    table[2 * t] = rate / (1 - beta1 ** (t + 1));
    table[2 * t + 1] = 1 / Math.sqrt(1 - beta2 ** (t + 1));
  });
  return table;
}

const M = 131;

const inPlaceCases = [1, 3].map(
  (P): OpCase => ({
    name: `adam.inPlace P=${P}`,
    fill: {
      s: { kind: 'positive' } as const,
      schedule: { kind: 'positive' } as const,
      state: { kind: 'values', values: () => [0, 0, 2, 0] } as const,
    },
    record(r: Recorder) {
      inPlace(
        r,
        {
          g: r.external('g', P, [M]),
          scale: P > 1 ? r.external('scale', 1, [1]) : undefined,
          schedule: r.external('schedule', 1, [4, 2]),
          state: r.external('state', 1, [4], 'u32'),
          theta: r.external('theta', P, [M]),
          m: r.external('m', P, [M]),
          s: r.external('s', P, [M]),
        },
        { beta1: 0.5, beta2: 0.999, epsilon: 1e-2 },
      );
    },
  }),
);

const stepCases = [1, 3].flatMap((P) =>
  [false, true].flatMap((decoupled): OpCase[] => {
    const name = `P=${P}${decoupled ? ' decoupled' : ''}`;
    const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-3, decay: 0.125, decoupled };
    const moments = { kind: 'positive' } as const;
    const before = (r: Recorder) => ({
      theta: r.external('theta', 1, [M]),
      g: r.external('g', P, [M]),
      rate: r.external('rate', 1, [1]),
    });
    return [
      {
        name: `adam.step ${name}, theta shared`,
        fill: { moments },
        record(r: Recorder) {
          const into = { next: r.external('next', P, [2, M + 1]), out: r.external('out', P, [M]) };
          step(r, { ...before(r), moments: r.external('moments', P, [2, M + 1]) }, options, into);
        },
      },
      {
        name: `adam.backward ${name}, theta shared`,
        fill: { next: moments },
        record(r: Recorder) {
          const [next, lambda] = [r.external('next', P, [2, M + 1]), r.external('lambda', P, [M])];
          const into = { v: r.external('v', P, [M]), direction: r.external('direction', P, [M]) };
          const momentsBar = r.external('momentsBar', P, [2, M]);
          backward(r, { ...before(r), next, lambda, momentsBar }, options, into);
        },
      },
    ];
  }),
);

export const cases: readonly OpCase[] = [...stepCases, ...inPlaceCases];
