#pragma once
#include "simd.h"

/**
 * The two register tiles that all matrix products and convolutions are made of. Both keep a small matrix of vector
 * accumulators in registers; every size up to the limits is instantiated, so that work is cut into equal tiles instead
 * of full ones and a remainder.
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** Part `part` of `parts` nearly equal parts of 0 .. size - 1 begins here. */
LIMBECK_INLINE int64_t part_start(int64_t size, int64_t parts, int64_t part) { return size * part / parts; }

// ---------------------------------------------------------------- outer products: vectors along the columns

constexpr int kOuterRows = kAccumulators == 24 ? 8 : 6;
constexpr int kOuterVectors = 4;
/** How many vectors of columns a tile of that many rows may have. */
LIMBECK_INLINE constexpr int outer_vectors(int rows) {
  return kAccumulators / rows < kOuterVectors ? kAccumulators / rows : kOuterVectors;
}

/** c[i][j] (+)= sum over k < depth of a[i * a_row + k * a_column] * b[row k + j], row k at `offsets[k]` or k * b_row. */
struct Outer {
  const float* a;
  int64_t a_row;
  int64_t a_column;
  const float* b;
  int64_t b_row;
  const int32_t* offsets;
  int64_t depth;
  float* c;
  int64_t c_row;
  int64_t columns;    // stored; the tile computes whole vectors, so b must be readable up to there
  const float* bias;  // added to every row, or null
  bool add;           // to what c holds
};

template <int Rows, int Vectors, bool Table>
void outer_tile(const Outer& t) {
  Vec sums[Rows][Vectors];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) sums[i][j] = zero();
  }
  const float* a = t.a;
  const float* b = t.b;
  const int64_t a_row = t.a_row;
  for (int64_t k = 0; k < t.depth; k++) {
    const float* row = Table ? b + t.offsets[k] : b;
    Vec values[Vectors];
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) values[j] = load(row + j * kLanes);
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec factor = broadcast(a[i * a_row]);
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
    }
    a += t.a_column;
    if (!Table) b += t.b_row;
  }
  LIMBECK_UNROLL
  for (int j = 0; j < Vectors; j++) {
    const int64_t columns = t.columns - j * kLanes;
    if (columns <= 0) break;
    const bool whole = columns >= kLanes;
    const Vec bias = !t.bias ? zero() : whole ? load(t.bias + j * kLanes) : load_partial(t.bias + j * kLanes, columns);
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      float* c = t.c + i * t.c_row + j * kLanes;
      Vec value = sums[i][j] + bias;
      if (whole) {
        store(c, t.add ? load(c) + value : value);
      } else {
        store_partial(c, t.add ? load_partial(c, columns) + value : value, columns);
      }
    }
  }
}

template <int Rows, bool Table>
void outer_rows(const Outer& t, int64_t vectors) {
  constexpr int limit = outer_vectors(Rows);
  if constexpr (limit >= 4) {
    if (vectors == 4) return outer_tile<Rows, 4, Table>(t);
  }
  if constexpr (limit >= 3) {
    if (vectors == 3) return outer_tile<Rows, 3, Table>(t);
  }
  if constexpr (limit >= 2) {
    if (vectors == 2) return outer_tile<Rows, 2, Table>(t);
  }
  outer_tile<Rows, 1, Table>(t);
}

/** A tile of 1 .. kOuterRows rows and 1 .. outer_vectors(rows) vectors of columns. */
template <bool Table>
void outer(const Outer& t, int64_t rows, int64_t vectors) {
  switch (rows) {
    case 1: return outer_rows<1, Table>(t, vectors);
    case 2: return outer_rows<2, Table>(t, vectors);
    case 3: return outer_rows<3, Table>(t, vectors);
    case 4: return outer_rows<4, Table>(t, vectors);
    case 5: return outer_rows<5, Table>(t, vectors);
    case 6: return outer_rows<6, Table>(t, vectors);
    case 7:
      if constexpr (kOuterRows >= 7) return outer_rows<7, Table>(t, vectors);
      break;
    case 8:
      if constexpr (kOuterRows >= 8) return outer_rows<8, Table>(t, vectors);
      break;
  }
}

