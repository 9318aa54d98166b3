#pragma once
#include <cmath>

#include "simd.h"

/** The output of a norm for one map once its statistics are known: for `norm.forward` and for recomputing it. */
namespace limbeck {
namespace LIMBECK_ISA {

/** Calls body(i, n) for vectors of 0 .. count - 1. */
template <class F>
LIMBECK_INLINE void each_vector(int64_t count, F&& body) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) body(i, int64_t{kLanes});
  if (i < count) body(i, count - i);
}

/** The inverse deviation, from the variance as it is saved, so that recomputing gives the same y. */
LIMBECK_INLINE double inverse(float variance, double eps) { return 1 / sqrt(static_cast<double>(variance) + eps); }

/** y = gamma n + beta for one map. */
LIMBECK_INLINE void normalise_map(const float* x, int64_t map, float mean, double inv, float gamma, float beta, float* y) {
  const Vec m = broadcast(mean), scale = broadcast(static_cast<float>(gamma * inv)), shift = broadcast(beta);
  each_vector(map, [&](int64_t i, int64_t n) { put(y + i, fma(get(x + i, n) - m, scale, shift), n); });
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
