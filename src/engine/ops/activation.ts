import { erfc } from '../../util/erfc.js';
import type { Kernel } from '../kernel.js';
import { destination, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Pointwise functions `y = f(x)` from a table of curves, with the two derivatives that the other passes need:
 *
 *     derivative        f'(x) u: backward with u = yBar, the tangent with u = xDot
 *     tangentBackward   xBarDot = f'(x) yBarDot + f''(x) xDot yBar
 *
 * All operands `[M]`. Numbers beyond what exp takes saturate: softplus(1000) = 1000, sigmoid(-1000) = 0 with derivative 0.
 */
export interface Activation {
  readonly curve: Curve;
  /** The slope below zero of a leaky ReLU; the other curves have none. */
  readonly slope?: number;
}

interface Definition {
  readonly value: (x: number, slope: number) => number;
  readonly first: (x: number, slope: number) => number;
  readonly second: (x: number) => number;
}

/** exp(-|x|): the only exponential that sigmoid and softplus need, and it never overflows. */
const decay = (x: number) => Math.exp(-Math.abs(x));

const logistic: Definition = {
  value: (x) => (x < 0 ? decay(x) : 1) / (1 + decay(x)),
  first: (x) => decay(x) / (1 + decay(x)) ** 2,
  second: (x) => (logistic.first(x, 0) * Math.sign(x) * Math.expm1(-Math.abs(x))) / (1 + decay(x)),
};

/** The standard normal distribution function, and its density. */
const normal = (x: number) => erfc(-x * Math.SQRT1_2) / 2;
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
/** Where the density is zero in any precision; keeps 0 times infinity out. */
const clamp = (x: number) => Math.min(Math.max(x, -50), 50);
/** The same for exp(-|x|). */
const bounded = (x: number) => Math.min(Math.max(x, -800), 800);

/** Curves are numbered by their place in the table; the other engines know them by that number. */
const definitions = {
  leakyRelu: {
    value: (x, slope) => (x < 0 ? slope * x : x),
    first: (x, slope) => (x > 0 ? 1 : slope),
    second: () => 0,
  },
  tanh: {
    value: Math.tanh,
    first: (x) => 4 * logistic.first(2 * x, 0),
    second: (x) => 8 * logistic.second(2 * x),
  },
  sigmoid: logistic,
  softplus: {
    value: (x) => Math.max(x, 0) + Math.log1p(decay(x)),
    first: logistic.value,
    second: (x) => logistic.first(x, 0),
  },
  /** x times the normal distribution function: the exact form, not the one with tanh. */
  gelu: {
    value: (x) => (x < 0 ? clamp(x) : x) * normal(x),
    first: (x) => normal(x) + clamp(x) * density(x),
    second: (x) => (2 - clamp(x) ** 2) * density(x),
  },
  /** x sigmoid(x). */
  swish: {
    value: (x) => (x < 0 ? bounded(x) : x) * logistic.value(x, 0),
    first: (x) => logistic.value(x, 0) + bounded(x) * logistic.first(x, 0),
    second: (x) => 2 * logistic.first(x, 0) + bounded(x) * logistic.second(x),
  },
} satisfies Record<string, Definition>;

export type Curve = keyof typeof definitions;

/** Every curve; its place here is the size `curve` of the kernels. */
export const curves = Object.keys(definitions) as readonly Curve[];

const sizes = ['P', 'M', 'curve'] as const;
const constants = ['slope'] as const;
const definition = (curve: number): Definition => definitions[curves[curve]];

export const forwardKernel: Kernel = {
  name: 'activation.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants,
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.M,
  reference({ x, y }, s, { slope }) {
    const { value } = definition(s.curve);
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      for (let i = 0; i < s.M; i++) yp[i] = value(xp[i], slope);
    }
  },
};

export const derivativeKernel: Kernel = {
  name: 'activation.derivative',
  operands: { x: 'read', u: 'read', out: 'write' },
  sizes,
  constants,
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'nonlinear',
  reduction: () => 1,
  flops: (s) => 20 * s.P * s.M,
  reference({ x, u, out }, s, { slope }) {
    const { first } = definition(s.curve);
    for (let p = 0; p < s.P; p++) {
      const [xp, up, op] = [x(p), u(p), out(p)];
      for (let i = 0; i < s.M; i++) op[i] = first(xp[i], slope) * up[i];
    }
  },
};

