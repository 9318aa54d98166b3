/** Scores that put accuracies together, and what a few runs leave open: against formulas and tables of others. */
import { describe, expect, test } from 'vitest';
import {
  augmentationRobustScore,
  hardLabelRecovery,
  improvementOverRandom,
  labelRobustScore,
} from '../src/eval/ranking.js';
import { studentBound, studentWithin } from '../src/util/student.js';

describe('DD-Ranking', () => {
  const accuracies = { real: 84.7, hard: 28.3, own: 47.6, random: 15.4 };

  test('the four scores are those of the published formulas', () => {
    expect(hardLabelRecovery(accuracies)).toBeCloseTo(56.4, 12);
    expect(improvementOverRandom(accuracies)).toBeCloseTo(32.2, 12);
    // alpha = w IOR - (1 - w) HLR of accuracies in 0..1; (e^alpha - e^-1) / (e - e^-1)
    const alpha = 0.5 * 0.322 - 0.5 * 0.564;
    const score = (value: number) => (Math.exp(value) - Math.exp(-1)) / (Math.exp(1) - Math.exp(-1));
    expect(labelRobustScore(accuracies)).toBeCloseTo(score(alpha), 12);
    expect(labelRobustScore(accuracies, 0.9)).toBeCloseTo(score(0.9 * 0.322 - 0.1 * 0.564), 12);
    const own = { augmented: 63.5, plain: 51.25 };
    const random = { augmented: 31, plain: 26 };
    expect(augmentationRobustScore(own, random)).toBeCloseTo(score(0.5 * 0.325 + 0.5 * 0.2525), 12);
    expect(augmentationRobustScore(own, random, 0.2)).toBeCloseTo(score(0.2 * 0.325 + 0.8 * 0.2525), 12);
  });

  test('their ends are 0 and 1', () => {
    expect(labelRobustScore({ real: 100, hard: 0, own: 0, random: 100 })).toBeCloseTo(0, 15);
    expect(labelRobustScore({ real: 0, hard: 100, own: 100, random: 0 })).toBeCloseTo(1, 15);
  });

  test('a weight outside of 0 to 1 is refused', () => {
    for (const weight of [-0.1, 1.1, Number.NaN]) {
      expect(() => labelRobustScore(accuracies, weight)).toThrow(/weight is .*, expected 0 to 1/);
      const both = { augmented: 1, plain: 1 };
      expect(() => augmentationRobustScore(both, both, weight)).toThrow(/weight is/);
    }
  });
});

describe("Student's t", () => {
  test('is what tables of it have', () => {
    // Two-sided 95 and 99 %, to the three decimals of the tables.
    const table = [
      [1, 12.706, 63.657],
      [2, 4.303, 9.925],
      [3, 3.182, 5.841],
      [4, 2.776, 4.604],
      [9, 2.262, 3.25],
      [10, 2.228, 3.169],
      [30, 2.042, 2.75],
    ];
    for (const [freedom, t95, t99] of table) {
      expect(studentBound(0.95, freedom)).toBeCloseTo(t95, 3);
      expect(studentBound(0.99, freedom)).toBeCloseTo(t99, 3);
    }
  });

  test('is an integral of its density', () => {
    for (const freedom of [1, 2, 5, 8]) {
      const density = (t: number) => (1 + (t * t) / freedom) ** (-(freedom + 1) / 2);
      // Simpson's rule; the constant cancels against the whole of it, whose tails a substitution folds in.
      const simpson = (from: number, to: number, f: (x: number) => number, n = 20_000) => {
        const h = (to - from) / n;
        let sum = f(from) + f(to);
        for (let i = 1; i < n; i++) sum += (i % 2 ? 4 : 2) * f(from + i * h);
        return (sum * h) / 3;
      };
      const whole = simpson(-1, 1, density) + 2 * simpson(1e-9, 1, (u) => density(1 / u) / (u * u));
      expect(studentWithin(1, freedom)).toBeCloseTo(simpson(-1, 1, density) / whole, 6);
    }
  });
});
