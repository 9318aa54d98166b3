#include "tiles.h"

namespace limbeck {
namespace LIMBECK_ISA {

namespace {

/** Stores sums `[rows, width]` to c where a row ends within a vector. */
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

template <int Rows, int Vectors>
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
    Vec values[Vectors];
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) values[j] = load(b + j * kLanes);
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec factor = broadcast(a[i * a_row]);
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
    }
    a += t.a_column;
    b += t.b_row;
  }
  if (t.columns == Vectors * kLanes) {
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) {
      const Vec bias = t.bias ? load(t.bias + j * kLanes) : zero();
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) {
        float* c = t.c + i * t.c_row + j * kLanes;
        const Vec value = t.bias ? sums[i][j] + bias : sums[i][j];
        store(c, t.add ? load(c) + value : value);
      }
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
constexpr OuterTile outer_entry() {
  if constexpr (Rows <= kOuterRows && Vectors <= outer_vectors(Rows)) return outer_tile<Rows, Vectors>;
  return nullptr;
}

#define ROWS(r) {outer_entry<r, 1>(), outer_entry<r, 2>(), outer_entry<r, 3>(), outer_entry<r, 4>()}
constexpr OuterTile outer_tiles[8][kOuterVectors] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4),
                                                     ROWS(5), ROWS(6), ROWS(7), ROWS(8)};
#undef ROWS

template <int Rows, int Vectors>
__attribute__((noinline)) void windows_tile(const Windows& t) {
  Vec sums[Rows][Vectors];
  const float* a[Rows];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    a[i] = t.a + t.rows[i];
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) sums[i][j] = zero();
  }
  const float* b = t.b;
  for (int64_t k = 0; k < t.depth; k++) {
    const int64_t offset = t.offsets[k];
    Vec values[Vectors];
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++) values[j] = keep(load(b + j * kLanes));
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec factor = broadcast(a[i][offset]);
      LIMBECK_UNROLL
      for (int j = 0; j < Vectors; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
    }
    b += Vectors * kLanes;
  }
  float* c = t.c;
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < Vectors; j++, c += kLanes) store(c, t.add ? load(c) + sums[i][j] : sums[i][j]);
  }
}

using WindowsTile = void (*)(const Windows&);

template <int Rows, int Vectors>
constexpr WindowsTile windows_entry() {
  if constexpr (Rows <= kOuterRows && Vectors <= kWindowVectors) return windows_tile<Rows, Vectors>;
  return nullptr;
}

#define ROWS(r) {windows_entry<r, 1>(), windows_entry<r, 2>(), windows_entry<r, 3>()}
constexpr WindowsTile windows_tiles[8][3] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4), ROWS(5), ROWS(6), ROWS(7), ROWS(8)};
#undef ROWS

template <int Rows, int Together>
__attribute__((noinline)) void segments_tile(const Segments& t) {
  const int64_t a_row = t.a_row;
  for (const Segment *segment = t.segments, *end = segment + t.count; segment < end; segment += Together) {
    Vec sums[Rows][Together];
    const float* b[Together];
    LIMBECK_UNROLL
    for (int j = 0; j < Together; j++) b[j] = t.b + segment[j].from;
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) {
      const Vec bias = t.bias ? broadcast(t.bias[i]) : zero();
      LIMBECK_UNROLL
      for (int j = 0; j < Together; j++) sums[i][j] = bias;
    }
    if (t.add) {
      LIMBECK_UNROLL
      for (int j = 0; j < Together; j++) {
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) sums[i][j] += load_partial(t.c + i * t.c_row + segment[j].to, segment[j].lanes);
      }
    }
    for (int64_t k = segment[Together - 1].first * t.group, last = segment[0].end * t.group; k < last; k++) {
      const float* a = t.a + t.terms[k];
      const int64_t offset = t.offsets[k];
      // The shorter side stays in registers.
      if constexpr (Rows < Together) {
        Vec factors[Rows];
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) factors[i] = broadcast(a[i * a_row]);
        LIMBECK_UNROLL
        for (int j = 0; j < Together; j++) {
          const Vec values = keep(load(b[j] + offset));
          LIMBECK_UNROLL
          for (int i = 0; i < Rows; i++) sums[i][j] = fma(factors[i], values, sums[i][j]);
        }
      } else {
        Vec values[Together];
        LIMBECK_UNROLL
        for (int j = 0; j < Together; j++) values[j] = keep(load(b[j] + offset));
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) {
          const Vec factor = broadcast(a[i * a_row]);
          LIMBECK_UNROLL
          for (int j = 0; j < Together; j++) sums[i][j] = fma(factor, values[j], sums[i][j]);
        }
      }
    }
    LIMBECK_UNROLL
    for (int j = 0; j < Together; j++) {
      float* c = t.c + segment[j].to;
      const int64_t lanes = segment[j].lanes;
      if (lanes == kLanes) {
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) store(c + i * t.c_row, sums[i][j]);
      } else {
        LIMBECK_UNROLL
        for (int i = 0; i < Rows; i++) store_partial(c + i * t.c_row, sums[i][j], lanes);
      }
    }
  }
}

using SegmentsTile = void (*)(const Segments&);

template <int Rows, int Together>
constexpr SegmentsTile segments_entry() {
  if constexpr (Rows <= kOuterRows && Together <= segments_together(Rows)) return segments_tile<Rows, Together>;
  return nullptr;
}

#define ROWS(r)                                                                              \
  {segments_entry<r, 1>(), segments_entry<r, 2>(), segments_entry<r, 3>(), segments_entry<r, 4>(), \
   segments_entry<r, 5>(), segments_entry<r, 6>(), segments_entry<r, 7>(), segments_entry<r, 8>()}
constexpr SegmentsTile segments_tiles[8][kSegmentsTogether] = {ROWS(1), ROWS(2), ROWS(3), ROWS(4),
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

void outer(const Outer& tile, int64_t rows, int64_t vectors) { outer_tiles[rows - 1][vectors - 1](tile); }

void windows(Windows tile, int64_t rows, int64_t vectors) {
  const Windows whole = tile;
  const int64_t parts = ceil_div(rows, kOuterRows);
  for (int64_t part = 0; part < parts; part++) {
    const int64_t i0 = part_start(rows, parts, part), i1 = part_start(rows, parts, part + 1);
    tile.rows = whole.rows + i0;
    tile.c = whole.c + i0 * vectors * kLanes;
    windows_tiles[i1 - i0 - 1][vectors - 1](tile);
  }
}

void segments(const Segments& all, int64_t rows, int64_t together) { segments_tiles[rows - 1][together - 1](all); }

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
