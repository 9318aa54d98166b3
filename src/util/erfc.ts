/**
 * The complementary error function 2/sqrt(pi) times the integral of exp(-t²) from z to infinity, to a relative error of
 * about 1e-15 (plus what rounding z² costs far out): its Taylor series without alternating signs near zero
 * (Abramowitz and Stegun 7.1.6), Laplace's continued fraction beyond (7.1.14).
 */
export function erfc(z: number): number {
  if (Number.isNaN(z)) return z;
  const a = Math.abs(z);
  if (a < 2) {
    let term = a;
    let sum = a;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (2 * a * a) / (2 * n + 1);
      sum += term;
    }
    const erf = (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * sum;
    return z < 0 ? 1 + erf : 1 - erf;
  }
  let fraction = a;
  for (let n = 80; n >= 1; n--) fraction = a + n / 2 / fraction;
  const upper = Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction);
  return z < 0 ? 2 - upper : upper;
}
