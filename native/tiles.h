#pragma once
#include "simd.h"

/**
 * The two register tiles that all matrix products and convolutions are made of. Both keep a small matrix of vector
 * accumulators in registers; every size up to the limits is instantiated (in tiles.cc), so that work is cut into equal
 * tiles instead of full ones and a remainder.
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

/** c[i][j] (+)= sum over k < depth of a[i * a_row + k * a_column] * b[k * b_row + j]. */
struct Outer {
  const float* a;
  int64_t a_row;
  int64_t a_column;
  const float* b;
  int64_t b_row;
  int64_t depth;
  float* c;
  int64_t c_row;
  int64_t columns;    // stored; the tile computes whole vectors, so b must be readable up to there
  const float* bias;  // added to every row, or null
  bool add;           // to what c holds
};

/** A tile of 1 .. kOuterRows rows and 1 .. outer_vectors(rows) vectors of columns. */
void outer(const Outer& tile, int64_t rows, int64_t vectors);

/** The same for any number of rows, in tiles of nearly equal heights: one division, for sums of a hundred terms notice more. */
LIMBECK_INLINE void outer_rows(const Outer& all, int64_t rows, int64_t vectors) {
  const int64_t parts = ceil_div(rows, kOuterRows);
  const int64_t height = rows / parts, taller = rows - height * parts;
  Outer tile = all;
  for (int64_t part = 0; part < parts; part++) {
    const int64_t own = height + (part < taller);
    outer(tile, own, vectors);
    tile.a += own * all.a_row;
    tile.c += own * all.c_row;
  }
}

/** Terms added up in registers before they go to memory: keeps a panel of b in cache and long sums accurate. */
constexpr int64_t kDepth = 256;

/**
 * c[i][j] (+)= sum over k < depth of a[rows[i] + offsets[k]] * b[k][j], where b and c are as wide as the tile: outer
 * products whose rows are windows of an image.
 */
struct Windows {
  const float* a;
  const int32_t* rows;
  const int32_t* offsets;
  int64_t depth;
  const float* b;
  float* c;
  bool add;
};

/** All of `rows` rows, tile by tile, with 1 .. window_vectors vectors of columns. */
void windows(Windows tile, int64_t rows, int64_t vectors);

/** How many vectors of columns windows are cut into at most, so that tiles are full. */
constexpr int kWindowVectors = kAccumulators / kOuterRows;

/** Up to kLanes neighbours in a line: where they are in the operand and in the result, and the groups of terms they need. */
struct Segment {
  int32_t from;
  int32_t to;
  int32_t lanes;
  int32_t first, end;
};

/**
 * c[i][to + lane] (+)= bias[i] + sum over k < depth of a[i * a_row + terms[k]] * b[from + offsets[k] + lane]. Terms are in
 * groups; the groups that a segment does not need are zeros of its operand. Both ends of those it needs move down from segment
 * to segment.
 */
struct Segments {
  const float* a;
  int64_t a_row;
  const int32_t* terms;
  const float* b;  // readable for whole vectors
  const int32_t* offsets;
  int64_t group;  // terms in a group
  const Segment* segments;
  int64_t count;  // a multiple of those in a tile
  float* c;
  int64_t c_row;
  const float* bias;  // or null
  bool add;
};

constexpr int kSegmentsTogether = 8;
/** How many segments a tile of that many rows may have. */
LIMBECK_INLINE constexpr int segments_together(int rows) {
  return kAccumulators / rows < kSegmentsTogether ? kAccumulators / rows : kSegmentsTogether;
}

/** 1 .. kOuterRows rows of all segments, 1 .. segments_together(rows) at a time. */
void segments(const Segments& all, int64_t rows, int64_t together);

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
  const int32_t* offsets;
  int64_t length;
  int64_t images;
  int64_t a_image;
  int64_t b_image;
  float* c;
  int64_t c_row;
  const float* bias;  // per column, or null
  bool add;
};

/** A tile of 1 .. kInnerRows rows and 1 .. kInnerColumns columns. */
void inner(const Inner& tile, int64_t rows, int64_t columns);

/** A matrix of inner products of any size, tile by tile. */
void inner_all(Inner tile, int64_t rows, int64_t columns);

}  // namespace LIMBECK_ISA
}  // namespace limbeck
