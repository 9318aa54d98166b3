import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectSameLength, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * The confusion matrix of samples: how many of class i are classified as class j. A sample's class is where its largest label is (the
 * first one on a tie), its answer where its largest logit is. z `[N, K]`, y `[N, K]` (one-hot or soft), counts `[K, K]` as whole
 * numbers in f32 (exact below 2^24); the right answers are on the diagonal.
 */
function first(values: ArrayLike<number>, row: number, K: number): number {
  let best = 0;
  for (let k = 1; k < K; k++) if (values[row * K + k] > values[row * K + best]) best = k;
  return best;
}

export const confusionKernel: Kernel = {
  name: 'accuracy.confusion',
  operands: { z: 'read', y: 'read', counts: 'write' },
  sizes: ['P', 'N', 'K'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => 2 * s.P * s.N * s.K,
  reference({ z, y, counts }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, cp] = [z(p), y(p), counts(p)];
      if (!accumulate) cp.fill(0);
      for (let n = 0; n < s.N; n++) cp[first(yp, n, s.K) * s.K + first(zp, n, s.K)]++;
    }
  },
};

/** Counts, or adds to, the answers of every member by class and answer. */
export function confusion(r: Recorder, { z, y }: { z: View; y: View }, to: Into = {}): View {
  const kernel = confusionKernel;
  const op = kernel.name;
  expectRank(op, 'z', z, 'N K');
  expectSameLength(op, 'y', y, 'z', z);
  const P = population(op, { z, y });
  const [N, K] = z.shape;
  const counts = destination(r, op, 'counts', P, [K, K], to);
  const sizes = { P, N, K };
  r.push({
    kernel,
    operands: { z, y, counts },
    sizes,
    constants: {},
    accumulate: to.accumulate ?? false,
  });
  return counts;
}

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => [
  {
    name: `accuracy.confusion P=${P}, labels shared`,
    fill: { y: { kind: 'simplex' } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [301, 4]), y: r.external('y', 1, [301, 4]) };
      confusion(r, operands, { into: r.external('counts', P, [4, 4]) });
    },
  },
  {
    name: `accuracy.confusion P=${P}, more classes than lanes, accumulate`,
    fill: { y: { kind: 'simplex' } as const, counts: { kind: 'below', limit: 100 } as const },
    record(r: Recorder) {
      const operands = { z: r.external('z', P, [200, 70]), y: r.external('y', P, [200, 70]) };
      confusion(r, operands, { into: r.external('counts', P, [70, 70]), accumulate: true });
    },
  },
]);
