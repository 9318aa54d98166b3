import type { Kernel } from '../kernel.js';
import { destination, expectSameLength, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/** Pointwise arithmetic on tensors of M elements per member. */
const sizes = ['P', 'M'] as const;
const perElement = (operations: number) => (s: Readonly<Record<string, number>>) => operations * s.P * s.M;

export const fillKernel: Kernel = {
  name: 'elementwise.fill',
  operands: { out: 'write' },
  sizes,
  constants: ['value'],
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  reference({ out }, s, { value }) {
    for (let p = 0; p < s.P; p++) out(p).fill(value);
  },
};

export const addKernel: Kernel = {
  name: 'elementwise.add',
  operands: { a: 'read', b: 'read', out: 'write' },
  sizes,
  constants: ['alpha', 'beta'],
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'multilinear',
  reduction: () => 2,
  flops: perElement(3),
  reference({ a, b, out }, s, { alpha, beta }) {
    for (let p = 0; p < s.P; p++) {
      const [ap, bp, op] = [a(p), b(p), out(p)];
      for (let i = 0; i < s.M; i++) op[i] = alpha * ap[i] + beta * bp[i];
    }
  },
};

export const divideKernel: Kernel = {
  name: 'elementwise.divide',
  operands: { x: 'read', by: 'read', out: 'write' },
  sizes,
  constants: ['alpha'],
  kind: 'nonlinear',
  reduction: () => 2,
  flops: perElement(2),
  reference({ x, by, out }, s, { alpha }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, op] = [x(p), out(p)];
      const factor = alpha / by(p)[0];
      for (let i = 0; i < s.M; i++) op[i] = factor * xp[i];
    }
  },
};

export const signKernel: Kernel = {
  name: 'elementwise.sign',
  operands: { x: 'read', out: 'write' },
  sizes,
  constants: [],
  cuts: { images: { sizes: ['M'] }, planes: { sizes: ['M'] } },
  kind: 'exact',
  reduction: () => 1,
  flops: perElement(1),
  reference({ x, out }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, op] = [x(p), out(p)];
      for (let i = 0; i < s.M; i++) op[i] = Math.sign(xp[i]);
    }
  },
};

export const averageKernel: Kernel = {
  name: 'elementwise.average',
  operands: { x: 'read', average: 'update' },
  sizes,
  constants: ['decay'],
  kind: 'nonlinear',
  reduction: () => 1,
  flops: perElement(3),
  reference({ x, average }, s, { decay }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, ap] = [x(p), average(p)];
      for (let i = 0; i < s.M; i++) ap[i] += (1 - decay) * (xp[i] - ap[i]);
    }
  },
};

/** out = value everywhere. */
export function fill(r: Recorder, value: number, out: View): View {
  const sizes = { P: out.members, M: elements(out.shape) };
  r.push({ kernel: fillKernel, operands: { out }, sizes, constants: { value }, accumulate: false });
  return out;
}

/** out = alpha a + beta b. */
export function add(r: Recorder, { a, b }: { a: View; b: View }, alpha = 1, beta = 1, into?: View): View {
  const op = addKernel.name;
  expectSameLength(op, 'b', b, 'a', a);
  const P = population(op, { a, b });
  const out = destination(r, op, 'out', P, a.shape, { into });
  const sizes = { P, M: elements(a.shape) };
  r.push({
    kernel: addKernel,
    operands: { a, b, out },
    sizes,
    constants: { alpha, beta },
    accumulate: false,
  });
  return out;
}

/** out = alpha x / by[0]: `by` is `[1]`, and may be per member. */
export function divide(r: Recorder, { x, by }: { x: View; by: View }, alpha = 1, to: Into = {}): View {
  const op = divideKernel.name;
  expectShape(op, 'by', by, [1], 'because all of x is divided by one number');
  const P = population(op, { x, by });
  const out = destination(r, op, 'out', P, x.shape, to);
  const sizes = { P, M: elements(x.shape) };
  r.push({
    kernel: divideKernel,
    operands: { x, by, out },
    sizes,
    constants: { alpha },
    accumulate: false,
  });
  return out;
}

/** out = -1, 0 or 1, as x is negative, zero or positive. */
export function sign(r: Recorder, { x }: { x: View }, into?: View): View {
  const out = destination(r, signKernel.name, 'out', x.members, x.shape, { into });
  const sizes = { P: x.members, M: elements(x.shape) };
  r.push({ kernel: signKernel, operands: { x, out }, sizes, constants: {}, accumulate: false });
  return out;
}

/** Exponential moving average in place: average += (1 - decay) (x - average). */
export function average(r: Recorder, { x, average }: { x: View; average: View }, decay: number): void {
  expectSameLength(averageKernel.name, 'average', average, 'x', x);
  const sizes = { P: average.members, M: elements(x.shape) };
  r.push({ kernel: averageKernel, operands: { x, average }, sizes, constants: { decay }, accumulate: false });
}

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => {
  const shape = [5, 29];
  const out = (r: Recorder) => r.external('out', P, shape);
  return [
    { name: `elementwise.fill P=${P}`, record: (r: Recorder) => void fill(r, -1.5, out(r)) },
    {
      name: `elementwise.add P=${P}, a shared`,
      record(r: Recorder) {
        add(r, { a: r.external('a', 1, shape), b: r.external('b', P, shape) }, 2, -0.5, out(r));
      },
    },
    {
      name: `elementwise.divide P=${P}, x shared`,
      // Far from zero, near which one rounding of the divisor is as large as the result.
      fill: { by: { kind: 'values', values: () => [-3, 0.7, 5].slice(0, P) } },
      record(r: Recorder) {
        divide(r, { x: r.external('x', 1, shape), by: r.external('by', P, [1]) }, 2.5, { into: out(r) });
      },
    },
    {
      name: `elementwise.sign P=${P}`,
      fill: { x: { kind: 'sparse' } },
      record: (r: Recorder) => void sign(r, { x: r.external('x', P, shape) }, out(r)),
    },
    {
      name: `elementwise.average P=${P}`,
      record(r: Recorder) {
        average(r, { x: r.external('x', P, shape), average: r.external('average', P, shape) }, 0.9);
      },
    },
  ];
});
