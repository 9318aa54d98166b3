#pragma once
#include "simd.h"

/** Elementary functions of vectors, to a few units in the last place. NaN propagates. */
namespace limbeck {
namespace LIMBECK_ISA {

LIMBECK_INLINE Vec magnitude(Vec x) {
  return reinterpret_cast<Vec>(reinterpret_cast<Ints>(x) & broadcast_int(0x7fffffff));
}

/** The polynomial with these coefficients, the constant first. */
template <int N>
LIMBECK_INLINE Vec polynomial(const float (&coefficients)[N], Vec x) {
  Vec value = broadcast(coefficients[N - 1]);
  LIMBECK_UNROLL
  for (int i = N - 2; i >= 0; i--) value = fma(value, x, broadcast(coefficients[i]));
  return value;
}

/** exp(t) for t <= 0; zero where that is below the smallest normal number. */
LIMBECK_INLINE Vec exp_below(Vec t) {
  const Vec rounder = broadcast(0x1.8p23f);  // shifts the fraction out; the whole number is in the lowest bits
  const Vec shifted = fma(t, broadcast(0x1.715476p0f), rounder);
  const Vec n = shifted - rounder;
  // log 2 in two parts, the first with few enough bits that n times it is exact: |r| <= log(2) / 2
  const Vec r = fma(n, broadcast(-0x1.7f7d1cp-20f), fma(n, broadcast(-0x1.62e4p-1f), t));
  constexpr float taylor[] = {1, 1, 1.f / 2, 1.f / 6, 1.f / 24, 1.f / 120, 1.f / 720, 1.f / 5040};
  const Ints power = (reinterpret_cast<Ints>(shifted) + (127 - 0x4b400000)) << 23;
  // A NaN is not below the bound, and a NaN times any power of two is one.
  return select(t < broadcast(-87.3f), zero(), polynomial(taylor, r) * reinterpret_cast<Vec>(power));
}

/** 1 - exp(t) for t <= 0, where e is exp(t): by its series next to zero, where the difference would cancel. */
LIMBECK_INLINE Vec one_minus_exp(Vec t, Vec e) {
  constexpr float taylor[] = {1,        1.f / 2,   1.f / 6,    1.f / 24,
                              1.f / 120, 1.f / 720, 1.f / 5040, 1.f / 40320};
  return select(t > broadcast(-0.35f), -t * polynomial(taylor, t), 1 - e);
}

/** log(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)) by its series. */
LIMBECK_INLINE Vec log_one_plus(Vec e) {
  constexpr float series[] = {1,       1.f / 3,  1.f / 5,  1.f / 7, 1.f / 9,
                              1.f / 11, 1.f / 13, 1.f / 15};
  const Vec s = e / (2 + e);
  return 2 * s * polynomial(series, s * s);
}

/**
 * The upper tail of the standard normal distribution over exp(-a²/2), for 0 <= a <= 13.5: a polynomial in
 * t = 1 / (1 + a/4), fitted to a relative error of 1.3e-8 (weighted least squares, Lawson's iteration).
 */
LIMBECK_INLINE Vec normal_tail(Vec a) {
  constexpr float fitted[] = {-2.3532249542768113e-05f, 0.100265733897686f,   0.09451978653669357f,
                              0.12295544892549515f,     -0.02437390200793743f, 0.31190305948257446f,
                              -0.34239131212234497f,    0.40171030163764954f, -0.1990428864955902f,
                              0.03447728604078293f};
  return polynomial(fitted, 1 / (1 + 0.25f * a));
}

struct Circle {
  Vec cosine, sine;
};

/** cos(x) and sin(x) for |x| up to 10,000: Taylor polynomials around the nearest multiple of a right angle. */
LIMBECK_INLINE Circle circle(Vec x) {
  const Vec rounder = broadcast(0x1.8p23f);  // as in exp_below
  const Vec shifted = fma(x, broadcast(0x1.45f306p-1f), rounder);
  const Vec n = shifted - rounder;
  // pi / 2 in three parts, the first two with so few bits that n times them is exact
  const Vec r = fma(n, broadcast(-0x1.4442d2p-24f), fma(n, broadcast(-0x1.fb4p-12f), fma(n, broadcast(-0x1.92p0f), x)));
  const Vec q = r * r;
  constexpr float even[] = {1, -1.f / 2, 1.f / 24, -1.f / 720, 1.f / 40320, -1.f / 3628800};
  constexpr float odd[] = {-1.f / 6, 1.f / 120, -1.f / 5040, 1.f / 362880};
  const Vec cosine = polynomial(even, q), sine = fma(r * q, polynomial(odd, q), r);
  const Ints quarter = reinterpret_cast<Ints>(shifted);
  const Ints turned = (quarter & 1) == 1;
  const Vec c = select(turned, sine, cosine), s = select(turned, cosine, sine);
  return {select(((quarter + 1) & 2) == 2, -c, c), select((quarter & 2) == 2, -s, s)};
}

/** f(x), f'(x) and f''(x); what a kernel does not use, the compiler leaves out. */
struct Values {
  Vec value, first, second;
};

LIMBECK_INLINE Values sigmoid(Vec x) {
  const Vec t = -magnitude(x), e = exp_below(t);
  const Vec inverse = 1 / (1 + e);
  const Vec first = e * inverse * inverse;
  const Vec slant = first * inverse * one_minus_exp(t, e);
  return {select(x < zero(), e, broadcast(1)) * inverse, first, select(x < zero(), slant, -slant)};
}

/** 2 sigmoid(2x) - 1, with the difference made of 1 - exp. */
LIMBECK_INLINE Values hyperbolic_tangent(Vec x) {
  const Vec t = -2 * magnitude(x), e = exp_below(t);
  const Vec inverse = 1 / (1 + e);
  const Vec size = one_minus_exp(t, e) * inverse;
  const Vec first = 4 * e * inverse * inverse;
  const Vec value = select(x < zero(), -size, size);
  return {value, first, -2 * value * first};
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
