import type { Kernel } from '../kernel.js';
import {
  destination,
  expectSameLength,
  expectShape,
  expectShared,
  type Into,
  type OpCase,
  population,
} from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/** Sums, always in a fixed order, so that the same program gives the same bits. */
const sizes = ['P', 'M'] as const;

export const dotKernel: Kernel = {
  name: 'reduce.dot',
  operands: { a: 'read', b: 'read', out: 'write' },
  sizes,
  constants: [],
  kind: 'multilinear',
  reduction: (s) => s.M + 1,
  flops: (s) => 2 * s.P * s.M,
  reference({ a, b, out }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [ap, bp, op] = [a(p), b(p), out(p)];
      let sum = 0;
      for (let i = 0; i < s.M; i++) sum += ap[i] * bp[i];
      op[0] = (accumulate ? op[0] : 0) + sum;
    }
  },
};

export const sumKernel: Kernel = {
  name: 'reduce.sum',
  operands: { x: 'read', out: 'write' },
  sizes,
  constants: ['factor'],
  kind: 'multilinear',
  reduction: (s) => s.M + 1,
  flops: (s) => s.P * s.M,
  reference({ x, out }, s, { factor }, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [xp, op] = [x(p), out(p)];
      let sum = 0;
      for (let i = 0; i < s.M; i++) sum += xp[i];
      op[0] = (accumulate ? op[0] : 0) + factor * sum;
    }
  },
};

export const membersKernel: Kernel = {
  name: 'reduce.members',
  operands: { x: 'read', scale: 'optional', out: 'write' },
  sizes,
  constants: ['factor'],
  kind: 'multilinear',
  reduction: (s) => s.P + 2,
  flops: (s) => s.P * s.M,
  reference({ x, scale, out }, s, { factor }, accumulate) {
    const total = out(0);
    const by = factor * (scale ? scale(0)[0] : 1);
    for (let i = 0; i < s.M; i++) {
      let sum = 0;
      for (let p = 0; p < s.P; p++) sum += x(p)[i];
      total[i] = (accumulate ? total[i] : 0) + by * sum;
    }
  },
};

/** out `[1]` per member = sum of a b. */
export function dot(r: Recorder, { a, b }: { a: View; b: View }, to: Into = {}): View {
  const op = dotKernel.name;
  expectSameLength(op, 'b', b, 'a', a);
  const P = population(op, { a, b });
  const out = destination(r, op, 'out', P, [1], to);
  const sizes = { P, M: elements(a.shape) };
  r.push({
    kernel: dotKernel,
    operands: { a, b, out },
    sizes,
    constants: {},
    accumulate: to.accumulate ?? false,
  });
  return out;
}

/** out `[1]` per member = factor times the sum of x. */
export function sum(r: Recorder, { x }: { x: View }, factor = 1, to: Into = {}): View {
  const out = destination(r, sumKernel.name, 'out', x.members, [1], to);
  const sizes = { P: x.members, M: elements(x.shape) };
  r.push({
    kernel: sumKernel,
    operands: { x, out },
    sizes,
    constants: { factor },
    accumulate: to.accumulate ?? false,
  });
  return out;
}

/**
 * The gradient of something shared: out = factor times `scale[0]` (1 if left out) times x summed over the population.
 * `scale` is `[1]` and shared itself.
 */
export function members(
  r: Recorder,
  { x, scale }: { x: View; scale?: View },
  factor = 1,
  to: Into = {},
): View {
  const op = membersKernel.name;
  if (scale) {
    expectShape(op, 'scale', scale, [1], '(one factor)');
    expectShared(op, 'scale', scale);
  }
  const out = destination(r, op, 'out', 1, x.shape, to);
  const sizes = { P: x.members, M: elements(x.shape) };
  r.push({
    kernel: membersKernel,
    operands: { x, scale, out },
    sizes,
    constants: { factor },
    accumulate: to.accumulate ?? false,
  });
  return out;
}

export const cases: readonly OpCase[] = [1, 3, 20].flatMap((P) =>
  [1, 300, 5000].flatMap((M) => {
    const name = `P=${P} M=${M}`;
    return [
      {
        name: `reduce.dot ${name}`,
        record(r: Recorder) {
          dot(
            r,
            { a: r.external('a', P, [M]), b: r.external('b', 1, [M]) },
            { into: r.external('out', P, [1]) },
          );
        },
      },
      {
        name: `reduce.sum ${name} accumulate`,
        record(r: Recorder) {
          sum(r, { x: r.external('x', P, [M]) }, 0.25, { into: r.external('out', P, [1]), accumulate: true });
        },
      },
      {
        name: `reduce.members ${name}`,
        record(r: Recorder) {
          members(r, { x: r.external('x', P, [M]) }, 1, { into: r.external('out', 1, [M]) });
        },
      },
      {
        name: `reduce.members ${name} scaled, accumulate`,
        record(r: Recorder) {
          const operands = { x: r.external('x', P, [M]), scale: r.external('scale', 1, [1]) };
          members(r, operands, -1, { into: r.external('out', 1, [M]), accumulate: true });
        },
      },
    ];
  }),
);
