#pragma once
#include "simd.h"

/** Transposition by squares of kLanes x kLanes in registers: how layouts with other dimensions side by side are made. */
namespace limbeck {
namespace LIMBECK_ISA {

/** What stands at each lane of the first and of the second of two rows `Distance` apart, once their squares are exchanged. */
template <int Distance, int... I>
constexpr auto exchanged_first(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (I & Distance ? kLanes + I - Distance : I)...>{};
}
template <int Distance, int... I>
constexpr auto exchanged_second(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (I & Distance ? kLanes + I : I + Distance)...>{};
}

/** Exchanges the two squares of `Distance` lanes off the diagonal, in every square of twice that. */
template <int Distance>
LIMBECK_INLINE void exchange(Vec (&v)[kLanes]) {
  LIMBECK_UNROLL
  for (int i = 0; i < kLanes; i++) {
    if (i & Distance) continue;
    const Vec a = v[i], b = v[i + Distance];
    v[i] = shuffle(a, b, exchanged_first<Distance>(Sequence{}));
    v[i + Distance] = shuffle(a, b, exchanged_second<Distance>(Sequence{}));
  }
  if constexpr (2 * Distance < kLanes) exchange<2 * Distance>(v);
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
      exchange<1>(v);
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
