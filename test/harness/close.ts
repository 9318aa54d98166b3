/** Rounding unit of float32: the relative error of one correctly rounded operation. */
export const eps32 = 2 ** -24;

/**
 * Compares element by element and throws with the worst element. Written so that NaN never passes: a difference
 * must be *at most* the tolerance, and NaN is at most nothing.
 */
export function expectClose(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: (index: number) => number,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${name}: ${actual.length} elements, expected ${expected.length}`);
  let worst = -1;
  let worstExcess = 0;
  let failures = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (Object.is(actual[i], expected[i]) || difference <= tolerance(i)) continue;
    failures++;
    const excess = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / tolerance(i);
    if (worst < 0 || excess > worstExcess) {
      worst = i;
      worstExcess = excess;
    }
  }
  if (failures)
    throw new Error(
      `${name}: ${failures} of ${expected.length} elements differ; worst at ${worst}: ${actual[worst]}, ` +
        `expected ${expected[worst]} within ${tolerance(worst)}`,
    );
}

/** `|a - b|₂ / |b|₂`; NaN when anything is NaN, so test it with `<`, never with `not >`. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.NaN;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
