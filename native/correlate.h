#pragma once
#include "convolution.h"
#include "transpose.h"

/**
 * The sums of a convolution and of its backward pass to the input: `rows` results at every position of a map of
 * `lines` lines of `columns`, each the sum over `depth` terms of a weight times the float of the operand that is
 * `offsets[k]` floats from that position.
 *
 *   by channels  vectors along the rows, transposed afterwards: nothing is wasted where rows come in whole vectors.
 *   by segments  vectors along the lines, for few rows; the end of the last vector of each line is wasted.
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** Where one result's terms are among its weights and in the operand. */
struct Terms {
  const int32_t* weights;
  const int32_t* offsets;
  int64_t depth;
  bool in_order;  // weights 0, 1, 2 … of a row
};

/** Position line `line` sees row line * stride + k * dilation - padding of the operand's `size` rows, for k < K. */
struct Reach {
  int64_t K, stride, dilation, padding, size;

  /** The first k whose row is inside, and the one after the last. */
  LIMBECK_INLINE int64_t first(int64_t line) const {
    int64_t k = 0;
    while (k < K && line * stride + k * dilation < padding) k++;
    return k;
  }
  LIMBECK_INLINE int64_t end(int64_t line) const {
    int64_t k = K;
    while (k > 0 && line * stride + (k - 1) * dilation >= padding + size) k--;
    return k;
  }
};

class Correlation {
 public:
  const int64_t rows, lines, columns, width;  // lines are `width` apart in the operand

  /** By segments the terms are ordered by the rows they reach. `depth` is that of most results. */
  Correlation(int64_t rows, int64_t lines, int64_t columns, int64_t width, const Reach& reach, int64_t depth)
      : rows(rows),
        lines(lines),
        columns(columns),
        width(width),
        reach_(reach),
        positions_(lines * columns),
        vectors_(ceil_div(rows, kLanes)),
        panels_(ceil_div(vectors_, kWindowVectors)),
        row_parts_(ceil_div(rows, kOuterRows)) {
    const int64_t segments = lines * ceil_div(columns, kLanes);
    const int64_t most = max(1, min(segments, segments_together(static_cast<int>(ceil_div(rows, row_parts_)))));
    together_ = segments > 0 ? ceil_div(segments, ceil_div(segments, most)) : 1;
    segments_ = round_up(segments, together_);
    // Vector operations. Transposing costs about a dozen terms, weights that are not packed an eighth, and a tile of one
    // vector is a third too small to keep the arithmetic units busy.
    const double by_channels = static_cast<double>(positions_ * vectors_) * (depth + 12) * (vectors_ == 1 ? 4.0 / 3 : 1);
    const double by_segments = static_cast<double>(segments * rows) * depth * 9 / 8;
    by_channels_ = by_channels <= by_segments;
  }

  LIMBECK_INLINE bool by_channels() const { return by_channels_; }

  /** Bytes of the table of positions, made once for a step. */
  LIMBECK_INLINE int64_t table_bytes() const {
    return round_up(by_channels_ ? positions_ * int64_t{sizeof(int32_t)} : segments_ * int64_t{sizeof(Segment)}, 64);
  }
  void fill_table(void* table) const {
    if (by_channels_) {
      int32_t* positions = static_cast<int32_t*>(table);
      for (int64_t line = 0; line < lines; line++)
        for (int64_t i = 0; i < columns; i++) *positions++ = static_cast<int32_t>(line * width + i);
      return;
    }
    Segment* const segments = static_cast<Segment*>(table);
    int64_t n = 0;
    for (int64_t line = 0; line < lines; line++)
      for (int64_t i = 0; i < columns; i += kLanes)
        segments[n++] = {static_cast<int32_t>(line * width + i), static_cast<int32_t>(line * columns + i),
                       static_cast<int32_t>(min(kLanes, columns - i)), static_cast<int32_t>(reach_.first(line)),
                       static_cast<int32_t>(reach_.end(line))};
    for (; n < segments_; n++) {  // the last tile is full
      segments[n] = segments[n - 1];
      segments[n].lanes = 0;
    }
  }

