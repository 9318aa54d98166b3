#include "matrix.h"

#include "simd.h"

namespace limbeck {
namespace LIMBECK_ISA {

namespace {

constexpr int kDoubles = kLanes / 2;
constexpr int kRows = kAccumulators / 3;
constexpr int kVectors = 3;
constexpr int kColumns = kVectors * kDoubles;
/** Rows of a and b at a time: what a tile reads of both stays in the caches. */
constexpr int64_t kDepth = 256;
/** Panels of columns in one chunk: they stay in the second-level cache while the rows pass by. */
constexpr int64_t kGroup = 4;

typedef double Doubles __attribute__((vector_size(LIMBECK_VECTOR_BYTES)));
typedef double UnalignedDoubles __attribute__((vector_size(LIMBECK_VECTOR_BYTES), aligned(8), may_alias));

/** Columns `first` to `first + width` of `depth` rows, one row after the other; zeros beyond column n. */
void pack(const double* from, int64_t n, int64_t depth, int64_t first, int64_t width, double* to) {
  for (int64_t k = 0; k < depth; k++)
    for (int64_t j = 0; j < width; j++) to[k * width + j] = first + j < n ? from[k * n + first + j] : 0;
}

/** c[i][j] += sum over k of a[k][i] b[k][j] for a tile of packed columns; `rows` and `columns` of it lie within c. */
void tile(const double* a, const double* b, int64_t depth, double* c, int64_t n, int64_t rows, int64_t columns) {
  Doubles sums[kRows][kVectors];
  LIMBECK_UNROLL
  for (int i = 0; i < kRows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < kVectors; j++) sums[i][j] = Doubles{};
  }
  for (int64_t k = 0; k < depth; k++, a += kRows, b += kColumns) {
    Doubles values[kVectors];
    LIMBECK_UNROLL
    for (int j = 0; j < kVectors; j++) values[j] = *reinterpret_cast<const UnalignedDoubles*>(b + j * kDoubles);
    LIMBECK_UNROLL
    for (int i = 0; i < kRows; i++) {
      LIMBECK_UNROLL
      for (int j = 0; j < kVectors; j++) sums[i][j] += a[i] * values[j];
    }
  }
  double memory[kRows][kColumns];
  LIMBECK_UNROLL
  for (int i = 0; i < kRows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < kVectors; j++) *reinterpret_cast<UnalignedDoubles*>(&memory[i][j * kDoubles]) = sums[i][j];
  }
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) c[i * n + j] += memory[i][j];
}

}  // namespace

void matrix_product(Pool& pool, const MatrixProduct& product, double* scratch) {
  const int64_t m = product.m;
  const int64_t n = product.n;
  double* const c = product.c;
  const int64_t row_panels = ceil_div(m, kRows);
  const int64_t column_panels = ceil_div(n, kColumns);
  const int64_t groups = ceil_div(column_panels, kGroup);
  double* const packed_a = scratch;
  double* const packed_b = scratch + row_panels * kRows * kDepth;
  for (int64_t from = 0; from < product.depth; from += kDepth) {
    const int64_t length = min(kDepth, product.depth - from);
    pool.each(row_panels, [&](int64_t p, int) {
      pack(product.a + from * m, m, length, p * kRows, kRows, packed_a + p * kRows * kDepth);
    });
    // The last columns first: of a symmetric product they are the longest work.
    pool.each(groups, [&](int64_t chunk, int) {
      const int64_t first = (groups - 1 - chunk) * kGroup;
      const int64_t last = min(first + kGroup, column_panels);
      for (int64_t q = first; q < last; q++)
        pack(product.b + from * n, n, length, q * kColumns, kColumns, packed_b + q * kColumns * kDepth);
      const int64_t end = product.symmetric ? min(m, last * kColumns) : m;
      for (int64_t i = 0; i < end; i += kRows)
        for (int64_t q = first; q < last; q++) {
          const int64_t j = q * kColumns;
          const int64_t columns = min(kColumns, n - j);
          // Of a symmetric product the tiles that reach the diagonal or lie above it.
          if (product.symmetric && i >= j + columns) continue;
          tile(packed_a + i * kDepth, packed_b + j * kDepth, length, c + i * n + j, n, min(kRows, m - i), columns);
        }
    });
  }
  if (!product.symmetric) return;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) c[i * n + j] = c[j * n + i];
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
