#pragma once
#include "chunks.h"
#include "tiles.h"
#include "transpose.h"

/** A matrix product out of outer tiles, for the linear layer: c (+)= a b + bias, any strides for a, rows of b contiguous. */
namespace limbeck {
namespace LIMBECK_ISA {

struct Product {
  int64_t rows;
  int64_t columns;
  int64_t depth;
  const float* a;
  int64_t a_row;
  int64_t a_column;
  const float* b;
  int64_t b_row;
  bool packed;  // b is in panels, see pack_transposed
  float* c;
  int64_t c_row;
  const float* bias;
  bool add;
};

/** Columns are cut into panels of whole vectors, as wide as tiles of the product's rows may be. */
struct Panels {
  int64_t vectors;
  int64_t count;
  int64_t row_parts;

  LIMBECK_INLINE Panels(int64_t rows, int64_t columns) {
    row_parts = ceil_div(rows, kOuterRows);
    vectors = ceil_div(columns, kLanes);
    count = ceil_div(vectors, outer_vectors(static_cast<int>(ceil_div(rows, row_parts))));
  }
  LIMBECK_INLINE int64_t start(int64_t panel) const { return part_start(vectors, count, panel); }
};

/** Floats of worker scratch that `multiply` may use. */
LIMBECK_INLINE int64_t product_scratch() { return kDepth * kOuterVectors * kLanes; }

/** Rows row0 .. row1 - 1 of panels panel0 .. panel1 - 1. */
inline void multiply(const Product& p, const Panels& panels, int64_t row0, int64_t row1, int64_t panel0,
                     int64_t panel1, float* scratch) {
  for (int64_t k0 = 0; k0 < p.depth; k0 += kDepth) {
    const int64_t depth = min(kDepth, p.depth - k0);
    for (int64_t panel = panel0, v0 = panels.start(panel0), v1; panel < panel1; panel++, v0 = v1) {
      v1 = panels.start(panel + 1);
      const int64_t vectors = v1 - v0, column = v0 * kLanes, width = vectors * kLanes;
      Outer tile;
      tile.columns = min(width, p.columns - column);
      if (p.packed) {
        tile.b = p.b + column * p.depth + k0 * width;
        tile.b_row = width;
      } else if (tile.columns == width) {
        tile.b = p.b + k0 * p.b_row + column;
        tile.b_row = p.b_row;
      } else {
        // The last vector would read beyond the rows of b, so it reads a padded copy.
        for (int64_t k = 0; k < depth; k++) {
          const float* from = p.b + (k0 + k) * p.b_row + column;
          for (int64_t j = 0; j < width; j++) scratch[k * width + j] = j < tile.columns ? from[j] : 0;
        }
        tile.b = scratch;
        tile.b_row = width;
      }
      tile.depth = depth;
      tile.a_row = p.a_row;
      tile.a_column = p.a_column;
      tile.c_row = p.c_row;
      tile.bias = p.bias && k0 == 0 ? p.bias + column : nullptr;
      tile.add = p.add || k0 > 0;
      tile.a = p.a + row0 * p.a_row + k0 * p.a_column;
      tile.c = p.c + row0 * p.c_row + column;
      outer_rows(tile, row1 - row0, vectors);
    }
  }
}

/** Rows of a result whose factors are put into panels together, tile by tile. */
constexpr int64_t kTallTiles = 16, kTallRows = kTallTiles * kOuterRows;

/** Floats between the panels of two tiles: whole vectors are stored, and the last one reaches beyond its panel. */
constexpr int64_t kTilePanel = kDepth * kOuterRows + kLanes;

/** Floats of a cache line, and rows ahead that are fetched. */
constexpr int64_t kLine = 16, kAhead = 24;

/** Floats of worker scratch that `multiply_transposed` uses. */
LIMBECK_INLINE int64_t transposed_scratch() { return kTallTiles * kTilePanel + product_scratch(); }

/**
 * The same where a is the transpose of what lies in memory (its rows are 1 apart) and the sums are long: at most kTallRows rows. Of a piece of the
 * depth both factors are put into panels, so that each is read from memory once for all these tiles.
 */
inline void multiply_transposed(const Product& p, const Panels& panels, int64_t row0, int64_t row1, int64_t panel0,
                                int64_t panel1, float* scratch) {
  float* const a = scratch;
  float* const b = scratch + kTallTiles * kTilePanel;
  const int64_t rows = row1 - row0, parts = ceil_div(rows, kOuterRows);
  int64_t starts[kTallTiles + 1];
  for (int64_t part = 0; part <= parts; part++) starts[part] = part_start(rows, parts, part);
  for (int64_t k0 = 0; k0 < p.depth; k0 += kDepth) {
    const int64_t depth = min(kDepth, p.depth - k0);
    for (int64_t k = 0; k < depth; k++) {
      const float* from = p.a + (k0 + k) * p.a_column + row0;
      // A part of a row of each: no stream that a processor would see coming.
      for (int64_t i = 0; i < rows; i += kLine) __builtin_prefetch(from + kAhead * p.a_column + i);
      // Whole vectors may be read but at the end of a, and are stored: what comes next goes over what is too much.
      const bool inside = k0 + k + kOuterRows + kLanes < p.depth;
      for (int64_t part = 0; part < parts; part++) {
        const int64_t i0 = starts[part], height = starts[part + 1] - i0;
        float* to = a + part * kTilePanel + k * height;
        for (int64_t i = 0; i < height; i += kLanes)
          store(to + i, inside ? load(from + i0 + i) : load_partial(from + i0 + i, min(int64_t{kLanes}, height - i)));
      }
    }
    for (int64_t panel = panel0; panel < panel1; panel++) {
      const int64_t v0 = panels.start(panel), vectors = panels.start(panel + 1) - v0;
      const int64_t column = v0 * kLanes, width = vectors * kLanes;
      Outer tile;
      tile.columns = min(width, p.columns - column);
      const int64_t last = tile.columns - (vectors - 1) * kLanes;
      float* to = b;
      for (int64_t k = 0; k < depth; k++) {
        const float* from = p.b + (k0 + k) * p.b_row + column;
        for (int64_t v = 0; v < vectors - 1; v++, to += kLanes, from += kLanes) store(to, load(from));
        store(to, get(from, last));
        to += kLanes;
      }
      tile.b = b;
      tile.b_row = width;
      tile.depth = depth;
      tile.a_row = 1;
      tile.c_row = p.c_row;
      tile.bias = nullptr;
      tile.add = p.add || k0 > 0;
      for (int64_t part = 0; part < parts; part++) {
        const int64_t i0 = starts[part], height = starts[part + 1] - i0;
        tile.a = a + part * kTilePanel;
        tile.a_column = height;
        tile.c = p.c + (row0 + i0) * p.c_row + column;
        outer(tile, height, vectors);
      }
    }
  }
}

/** One panel of the transpose of w `[columns, depth]`, rows padded with zeros to whole vectors. */
inline void pack_transposed(const float* w, int64_t columns, int64_t depth, const Panels& panels, int64_t panel,
                            float* packed) {
  const int64_t column = panels.start(panel) * kLanes;
  const int64_t width = panels.start(panel + 1) * kLanes - column;
  transpose(w + column * depth, depth, min(width, columns - column), depth, packed + column * depth, width);
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
