import {
  destination,
  expectRank,
  expectSameLength,
  type Into,
  type Kernel,
  type OpCase,
  population,
} from '../kernel.js';
import type { Recorder, View } from '../program.js';

/**
 * How many samples are right: those whose largest logit is where the largest label is (the first one on a tie).
 * z `[N, K]`, y `[N, K]` (one-hot or soft), correct `[1]` as a whole number in f32 (exact below 2^24).
 */
export const countKernel: Kernel = {
  name: 'accuracy.count',
  operands: { z: 'read', y: 'read', correct: 'write' },
  sizes: ['P', 'N', 'K'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: (s) => 2 * s.P * s.N * s.K,
  reference({ z, y, correct }, s, _, accumulate) {
    const first = (values: ArrayLike<number>, row: number) => {
      let best = 0;
      for (let k = 1; k < s.K; k++) if (values[row * s.K + k] > values[row * s.K + best]) best = k;
      return best;
    };
    for (let p = 0; p < s.P; p++) {
      const [zp, yp, cp] = [z(p), y(p), correct(p)];
      let count = 0;
      for (let n = 0; n < s.N; n++) if (first(zp, n) === first(yp, n)) count++;
      cp[0] = (accumulate ? cp[0] : 0) + count;
    }
  },
};

/** Adds up right answers per member. */
export function count(r: Recorder, { z, y }: { z: View; y: View }, to: Into = {}): View {
  const op = countKernel.name;
  expectRank(op, 'z', z, 'N K');
  expectSameLength(op, 'y', y, 'z', z);
  const P = population(op, { z, y });
  const correct = destination(r, op, 'correct', P, [1], to);
  const sizes = { P, N: z.shape[0], K: z.shape[1] };
  r.push({
    kernel: countKernel,
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
]);
