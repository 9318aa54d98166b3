import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Empirical characteristic functions, `phi[f] = mean over n of exp(i x[n,f])` of phases x `[N, F]`, as real parts above
 * imaginary ones, `[2, F]`, and how far two of them are apart.
 *
 * Phases below 10,000 in size are seen as they are; what an engine makes of larger ones is not defined.
 */
const sizes = ['P', 'N', 'F'] as const;

export const forwardKernel: Kernel = {
  name: 'characteristic.forward',
  operands: { x: 'read', phi: 'write' },
  sizes,
  constants: [],
  kind: 'nonlinear',
  reduction: (s) => s.N,
  flops: (s) => 25 * s.P * s.N * s.F,
  reference({ x, phi }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, out] = [x(p), phi(p)];
      for (let f = 0; f < s.F; f++) {
        let [cosine, sine] = [0, 0];
        for (let n = 0; n < s.N; n++) {
          cosine += Math.cos(xp[n * s.F + f]);
          sine += Math.sin(xp[n * s.F + f]);
        }
        out[f] = cosine / s.N;
        out[s.F + f] = sine / s.N;
      }
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'characteristic.backward',
  operands: { x: 'read', phiBar: 'read', xBar: 'write' },
  sizes,
  constants: [],
  kind: 'nonlinear',
  reduction: () => 2,
  flops: (s) => 25 * s.P * s.N * s.F,
  reference({ x, phiBar, xBar }, s) {
    for (let p = 0; p < s.P; p++) {
      const [xp, bar, out] = [x(p), phiBar(p), xBar(p)];
      for (let i = 0; i < s.N * s.F; i++) {
        const f = i % s.F;
        out[i] = (bar[s.F + f] * Math.cos(xp[i]) - bar[f] * Math.sin(xp[i])) / s.N;
      }
    }
  },
};

/**
 * The distance of a and b at every frequency, of their amplitudes by alpha and of their phases by the rest (Wang et al. 2025), and its
 * two gradients. With `cross = a[0] b[1] - a[1] b[0]`:
 *
 *     distance = sqrt(alpha (|a| - |b|)² + 2 (1 - alpha) apart)      distances[f] = scale distance
 *     apart = |a||b| - a·b = cross² / (|a||b| + a·b)
 *     aBar = scale (along a + across a⊥) / |a| / distance
 *     along = alpha (|a| - |b|) + (1 - alpha) apart / |a|      across = -(1 - alpha) cross / |a|
 *
 * where a⊥ is a turned by a right angle; bBar is that with a and b exchanged. The second form of `apart`, for a·b > 0, does not
 * cancel. Where the distance is 0, or the own amplitude is, there is no gradient, and 0 stands in its place.
 */
export const distanceKernel: Kernel = {
  name: 'characteristic.distance',
  operands: { a: 'read', b: 'read', distances: 'write', aBar: 'write', bBar: 'write' },
  sizes: ['P', 'F'],
  constants: ['alpha', 'scale'],
  kind: 'nonlinear',
  reduction: () => 4,
  flops: (s) => 60 * s.P * s.F,
  reference({ a, b, distances, aBar, bBar }, s, { alpha, scale }) {
    for (let p = 0; p < s.P; p++) {
      const [ap, bp, out, aOut, bOut] = [a(p), b(p), distances(p), aBar(p), bBar(p)];
      for (let f = 0; f < s.F; f++) {
        const [ax, ay, bx, by] = [ap[f], ap[s.F + f], bp[f], bp[s.F + f]];
        const [aSize, bSize] = [Math.hypot(ax, ay), Math.hypot(bx, by)];
        const [dot, cross] = [ax * bx + ay * by, ax * by - ay * bx];
        const apart = dot > 0 ? cross ** 2 / (aSize * bSize + dot) : aSize * bSize - dot;
        const distance = Math.sqrt(alpha * (aSize - bSize) ** 2 + 2 * (1 - alpha) * apart);
        const gradient = (x: number, y: number, size: number, other: number, cross: number) => {
          if (size === 0 || distance === 0) return [0, 0];
          const along = alpha * (size - other) + ((1 - alpha) * apart) / size;
          const across = (-(1 - alpha) * cross) / size;
          return [along * x - across * y, along * y + across * x].map(
            (value) => (scale * value) / size / distance,
          );
        };
        out[f] = scale * distance;
        [aOut[f], aOut[s.F + f]] = gradient(ax, ay, aSize, bSize, cross);
        [bOut[f], bOut[s.F + f]] = gradient(bx, by, bSize, aSize, -cross);
      }
    }
  },
};

/** phi `[2, F]` of phases x `[N, F]`. */
export function forward(r: Recorder, { x }: { x: View }, to: Into = {}): View {
  const op = forwardKernel.name;
  expectRank(op, 'x', x, 'N F');
  const [N, F] = x.shape;
  const phi = destination(r, op, 'phi', x.members, [2, F], to);
  const sizes = { P: x.members, N, F };
  r.push({ kernel: forwardKernel, operands: { x, phi }, sizes, constants: {}, accumulate: false });
  return phi;
}