  /** Floats of the packed weights of so many terms; none where weights are used as they are. */
  LIMBECK_INLINE int64_t packed_size(int64_t depth) const { return by_channels_ ? vectors_ * kLanes * depth : 0; }
  /** Panels of whole vectors of rows, term by term; the weights of one row are `row` floats after those of the last. */
  void pack(const float* weights, int64_t row, const Terms& terms, float* packed) const {
    for (int64_t panel = 0; panel < panels_; panel++) {
      const int64_t first = start(panel) * kLanes, size = start(panel + 1) * kLanes - first;
      const int64_t used = min(size, rows - first);
      const float* from = weights + first * row;
      if (terms.in_order) {
        transpose(from, row, used, terms.depth, packed, size);
        packed += size * terms.depth;
        continue;
      }
      for (int64_t k = 0; k < terms.depth; k++, packed += size) {
        for (int64_t i = 0; i < used; i++) packed[i] = from[i * row + terms.weights[k]];
        for (int64_t i = used; i < size; i++) packed[i] = 0;
      }
    }
  }

  /** Floats of scratch for each worker. */
  LIMBECK_INLINE int64_t scratch() const {
    return by_channels_ ? min(positions_, kBlock) * kWindowVectors * kLanes : 0;
  }

  /**
   * c `[rows, lines * columns]` (+)= bias + the sums for one operand. `weights` are packed, or as they are with rows
   * `row` apart.
   */
  void run(const void* table, const float* weights, int64_t row, const Terms& terms, const float* operand,
           const float* bias, bool add, float* scratch, float* c) const {
    if (by_channels_) {
      run_by_channels(static_cast<const int32_t*>(table), weights, terms, operand, bias, add, scratch, c);
    } else {
      run_by_segments(static_cast<const Segment*>(table), weights, row, terms, operand, bias, add, c);
    }
  }

 private:
  /** Positions whose sums for one panel, and terms whose weights for it, lie in the first-level cache together. */
  static constexpr int64_t kBlock = 240;
  static constexpr int64_t kWindowTerms = 192;

  LIMBECK_INLINE int64_t start(int64_t panel) const { return part_start(vectors_, panels_, panel); }

  void run_by_channels(const int32_t* positions, const float* packed, const Terms& terms, const float* operand,
                       const float* bias, bool add, float* sums, float* c) const {
    const int64_t parts = max(1, ceil_div(terms.depth, kWindowTerms));
    for (int64_t panel = 0; panel < panels_; panel++) {
      const int64_t first = start(panel) * kLanes, vectors = start(panel + 1) - start(panel), size = vectors * kLanes;
      const float* weights = packed + first * terms.depth;
      for (int64_t p0 = 0; p0 < positions_; p0 += kBlock) {
        const int64_t count = min(kBlock, positions_ - p0);
        for (int64_t part = 0; part < parts; part++) {
          const int64_t k0 = part_start(terms.depth, parts, part), k1 = part_start(terms.depth, parts, part + 1);
          windows({operand, positions + p0, terms.offsets + k0, k1 - k0, weights + k0 * size, sums, part > 0}, count,
                  vectors);
        }
        each_column(sums, size, count, min(size, rows - first), [&](int64_t j, int64_t i, Vec values, int64_t n) {
          float* to = c + (first + j) * positions_ + p0 + i;
          if (bias) values += broadcast(bias[first + j]);
          if (n == kLanes) {
            store(to, add ? load(to) + values : values);
          } else {
            store_partial(to, add ? load_partial(to, n) + values : values, n);
          }
        });
      }
    }
  }

  void run_by_segments(const Segment* table, const float* weights, int64_t row, const Terms& terms, const float* operand,
                     const float* bias, bool add, float* c) const {
    for (int64_t part = 0; part < row_parts_; part++) {
      const int64_t i0 = part_start(rows, row_parts_, part), i1 = part_start(rows, row_parts_, part + 1);
      segments({weights + i0 * row, row, terms.weights, operand, terms.offsets, terms.depth / reach_.K, table, segments_,
              c + i0 * positions_, positions_, bias ? bias + i0 : nullptr, add},
             i1 - i0, together_);
    }
  }

  Reach reach_;
  int64_t positions_, vectors_, panels_, row_parts_, together_, segments_;
  bool by_channels_;
};

}  // namespace LIMBECK_ISA
}  // namespace limbeck
