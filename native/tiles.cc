#include "tiles.h"

namespace limbeck {
namespace LIMBECK_ISA {

namespace {

/** Stores sums `[rows, width]` to c where something must be added or a row ends within a vector. */
__attribute__((noinline)) void finish(const Outer& t, const float* sums, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; i++) {
    float* c = t.c + i * t.c_row;
    for (int64_t j = 0; j < t.columns; j += kLanes) {
      const int64_t lanes = min(kLanes, t.columns - j);
      Vec value = load(sums + i * width + j);
      if (t.bias) value = value + load_partial(t.bias + j, lanes);
      if (t.add) value = value + load_partial(c + j, lanes);
      store_partial(c + j, value, lanes);
    }
  }
}

template <int Rows, int Vectors, bool Table>
__attribute__((noinline)) void outer_tile(const Outer& t) {
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
  if (t.columns == Vectors * kLanes && !t.bias && !t.add) {
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) store(t.c + i * t.c_row + j * kLanes, sums[i][j]);
    }
  } else {
    float memory[Rows * Vectors * kLanes];
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) store(memory + (i * Vectors + j) * kLanes, sums[i][j]);
    }
    finish(t, memory, Rows, Vectors * kLanes);
  }
}

using OuterTile = void (*)(const Outer&);

template <int Rows, int Vectors>
constexpr OuterTile outer_entry(bool table) {
  if constexpr (Rows <= kOuterRows && Vectors <= outer_vectors(Rows)) {
    return table ? outer_tile<Rows, Vectors, true> : outer_tile<Rows, Vectors, false>;
  }
  return nullptr;
}

#define ROWS(table, r) {outer_entry<r, 1>(table), outer_entry<r, 2>(table), outer_entry<r, 3>(table), outer_entry<r, 4>(table)}
#define TABLE(table) \
  {ROWS(table, 1), ROWS(table, 2), ROWS(table, 3), ROWS(table, 4), ROWS(table, 5), ROWS(table, 6), ROWS(table, 7), ROWS(table, 8)}
constexpr OuterTile outer_tiles[2][8][kOuterVectors] = {TABLE(false), TABLE(true)};
#undef TABLE
#undef ROWS

template <int Rows, int Vectors>
__attribute__((noinline)) void windows_tile(const Windows& t) {
  Vec sums[Rows][Vectors];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) sums[i][j] = zero();
  }
  const float* b = t.b;
  for (int64_t line = 0; line < t.lines; line++) {
    const float* a[Rows];
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) a[i] = t.a + t.offsets[i] + line * t.a_line;
    for (int64_t s = 0; s < t.length; s++) {
      Vec values[Vectors];
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) values[j] = keep(load(b + j * kLanes));
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) {
        const Vec factor = broadcast(a[i][s]);
        LIMBECK_UNROLL
        for (int j = 0; j < Vectors; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
      }
      b += t.b_row;
    }
  }
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) {
      float* c = t.c + i * t.c_row + j * kLanes;
      store(c, t.add ? load(c) + sums[i][j] : sums[i][j]);
    }
  }
}

using WindowsTile = void (*)(const Windows&);

template <int Rows, int Vectors>
constexpr WindowsTile windows_entry() {
  if constexpr (Rows <= kOuterRows && Vectors <= outer_vectors(Rows)) return windows_tile<Rows, Vectors>;
  return nullptr;
}

#define ROWS(r) {windows_entry<r, 1>(), windows_entry<r, 2>(), windows_entry<r, 3>(), windows_entry<r, 4>()}
constexpr WindowsTile windows_tiles[8][kOuterVectors] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4),
                                                         ROWS(5), ROWS(6), ROWS(7), ROWS(8)};
#undef ROWS

template <int Rows, int Columns>
__attribute__((noinline)) void inner_tile(const Inner& t) {
  Vec sums[Rows][Columns];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) sums[i][j] = zero();
  }
  const int64_t whole = t.length / kLanes * kLanes, rest = t.length - whole;
  for (int64_t image = 0; image < t.images; image++) {
    const float* a = t.a + image * t.a_image;
    const float* b[Columns];
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) b[j] = t.b + image * t.b_image + t.offsets[j];
    for (int64_t s = 0; s < whole; s += kLanes) {
      Vec values[Rows];
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) values[i] = keep(load(a + i * t.a_row + s));
      LIMBECK_UNROLL
      for (int j = 0; j < Columns; j++) {
        const Vec factor = keep(load(b[j] + s));
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) sums[i][j] = fma(factor, values[i], sums[i][j]);
      }
    }
    if (rest > 0) {
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
  float totals[Rows * Columns];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Columns; j++) totals[i * Columns + j] = sum(sums[i][j]);
  }
  for (int i = 0; i < Rows; i++) {
    for (int j = 0; j < Columns; j++) {
      float* c = t.c + i * t.c_row + j;
      const float value = totals[i * Columns + j] + (t.bias ? t.bias[j] : 0.0f);
      *c = t.add ? *c + value : value;
    }
  }
}

using InnerTile = void (*)(const Inner&);

template <int Rows, int Columns>
constexpr InnerTile inner_entry() {
  if constexpr (Rows <= kInnerRows && Columns <= kInnerColumns) return inner_tile<Rows, Columns>;
  return nullptr;
}

#define ROWS(r) {inner_entry<r, 1>(), inner_entry<r, 2>(), inner_entry<r, 3>(), inner_entry<r, 4>(), inner_entry<r, 5>()}
constexpr InnerTile inner_tiles[4][5] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4)};
#undef ROWS

}  // namespace

void outer(const Outer& tile, int64_t rows, int64_t vectors) {
  outer_tiles[tile.offsets ? 1 : 0][rows - 1][vectors - 1](tile);
}

void windows(const Windows& tile, int64_t rows, int64_t vectors) { windows_tiles[rows - 1][vectors - 1](tile); }

void inner(const Inner& tile, int64_t rows, int64_t columns) { inner_tiles[rows - 1][columns - 1](tile); }

void inner_all(Inner tile, int64_t rows, int64_t columns) {
  const Inner whole = tile;
  const int64_t row_parts = ceil_div(rows, kInnerRows), column_parts = ceil_div(columns, kInnerColumns);
  for (int64_t cp = 0; cp < column_parts; cp++) {
    const int64_t j0 = part_start(columns, column_parts, cp), j1 = part_start(columns, column_parts, cp + 1);
    for (int64_t rp = 0; rp < row_parts; rp++) {
      const int64_t i0 = part_start(rows, row_parts, rp), i1 = part_start(rows, row_parts, rp + 1);
      tile.a = whole.a + i0 * whole.a_row;
      tile.offsets = whole.offsets + j0;
      tile.c = whole.c + i0 * whole.c_row + j0;
      tile.bias = whole.bias ? whole.bias + j0 : nullptr;
      inner(tile, i1 - i0, j1 - j0);
    }
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
