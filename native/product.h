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
    for (int64_t panel = panel0; panel < panel1; panel++) {
      const int64_t v0 = panels.start(panel), vectors = panels.start(panel + 1) - v0;
      const int64_t column = v0 * kLanes, width = vectors * kLanes;
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

/** One panel of the transpose of w `[columns, depth]`, rows padded with zeros to whole vectors. */
inline void pack_transposed(const float* w, int64_t columns, int64_t depth, const Panels& panels, int64_t panel,
                            float* packed) {
  const int64_t column = panels.start(panel) * kLanes;
  const int64_t width = panels.start(panel + 1) * kLanes - column;
  transpose(w + column * depth, depth, min(width, columns - column), depth, packed + column * depth, width);
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
