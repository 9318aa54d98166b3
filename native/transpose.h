#pragma once
#include "simd.h"

/** Transposition by squares of kLanes x kLanes in registers: changes which dimension lies side by side. */
namespace limbeck {
namespace LIMBECK_ISA {

// Lane l of a shuffle of (a, b). Within each quarter of four lanes: the lower or upper half of both, alternating in units of
// one lane or of two.
template <int Half, int... I>
constexpr auto ones_of(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (I / 4 * 4 + 2 * Half + I % 4 / 2 + (I % 2) * kLanes)...>{};
}
template <int Half, int... I>
constexpr auto twos_of(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (I / 4 * 4 + 2 * Half + I % 2 + (I % 4 / 2) * kLanes)...>{};
}
// Blocks of Size lanes: the even (or odd) ones of a in the even places, those of b in the odd ones.
template <int Size, int Odd, int... I>
constexpr auto blocks_of(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, ((I / Size % 2 ? kLanes + I - Size : I) + Odd * Size)...>{};
}

/** Exchanges blocks of Size lanes of rows that are Size apart, then those of twice the size. */
template <int Size>
LIMBECK_INLINE void turn_blocks(Vec* rows) {
  if constexpr (Size < kLanes) {
    LIMBECK_UNROLL
    for (int i = 0; i < kLanes; i++) {
      if (i & Size) continue;
      const Vec a = rows[i], b = rows[i + Size];
      rows[i] = shuffle(a, b, blocks_of<Size, 0>(Sequence{}));
      rows[i + Size] = shuffle(a, b, blocks_of<Size, 1>(Sequence{}));
    }
    turn_blocks<2 * Size>(rows);
  }
}

/** Lane j of `rows[i]` becomes lane i of `rows[j]`, for kLanes rows. Shuffles within quarters are the cheapest, so those come first. */
LIMBECK_INLINE void transpose(Vec* rows) {
  LIMBECK_UNROLL
  for (int i = 0; i < kLanes; i += 4) {
    Vec* r = rows + i;
    const Vec low01 = shuffle(r[0], r[1], ones_of<0>(Sequence{})), high01 = shuffle(r[0], r[1], ones_of<1>(Sequence{}));
    const Vec low23 = shuffle(r[2], r[3], ones_of<0>(Sequence{})), high23 = shuffle(r[2], r[3], ones_of<1>(Sequence{}));
    r[0] = shuffle(low01, low23, twos_of<0>(Sequence{}));
    r[1] = shuffle(low01, low23, twos_of<1>(Sequence{}));
    r[2] = shuffle(high01, high23, twos_of<0>(Sequence{}));
    r[3] = shuffle(high01, high23, twos_of<1>(Sequence{}));
  }
  turn_blocks<4>(rows);
}

/**
 * Calls put(j, i, values, n) with n elements i, i + 1 … of column j of a matrix `[rows, columns]`, for all of them;
 * further lanes are zero.
 */
template <class Put>
LIMBECK_INLINE void each_column(const float* matrix, int64_t row, int64_t rows, int64_t columns, Put&& put) {
  for (int64_t i0 = 0; i0 < rows; i0 += kLanes) {
    for (int64_t j0 = 0; j0 < columns; j0 += kLanes) {
      const float* corner = matrix + i0 * row + j0;
      const int64_t n = min(kLanes, rows - i0), m = min(kLanes, columns - j0);
      Vec v[kLanes];
      if (n == kLanes && m == kLanes) {
        LIMBECK_UNROLL
        for (int i = 0; i < kLanes; i++) v[i] = load(corner + i * row);
      } else {
        for (int i = 0; i < kLanes; i++) v[i] = i < n ? load_partial(corner + i * row, m) : zero();
      }
      transpose(v);
      if (n == kLanes && m == kLanes) {
        LIMBECK_UNROLL
        for (int j = 0; j < kLanes; j++) put(j0 + j, i0, v[j], kLanes);
      } else {
        for (int j = 0; j < m; j++) put(j0 + j, i0, v[j], n);
      }
    }
  }
}

/** to `[columns, to_row]` = the transpose of a matrix `[rows, columns]`, its rows padded with zeros to whole vectors. */
inline void transpose(const float* matrix, int64_t row, int64_t rows, int64_t columns, float* to, int64_t to_row) {
  each_column(matrix, row, rows, columns,
              [&](int64_t j, int64_t i, Vec values, int64_t) { store(to + j * to_row + i, values); });
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
