#pragma once
#include "transpose.h"

/**
 * The transforms of Winograd's minimal convolution F(4x4, 3x3): a tile of 4x4 outputs is computed from 6x6 inputs
 * through polynomials evaluated at six points, where the convolution is 36 products instead of 144.
 *
 *     y = Aᵀ [(G g Gᵀ) . (Bᵀ d B)] A        and its adjoints
 *     dBar = B [(G g Gᵀ) . (A yBar Aᵀ)] Bᵀ,  gBar = Gᵀ [(Bᵀ d B) . (A yBar Aᵀ)] G
 *
 * The points are 0, ±a, ±b and infinity with a = 5/8, b = 3/2: every entry of A and B is exact in float32, and rounding
 * errors are less than half of those with 1 and 2.
 */
namespace limbeck {
namespace LIMBECK_ISA {

constexpr int kPoints = 36;
constexpr float kA = 0.625f, kB = 1.5f;
constexpr float kAA = kA * kA, kBB = kB * kB;
constexpr float kProduct = kAA * kBB, kSum = kAA + kBB;
constexpr float kAtZero = 1 / kProduct, kAtA = 1 / (2 * kAA * (kAA - kBB)), kAtB = 1 / (2 * kBB * (kBB - kAA));

LIMBECK_INLINE Vec times(float factor, Vec v) { return broadcast(factor) * v; }
LIMBECK_INLINE Vec plus(Vec base, float factor, Vec v) { return fma(broadcast(factor), v, base); }

// One dimension of each transform, named after its matrix: `to` has kTo vectors, `from` kFrom.

/** Bᵀ: pixels to points. */
struct Input {
  static constexpr int kFrom = 6, kTo = 6;
  static LIMBECK_INLINE void line(const Vec* d, Vec* v) {
    const Vec even_a = plus(d[4], -kBB, d[2]), odd_a = plus(d[3], -kBB, d[1]);
    const Vec even_b = plus(d[4], -kAA, d[2]), odd_b = plus(d[3], -kAA, d[1]);
    v[0] = plus(plus(d[4], -kSum, d[2]), kProduct, d[0]);
    v[1] = plus(even_a, kA, odd_a);
    v[2] = plus(even_a, -kA, odd_a);
    v[3] = plus(even_b, kB, odd_b);
    v[4] = plus(even_b, -kB, odd_b);
    v[5] = plus(plus(d[5], -kSum, d[3]), kProduct, d[1]);
  }
};

/** B: points to what they give to pixels. */
struct InputAdjoint {
  static constexpr int kFrom = 6, kTo = 6;
  static LIMBECK_INLINE void line(const Vec* v, Vec* d) {
    const Vec even_a = v[1] + v[2], odd_a = times(kA, v[1] - v[2]);
    const Vec even_b = v[3] + v[4], odd_b = times(kB, v[3] - v[4]);
    d[0] = times(kProduct, v[0]);
    d[1] = plus(plus(times(kProduct, v[5]), -kBB, odd_a), -kAA, odd_b);
    d[2] = plus(plus(times(-kSum, v[0]), -kBB, even_a), -kAA, even_b);
    d[3] = plus(odd_a + odd_b, -kSum, v[5]);
    d[4] = v[0] + (even_a + even_b);
    d[5] = v[5];
  }
};

/** Aᵀ: points to outputs. */
struct Output {
  static constexpr int kFrom = 6, kTo = 4;
  static LIMBECK_INLINE void line(const Vec* m, Vec* y) {
    const Vec even_a = m[1] + m[2], odd_a = m[1] - m[2];
    const Vec even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = plus(times(kA, odd_a), kB, odd_b);
    y[2] = plus(times(kAA, even_a), kBB, even_b);
    y[3] = plus(plus(m[5], kA * kAA, odd_a), kB * kBB, odd_b);
  }
};

/** A: outputs to points. */
struct OutputAdjoint {
  static constexpr int kFrom = 4, kTo = 6;
  static LIMBECK_INLINE void line(const Vec* y, Vec* m) {
    const Vec even_a = plus(y[0], kAA, y[2]), odd_a = plus(y[1], kAA, y[3]);
    const Vec even_b = plus(y[0], kBB, y[2]), odd_b = plus(y[1], kBB, y[3]);
    m[0] = y[0];
    m[1] = plus(even_a, kA, odd_a);
    m[2] = plus(even_a, -kA, odd_a);
    m[3] = plus(even_b, kB, odd_b);
    m[4] = plus(even_b, -kB, odd_b);
    m[5] = y[3];
  }
};

/** G: weights to points. */
struct Weights {
  static constexpr int kFrom = 3, kTo = 6;
  static LIMBECK_INLINE void line(const Vec* g, Vec* u) {
    const Vec even_a = times(kAtA, plus(g[0], kAA, g[2])), even_b = times(kAtB, plus(g[0], kBB, g[2]));
    u[0] = times(kAtZero, g[0]);
    u[1] = plus(even_a, kAtA * kA, g[1]);
    u[2] = plus(even_a, -kAtA * kA, g[1]);
    u[3] = plus(even_b, kAtB * kB, g[1]);
    u[4] = plus(even_b, -kAtB * kB, g[1]);
    u[5] = g[2];
  }
};

/** Gᵀ: points to weights. */
struct WeightsAdjoint {
  static constexpr int kFrom = 6, kTo = 3;
  static LIMBECK_INLINE void line(const Vec* u, Vec* g) {
    const Vec even_a = times(kAtA, u[1] + u[2]), even_b = times(kAtB, u[3] + u[4]);
    g[0] = plus(even_a + even_b, kAtZero, u[0]);
    g[1] = plus(times(kAtA * kA, u[1] - u[2]), kAtB * kB, u[3] - u[4]);
    g[2] = plus(plus(u[5], kAA, even_a), kBB, even_b);
  }
};

// The same points serve F(2x2, 5x5): six inputs, but two outputs of five weights. Bᵀ stays.

/** Aᵀ: points to two outputs. */
struct TwoOutputs {
  static constexpr int kFrom = 6, kTo = 2;
  static LIMBECK_INLINE void line(const Vec* m, Vec* y) {
    y[0] = m[0] + ((m[1] + m[2]) + (m[3] + m[4]));
    y[1] = plus(plus(m[5], kA, m[1] - m[2]), kB, m[3] - m[4]);
  }
};

/** G: five weights to points. */
struct FiveWeights {
  static constexpr int kFrom = 5, kTo = 6;
  static LIMBECK_INLINE void line(const Vec* g, Vec* u) {
    const Vec even_a = times(kAtA, plus(plus(g[0], kAA, g[2]), kAA * kAA, g[4])), odd_a = times(kAtA * kA, plus(g[1], kAA, g[3]));
    const Vec even_b = times(kAtB, plus(plus(g[0], kBB, g[2]), kBB * kBB, g[4])), odd_b = times(kAtB * kB, plus(g[1], kBB, g[3]));
    u[0] = times(kAtZero, g[0]);
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[4];
  }
};

/** Both dimensions: reads from(row, column), calls to(row, column, value) row after row. */
template <class Transform, class From, class To>
LIMBECK_INLINE void transform(From&& from, To&& to) {
  constexpr int kFrom = Transform::kFrom, kTo = Transform::kTo;
  Vec half[kTo][kFrom];
  LIMBECK_UNROLL
  for (int j = 0; j < kFrom; j++) {
    Vec column[kFrom], turned[kTo];
    LIMBECK_UNROLL
    for (int i = 0; i < kFrom; i++) column[i] = from(i, j);
    Transform::line(column, turned);
    LIMBECK_UNROLL
    for (int i = 0; i < kTo; i++) half[i][j] = turned[i];
  }
  LIMBECK_UNROLL
  for (int i = 0; i < kTo; i++) {
    Vec row[kTo];
    Transform::line(half[i], row);
    LIMBECK_UNROLL
    for (int j = 0; j < kTo; j++) to(i, j, row[j]);
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
