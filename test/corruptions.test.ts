/** What networks are put to beside attacks. */
import { describe, expect, test } from 'vitest';
import { corruptions } from '../src/uses/perturb.js';

describe('corruptions', () => {
  const shape = [1, 4, 4] as const;
  const ramp = Float32Array.from({ length: 32 }, (_, i) => (i % 16) / 15);
  const changed = (name: string) => corruptions[name](ramp, [...shape]);

  test('keep pixels in their range', () => {
    for (const name of Object.keys(corruptions))
      for (const value of changed(name)) expect(value >= 0 && value <= 1).toBe(true);
  });

  test('are what they are called', () => {
    // The mean of the four pixels that there are around a corner, and of nine in the middle.
    const blurred = changed('blur');
    expect(blurred[0]).toBeCloseTo((0 + 1 + 4 + 5) / 4 / 15, 6);
    expect(blurred[5]).toBeCloseTo(5 / 15, 6);
    expect(blurred[21]).toBeCloseTo(5 / 15, 6);
    expect([...changed('contrast').slice(0, 2)]).toEqual(
      [0.5 - 0.5 / 3, 0.5 + (1 / 15 - 0.5) / 3].map(Math.fround),
    );
    expect([...changed('hidden').keys()].filter((i) => changed('hidden')[i] !== ramp[i])).toEqual(
      [5, 6, 9, 10].flatMap((i) => [i, i + 16]).sort((a, b) => a - b),
    );
    const noise = changed('noise').map((value, i) => value - ramp[i]);
    expect(Math.sqrt(noise.reduce((sum, value) => sum + value ** 2, 0) / 32)).toBeGreaterThan(0.05);
  });
});
