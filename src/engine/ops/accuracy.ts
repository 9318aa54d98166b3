import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * How many samples are right: those whose largest logit is where the largest label is (the first one on a tie).
 * z `[N, K]`, y `[N, K]` (one-hot or soft), correct as whole numbers in f32 (exact below 2^24).
 *
 *     count      correct `[1]`, of all samples
 *     byClass    correct `[K]`, of the samples of each class (where their largest label is)
 */
function first(values: ArrayLike<number>, row: number, K: number): number {
  let best = 0;
  for (let k = 1; k < K; k++) if (values[row * K + k] > values[row * K + best]) best = k;
  return best;
}

export const countKernel: Kernel = {
  name: 'accuracy.count',
  operands: { z: 'read', y: 'read', correct: 'write' },
  sizes: ['P', 'N', 'K'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => 2 * s.P * s.N * s.K,
  reference({ z, y, correct }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, cp] = [z(p), y(p), correct(p)];
      let count = 0;
      for (let n = 0; n < s.N; n++) if (first(zp, n, s.K) === first(yp, n, s.K)) count++;
      cp[0] = (accumulate ? cp[0] : 0) + count;
    }
  },
};

export const byClassKernel: Kernel = {
  ...countKernel,
  name: 'accuracy.byClass',
  reference({ z, y, correct }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, cp] = [z(p), y(p), correct(p)];
      if (!accumulate) cp.fill(0);
      for (let n = 0; n < s.N; n++) {
        const label = first(yp, n, s.K);
        if (first(zp, n, s.K) === label) cp[label]++;
      }
    }
  },
};

/** Adds up right answers per member. */
export function count(r: Recorder, operands: { z: View; y: View }, to: Into = {}): View {
  return record(r, countKernel, operands, 1, to);
}

/** Adds up right answers per member and class. */
export function byClass(r: Recorder, operands: { z: View; y: View }, to: Into = {}): View {
  return record(r, byClassKernel, operands, operands.z.shape[1], to);
}

function record(
  r: Recorder,
  kernel: Kernel,
  { z, y }: { z: View; y: View },
  results: number,
  to: Into,
): View {
  const op = kernel.name;
  expectRank(op, 'z', z, 'N K');
  expectSameLength(op, 'y', y, 'z', z);
  const P = population(op, { z, y });
  const correct = destination(r, op, 'correct', P, [results], to);
  const sizes = { P, N: z.shape[0], K: z.shape[1] };
  r.push({
    kernel,
    operands: { z, y, correct },
    sizes,
    constants: {},
    accumulate: to.accumulate ?? false,
  });
  return correct;
}

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => [
  {
    name: `accuracy.count P=${P}, labels shared`,
    fill: { y: { kind: 'simplex' } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [301, 4]), y: r.external('y', 1, [301, 4]) };
      count(r, operands, { into: r.external('correct', P, [1]) });
    },
  },
  {
    name: `accuracy.count P=${P}, accumulate`,
    fill: { y: { kind: 'simplex' } as const, correct: { kind: 'below', limit: 100 } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [20, 10]), y: r.external('y', P, [20, 10]) };
      count(r, operands, { into: r.external('correct', P, [1]), accumulate: true });
    },
  },
  {
    name: `accuracy.byClass P=${P}, labels shared`,
    fill: { y: { kind: 'simplex' } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [301, 4]), y: r.external('y', 1, [301, 4]) };
      byClass(r, operands, { into: r.external('correct', P, [4]) });
    },
  },
  {
    name: `accuracy.byClass P=${P}, more classes than lanes, accumulate`,
    fill: { y: { kind: 'simplex' } as const, correct: { kind: 'below', limit: 100 } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [200, 70]), y: r.external('y', P, [200, 70]) };
      byClass(r, operands, { into: r.external('correct', P, [70]), accumulate: true });
    },
  },
]);