// ---------------------------------------------------------------- inner products: vectors along the reduction

constexpr int kInnerRows = kAccumulators == 24 ? 4 : 3;
constexpr int kInnerColumns = kAccumulators == 24 ? 5 : 4;

/**
 * c[i][j] (+)= sum over images and s < length of a[i * a_row + s] * b[offsets[j] + s]; `images` operands follow
 * each other at a_image and b_image.
 */
struct Inner {
  const float* a;
  int64_t a_row;
  const float* b;
  const int64_t* offsets;
  int64_t length;
  int64_t images;
  int64_t a_image;
  int64_t b_image;
  float* c;
  int64_t c_row;
  const float* bias;  // per column, or null
  bool add;
};

template <int Rows, int Columns>
void inner_tile(const Inner& t) {
  Vec sums[Rows][Columns];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) sums[i][j] = zero();
  }
  const int64_t whole = t.length / kLanes * kLanes;
  for (int64_t image = 0; image < t.images; image++) {
    const float* a = t.a + image * t.a_image;
    const float* b[Columns];
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) b[j] = t.b + image * t.b_image + t.offsets[j];
    for (int64_t s = 0; s < whole; s += kLanes) {
      Vec values[Columns];
      LIMBECK_UNROLL
      for (int j = 0; j < Columns; j++) values[j] = load(b[j] + s);
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) {
        const Vec factor = load(a + i * t.a_row + s);
        LIMBECK_UNROLL
        for (int j = 0; j < Columns; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
      }
    }
    if (whole < t.length) {
      const int64_t rest = t.length - whole;
      Vec values[Columns];
      LIMBECK_UNROLL
      for (int j = 0; j < Columns; j++) values[j] = load_partial(b[j] + whole, rest);
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) {
        const Vec factor = load_partial(a + i * t.a_row + whole, rest);
        LIMBECK_UNROLL
        for (int j = 0; j < Columns; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
      }
    }
  }
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) {
      float* c = t.c + i * t.c_row + j;
      const float value = sum(sums[i][j]) + (t.bias ? t.bias[j] : 0.0f);
      *c = t.add ? *c + value : value;
    }
  }
}

template <int Rows>
void inner_rows(const Inner& t, int64_t columns) {
  switch (columns) {
    case 1: return inner_tile<Rows, 1>(t);
    case 2: return inner_tile<Rows, 2>(t);
    case 3: return inner_tile<Rows, 3>(t);
    case 4: return inner_tile<Rows, 4>(t);
    case 5:
      if constexpr (kInnerColumns >= 5) return inner_tile<Rows, 5>(t);
      break;
  }
}

/** A tile of 1 .. kInnerRows rows and 1 .. kInnerColumns columns. */
LIMBECK_INLINE void inner(const Inner& t, int64_t rows, int64_t columns) {
  switch (rows) {
    case 1: return inner_rows<1>(t, columns);
    case 2: return inner_rows<2>(t, columns);
    case 3: return inner_rows<3>(t, columns);
    case 4:
      if constexpr (kInnerRows >= 4) return inner_rows<4>(t, columns);
      break;
  }
}

/** The whole matrix of inner products, tile by tile. */
inline void inner_all(Inner t, int64_t rows, int64_t columns) {
  const Inner whole = t;
  const int64_t row_parts = ceil_div(rows, kInnerRows);
  const int64_t column_parts = ceil_div(columns, kInnerColumns);
  for (int64_t cp = 0; cp < column_parts; cp++) {
    const int64_t j0 = part_start(columns, column_parts, cp);
    const int64_t j1 = part_start(columns, column_parts, cp + 1);
    for (int64_t rp = 0; rp < row_parts; rp++) {
      const int64_t i0 = part_start(rows, row_parts, rp);
      const int64_t i1 = part_start(rows, row_parts, rp + 1);
      t.a = whole.a + i0 * whole.a_row;
      t.offsets = whole.offsets + j0;
      t.c = whole.c + i0 * whole.c_row + j0;
      t.bias = whole.bias ? whole.bias + j0 : nullptr;
      inner(t, i1 - i0, j1 - j0);
    }
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