export const tangentBackwardKernel: Kernel = {
  name: 'activation.tangentBackward',
  operands: { x: 'read', xDot: 'read', yBar: 'read', yBarDot: 'optional', xBarDot: 'write' },
  sizes,
  constants,
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'nonlinear',
  reduction: () => 2,
  flops: (s) => 25 * s.P * s.M,
  reference({ x, xDot, yBar, yBarDot, xBarDot }, s, { slope }) {
    const { first, second } = definition(s.curve);
    for (let p = 0; p < s.P; p++) {
      const [xp, xDotP, yBarP, yBarDotP, out] = [x(p), xDot(p), yBar(p), yBarDot?.(p), xBarDot(p)];
      for (let i = 0; i < s.M; i++) {
        const linear = yBarDotP ? first(xp[i], slope) * yBarDotP[i] : 0;
        out[i] = linear + second(xp[i]) * xDotP[i] * yBarP[i];
      }
    }
  },
};

function push(
  r: Recorder,
  kernel: Kernel,
  operands: { readonly x: View } & Record<string, View | undefined>,
  result: string,
  { curve, slope = 0.01 }: Activation,
  to: Into,
): View {
  const { x } = operands;
  for (const [name, view] of Object.entries(operands))
    if (view && view !== x) expectSameLength(kernel.name, name, view, 'x', x);
  const P = population(kernel.name, operands);
  const out = destination(r, kernel.name, result, P, x.shape, to);
  r.push({
    kernel,
    operands: { ...operands, [result]: out },
    sizes: { P, M: elements(x.shape), curve: curves.indexOf(curve) },
    constants: { slope },
    accumulate: false,
  });
  return out;
}

/** y = f(x). */
export function forward(r: Recorder, { x }: { x: View }, activation: Activation, to: Into = {}): View {
  return push(r, forwardKernel, { x }, 'y', activation, to);
}

/** out = f'(x) u: what the backward and the tangent pass do to yBar and xDot. */
export function derivative(
  r: Recorder,
  { x, u }: { x: View; u: View },
  activation: Activation,
  to: Into = {},
): View {
  return push(r, derivativeKernel, { x, u }, 'out', activation, to);
}

/** xBarDot = f'(x) yBarDot + f''(x) xDot yBar; yBarDot is left out when it is zero. */
export function tangentBackward(
  r: Recorder,
  { x, xDot, yBar, yBarDot }: { x: View; xDot: View; yBar: View; yBarDot?: View },
  activation: Activation,
  to: Into = {},
): View {
  return push(r, tangentBackwardKernel, { x, xDot, yBar, yBarDot }, 'xBarDot', activation, to);
}

export const cases: readonly OpCase[] = curves.flatMap((curve) =>
  [1, 3].flatMap((P): OpCase[] => {
    const shape = [7, 19];
    const activation = { curve };
    return [
      {
        name: `activation.forward ${curve} P=${P}`,
        record(r) {
          forward(r, { x: r.external('x', P, shape) }, activation, { into: r.external('y', P, shape) });
        },
      },
      {
        name: `activation.derivative ${curve} P=${P}, x shared`,
        record(r) {
          const operands = { x: r.external('x', 1, shape), u: r.external('u', P, shape) };
          derivative(r, operands, activation, { into: r.external('out', P, shape) });
        },
      },
      {
        name: `activation.tangentBackward ${curve} P=${P}, xDot shared`,
        record(r) {
          const [x, yBar, yBarDot] = ['x', 'yBar', 'yBarDot'].map((name) => r.external(name, P, shape));
          const operands = { x, xDot: r.external('xDot', 1, shape), yBar, yBarDot };
          tangentBackward(r, operands, activation, { into: r.external('xBarDot', P, shape) });
        },
      },
      {
        name: `activation.tangentBackward ${curve} P=${P}, no yBarDot`,
        record(r) {
          const [x, xDot, yBar] = ['x', 'xDot', 'yBar'].map((name) => r.external(name, P, shape));
          tangentBackward(r, { x, xDot, yBar }, activation, { into: r.external('xBarDot', P, shape) });
        },
      },
    ];
  }),
);
