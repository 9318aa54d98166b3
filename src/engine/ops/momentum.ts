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
import { expectSchedule, rowOf } from '../schedule.js';
import { elements, type View } from '../view.js';

/**
 * SGD with momentum, as PyTorch does it (no dampening), and its exact adjoint, and a step in place; the velocity
 * u is zero before the first step. With d = g + decay theta:
 *
 *     step      uNext = momentum u + d;   out = theta - rate uNext                      plain   (Polyak 1964)
 *                                         out = theta - rate (d + momentum uNext)       Nesterov (Sutskever et al. 2013)
 *     backward  from lambda = dL/dout and uBar = dL/duNext by the later steps:
 *               total = uBar - rate lambda;             v = total                       plain
 *               total = uBar - rate momentum lambda;    v = total - rate lambda         Nesterov
 *               v = dL/dd;   uBar = momentum total      (in place: dL/du)
 *
 *     inPlace   u = momentum u + d;   theta = theta - schedule[t][0] u
 *
 * Everything `[M]`, rate `[1]`; `nesterov` is 0 or 1. The step in place takes its rate from row t of a table (`schedule.ts`).
 */
const sizes = ['P', 'M', 'nesterov'] as const;

export const stepKernel: Kernel = {
  name: 'momentum.step',
  operands: { theta: 'read', g: 'read', u: 'read', rate: 'read', uNext: 'write', out: 'write' },
  sizes,
  constants: ['momentum', 'decay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 8 * s.P * s.M,
  reference({ theta, g, u, rate, uNext, out }, s, { momentum, decay }) {
    for (let p = 0; p < s.P; p++) {
      const [tp, gp, up, nextP, op] = [theta(p), g(p), u(p), uNext(p), out(p)];
      const eta = rate(p)[0];
      for (let i = 0; i < s.M; i++) {
        const d = gp[i] + decay * tp[i];
        const next = momentum * up[i] + d;
        nextP[i] = next;
        op[i] = tp[i] - eta * (s.nesterov ? d + momentum * next : next);
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'momentum.backward',
  operands: { lambda: 'read', rate: 'read', v: 'write', uBar: 'update' },
  sizes,
  constants: ['momentum'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 5 * s.P * s.M,
  reference({ lambda, rate, v, uBar }, s, { momentum }) {
    for (let p = 0; p < s.P; p++) {
      const [lp, vp, bar] = [lambda(p), v(p), uBar(p)];
      const eta = rate(p)[0];
      for (let i = 0; i < s.M; i++) {
        const moved = -eta * lp[i];
        const total = bar[i] + (s.nesterov ? momentum * moved : moved);
        vp[i] = s.nesterov ? total + moved : total;
        bar[i] = momentum * total;
      }
    }
  },
};

export const inPlaceKernel: Kernel = {
  name: 'momentum.inPlace',
  operands: { g: 'read', schedule: 'read', state: 'read', theta: 'update', u: 'update' },
  sizes: ['P', 'M', 'rows'],
  constants: ['momentum', 'decay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 6 * s.P * s.M,
  parts: () => ({ schedule: 1 }),
  reference(operands, sizes, { momentum, decay }) {
    const { g, theta, u } = operands;
    const [rate] = rowOf(operands, sizes);
    for (let p = 0; p < sizes.P; p++) {
      const [gp, tp, up] = [g(p), theta(p), u(p)];
      for (let i = 0; i < sizes.M; i++) {
        up[i] = momentum * up[i] + gp[i] + decay * tp[i];
        tp[i] -= rate * up[i];
      }
    }
  },
};

export interface MomentumConstants {
  readonly momentum: number;
  readonly nesterov: boolean;
}

/** One step from theta and u to `out` and `uNext`, neither in place; `rate` is shared or per member. */
export function step(
  r: Recorder,
  { theta, g, u, rate }: { theta: View; g: View; u: View; rate: View },
  { momentum, nesterov, decay }: MomentumConstants & { readonly decay: number },
  into: { uNext?: View; out?: View } = {},
): { uNext: View; out: View } {
  const op = stepKernel.name;
  expectSameLength(op, 'g', g, 'theta', theta);
  expectSameLength(op, 'u', u, 'theta', theta);
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { theta, g, u, rate });
  const uNext = destination(r, op, 'uNext', P, theta.shape, { into: into.uNext });
  const out = destination(r, op, 'out', P, theta.shape, { into: into.out });
  const sizes = { P, M: elements(theta.shape), nesterov: Number(nesterov) };
  const operands = { theta, g, u, rate, uNext, out };
  r.push({ kernel: stepKernel, operands, sizes, constants: { momentum, decay }, accumulate: false });
  return { uNext, out };
}

/** v = dL/dd of a step; `uBar`, in place, goes from dL/duNext to dL/du. */
export function backward(
  r: Recorder,
  { lambda, rate, uBar }: { lambda: View; rate: View; uBar: View },
  { momentum, nesterov }: MomentumConstants,
  to: Into = {},
): View {
  const op = backwardKernel.name;
  expectSameLength(op, 'uBar', uBar, 'lambda', lambda);
  expectShape(op, 'rate', rate, [1], '(one learning rate)');
  const P = population(op, { lambda, rate });
  expectMembers(op, 'uBar', uBar, P);
  const v = destination(r, op, 'v', P, lambda.shape, to);
  const sizes = { P, M: elements(lambda.shape), nesterov: Number(nesterov) };
  const operands = { lambda, rate, v, uBar };
  r.push({ kernel: backwardKernel, operands, sizes, constants: { momentum }, accumulate: false });
  return v;
}

/**
 * One step in place on theta and u, both per member where one is; the rate is column 0 of `schedule`, which is shared by the
 * population as `state` is.
 */
export function inPlace(
  r: Recorder,
  { g, schedule, state, theta, u }: { g: View; schedule: View; state: View; theta: View; u: View },
  { momentum, decay }: { momentum: number; decay: number },
): void {
  const op = inPlaceKernel.name;
  expectSameLength(op, 'g', g, 'theta', theta);
  expectSameLength(op, 'u', u, 'theta', theta);
  const rows = expectSchedule(op, { schedule, state });
  expectMembers(op, 'u', u, theta.members);
  r.push({
    kernel: inPlaceKernel,
    operands: { g, schedule, state, theta, u },
    sizes: { P: theta.members, M: elements(theta.shape), rows },
    constants: { momentum, decay },
    accumulate: false,
  });
}

const shape = [131];

const inPlaceCases = [1, 3].flatMap((P): OpCase[] =>
  [2, 9].map((draw) => ({
    name: `momentum.inPlace P=${P}, step ${draw} of 4`,
    fill: {
      schedule: { kind: 'positive' } as const,
      state: { kind: 'values', values: () => [0, 0, draw, 0] } as const,
    },
    record(r: Recorder) {
      const operands = {
        g: r.external('g', 1, shape),
        schedule: r.external('schedule', 1, [4, 2]),
        state: r.external('state', 1, [4], 'u32'),
        theta: r.external('theta', P, shape),
        u: r.external('u', P, shape),
      };
      inPlace(r, operands, { momentum: 0.9, decay: 0.01 });
    },
  })),
);

const stepCases = [1, 3].flatMap((P) =>
  [false, true].flatMap((nesterov): OpCase[] => {
    const name = `P=${P}${nesterov ? ' nesterov' : ''}`;
    return [
      {
        name: `momentum.step ${name}, theta shared`,
        record(r: Recorder) {
          const operands = { theta: r.external('theta', 1, shape), g: r.external('g', P, shape) };
          const [u, rate] = [r.external('u', P, shape), r.external('rate', 1, [1])];
          const into = { uNext: r.external('uNext', P, shape), out: r.external('out', P, shape) };
          step(r, { ...operands, u, rate }, { momentum: 0.9, nesterov, decay: 0.125 }, into);
        },
      },
      {
        name: `momentum.backward ${name}, a rate each`,
        record(r: Recorder) {
          const [lambda, uBar] = [r.external('lambda', P, shape), r.external('uBar', P, shape)];
          const into = r.external('v', P, shape);
          const constants = { momentum: 0.9, nesterov };
          backward(r, { lambda, rate: r.external('rate', P, [1]), uBar }, constants, { into });
        },
      },
    ];
  }),
);

export const cases: readonly OpCase[] = [...stepCases, ...inPlaceCases];
