import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * How many samples of each class are classified correctly: the largest logit is where the largest label is (the first one on
 * a tie), and that is the sample's class. z `[N, K]`, y `[N, K]` (one-hot or soft), correct `[K]` as whole numbers in f32
 * (exact below 2^24).
 */
function first(values: ArrayLike<number>, row: number, K: number): number {
  let best = 0;
  for (let k = 1; k < K; k++) if (values[row * K + k] > values[row * K + best]) best = k;
  return best;
}

export const byClassKernel: Kernel = {
  name: 'accuracy.byClass',
  operands: { z: 'read', y: 'read', correct: 'write' },
  sizes: ['P', 'N', 'K'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => 2 * s.P * s.N * s.K,
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

/** Counts, or adds to, the samples classified correctly, by member and class. */
export function byClass(r: Recorder, { z, y }: { z: View; y: View }, to: Into = {}): View {
  const kernel = byClassKernel;
  const op = kernel.name;
  expectRank(op, 'z', z, 'N K');
  expectSameLength(op, 'y', y, 'z', z);
  const P = population(op, { z, y });
  const correct = destination(r, op, 'correct', P, [z.shape[1]], to);
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
