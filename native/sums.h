#pragma once
#include "simd.h"

/**
 * Sums of long vectors in a fixed order: they are cut into pieces of kPiece elements by their length alone; a piece is added
 * up in blocks of four float vectors, the blocks in double, one after the other.
 */
namespace limbeck {
namespace LIMBECK_ISA {

constexpr int64_t kPiece = 16 * 1024;
constexpr int64_t kBlock = 1024;

/** Sum of term(i, n) over vectors of up to kLanes elements of from .. to - 1; n is the number of elements. */
template <class F>
LIMBECK_INLINE double sum_blocks(int64_t from, int64_t to, F&& term) {
  double total = 0;
  for (int64_t block = from; block < to; block += kBlock) {
    const int64_t end = min(block + kBlock, to);
    Vec sums[4] = {zero(), zero(), zero(), zero()};
    int64_t i = block;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      LIMBECK_UNROLL
      for (int j = 0; j < 4; j++) sums[j] = term(i + j * kLanes, int64_t{kLanes}, sums[j]);
    }
    for (; i + kLanes <= end; i += kLanes) sums[0] = term(i, int64_t{kLanes}, sums[0]);
    if (i < end) sums[1] = term(i, end - i, sums[1]);
    total += sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  return total;
}

/** Sum of a b over elements from .. to - 1. */
LIMBECK_INLINE double dot_blocks(const float* a, const float* b, int64_t from, int64_t to) {
  return sum_blocks(from, to, [&](int64_t i, int64_t n, Vec sum) {
    return fma(get(a + i, n), get(b + i, n), sum);
  });
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
