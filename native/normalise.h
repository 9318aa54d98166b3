#pragma once
#include <cmath>

#include "sums.h"

/** What the passes of norms share, and what recomputes their output to the same bits. */
namespace limbeck {
namespace LIMBECK_ISA {

/** Calls body(i, n) for vectors of 0 .. count - 1. */
template <class F>
LIMBECK_INLINE void each_vector(int64_t count, F&& body) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, int64_t{kLanes});
  if (i < count) body(i, count - i);
}

/** Adds term(i, n, sums) over vectors of 0 .. count - 1 to `totals`. The terms of lanes from n on must be zero. */
template <int Sums, class F>
LIMBECK_INLINE void reduce(int64_t count, double (&totals)[Sums], F&& term) {
  constexpr int unroll = Sums == 1 ? 4 : 2;
  for (int64_t from = 0; from < count; from += kBlock) {
    const int64_t to = min(from + kBlock, count);
    Vec sums[unroll][Sums];
    LIMBECK_UNROLL
    for (int u = 0; u < unroll; u++)
      for (int j = 0; j < Sums; j++) sums[u][j] = zero();
    int64_t i = from;
    for (; i + unroll * kLanes <= to; i += unroll * kLanes) {
      LIMBECK_UNROLL
      for (int u = 0; u < unroll; u++) term(i + u * kLanes, int64_t{kLanes}, sums[u]);
    }
    for (; i + kLanes <= to; i += kLanes) term(i, int64_t{kLanes}, sums[0]);
    if (i < to) term(i, to - i, sums[1]);
    LIMBECK_UNROLL
    for (int j = 0; j < Sums; j++) {
      Vec total = sums[0][j];
      for (int u = 1; u < unroll; u++) total = total + sums[u][j];
      totals[j] += sum(total);
    }
  }
}

LIMBECK_INLINE void copy(const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] = from[i];
}

/** The inverse deviation, from the variance as it is saved, so that recomputing gives the same y. */
LIMBECK_INLINE double inverse(float variance, double eps) { return 1 / sqrt(static_cast<double>(variance) + eps); }

/** y = gamma n + beta for one map. */
struct Normalise {
  Vec mean, scale, shift;
  LIMBECK_INLINE Normalise(float mean, double inv, float gamma, float beta)
      : mean(broadcast(mean)), scale(broadcast(static_cast<float>(gamma * inv))), shift(broadcast(beta)) {}
  LIMBECK_INLINE Vec operator()(Vec x) const { return fma(x - mean, scale, shift); }
};

LIMBECK_INLINE void normalise_map(const float* x, int64_t map, float mean, double inv, float gamma, float beta, float* y) {
  const Normalise normalise(mean, inv, gamma, beta);
  each_vector(map, [&](int64_t i, int64_t n) { put(y + i, normalise(get(x + i, n)), n); });
}

/** The sum of a map. */
LIMBECK_INLINE void add_map(const float* x, int64_t map, double (&sums)[1]) {
  reduce(map, sums, [&](int64_t i, int64_t n, Vec(&s)[1]) { s[0] = s[0] + get(x + i, n); });
}

/** The sum of its squared distances from a mean. */
LIMBECK_INLINE void add_squares(const float* x, int64_t map, Vec mean, double (&sums)[1]) {
  reduce(map, sums, [&](int64_t i, int64_t n, Vec(&s)[1]) {
    Vec centred = get(x + i, n) - mean;
    if (n != kLanes) centred = select(iota() < broadcast_int(static_cast<int32_t>(n)), centred, zero());
    s[0] = fma(centred, centred, s[0]);
  });
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