/** xBar, the gradient of the phases, from that of phi. */
export function backward(r: Recorder, { x, phiBar }: { x: View; phiBar: View }, to: Into = {}): View {
  const op = backwardKernel.name;
  expectRank(op, 'x', x, 'N F');
  const [N, F] = x.shape;
  expectShape(op, 'phiBar', phiBar, [2, F], `because x has ${F} frequencies`);
  const P = population(op, { x, phiBar });
  const xBar = destination(r, op, 'xBar', P, x.shape, to);
  const operands = { x, phiBar, xBar };
  r.push({ kernel: backwardKernel, operands, sizes: { P, N, F }, constants: {}, accumulate: false });
  return xBar;
}

/** The distance of a and b at every frequency times `scale`, and its gradients with respect to both. */
export function distance(
  r: Recorder,
  { a, b }: { a: View; b: View },
  { alpha, scale }: { alpha: number; scale: number },
  into: { distances?: View; aBar?: View; bBar?: View } = {},
): { distances: View; aBar: View; bBar: View } {
  const op = distanceKernel.name;
  expectRank(op, 'a', a, '2 F');
  const [, F] = a.shape;
  expectShape(op, 'a', a, [2, F], '(real and imaginary parts)');
  expectShape(op, 'b', b, [2, F], 'because a has that shape');
  const P = population(op, { a, b });
  const distances = destination(r, op, 'distances', P, [F], { into: into.distances });
  const [aBar, bBar] = (['aBar', 'bBar'] as const).map((name) =>
    destination(r, op, name, P, [2, F], { into: into[name] }),
  );
  const operands = { a, b, distances, aBar, bBar };
  r.push({
    kernel: distanceKernel,
    operands,
    sizes: { P, F },
    constants: { alpha, scale },
    accumulate: false,
  });
  return { distances, aBar, bBar };
}

/** Phases of both signs, small ones and some hundred turns. */
const phases = (count: number) =>
  Array.from({ length: count }, (_, i) => 4 ** ((i % 9) - 3) * Math.sin(i * i + 1));

/** Pairs in all quarters: apart, of one direction, opposite, the same, and none. */
const pairs = [
  ...[
    [0.3, 0.4, 0.1, -0.2],
    [-0.5, 0.1, 0.6, 0.3],
    [0.2, -0.1, 0.4, -0.2],
    [-0.2, 0.3, 0.2, -0.3],
  ],
  ...[
    [0.7, 0.1, 0.7, 0.1],
    [0, 0, 0.2, 0.5],
    [0.3, -0.3, 0, 0],
    [0, 0, 0, 0],
  ],
];
const column = (at: number) => pairs.map((pair) => pair[at]);

export const cases: readonly OpCase[] = [
  ...[
    { P: 1, N: 1, F: 5 },
    { P: 3, N: 7, F: 33 },
    { P: 2, N: 300, F: 700 },
    { P: 10, N: 256, F: 4096, bench: true },
  ].flatMap(({ P, N, F, bench }): OpCase[] => {
    const fill = { x: { kind: 'values', values: () => phases(P * N * F) } } as const;
    const name = `P=${P} N=${N} F=${F}`;
    return [
      {
        ...{ name: `characteristic.forward ${name}`, bench, fill },
        record: (r) =>
          void forward(r, { x: r.external('x', P, [N, F]) }, { into: r.external('phi', P, [2, F]) }),
      },
      {
        ...{ name: `characteristic.backward ${name}`, bench, fill },
        record(r) {
          const operands = { x: r.external('x', P, [N, F]), phiBar: r.external('phiBar', 1, [2, F]) };
          backward(r, operands, { into: r.external('xBar', P, [N, F]) });
        },
      },
    ];
  }),
  ...[
    { P: 1, F: 1, alpha: 0.5 },
    { P: 3, F: 700, alpha: 0.3 },
    { P: 1, F: pairs.length, alpha: 0.5, special: true },
  ].map(({ P, F, alpha, special }): OpCase => {
    const values = (at: number) => ({
      kind: 'values' as const,
      values: () => [...column(at), ...column(at + 1)],
    });
    return {
      name: `characteristic.distance P=${P} F=${F} alpha=${alpha}${special ? ' special' : ''}`,
      fill: special ? { a: values(0), b: values(2) } : undefined,
      record(r) {
        const operands = { a: r.external('a', P, [2, F]), b: r.external('b', 1, [2, F]) };
        const [aBar, bBar] = ['aBar', 'bBar'].map((name) => r.external(name, P, [2, F]));
        distance(
          r,
          operands,
          { alpha, scale: 2.5 },
          { distances: r.external('distances', P, [F]), aBar, bBar },
        );
      },
    };
  }),
];
