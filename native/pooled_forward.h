#pragma once
#include "convolution.h"
#include "pooling.h"
#include "winograd.h"

/**
 * A convolution of few channels with max pooling of its output by windows of 2 x 2 while it is in registers, so that the output is
 * never written. kLanes images lie side by side, so that no part of a vector is wasted at the end of a line.
 *
 *   by taps    a tile is the four positions of a window in a few output channels.
 *   by points  F(2x2, 5x5), whose 2x2 outputs are a window (winograd.h): a tile is one point of two windows in a few
 *              output channels.
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** Output channels of a tile at most, by taps and by points. */
constexpr int kTapRows = kAccumulators / 4;
constexpr int kPointRows = 6;

/** Where results go: of a window and one output channel, the largest and its place in a map. */
struct Pooling {
  int32_t map_line;  // positions of a line of a map
  int64_t row;       // floats from one output channel to the next
  float* y;
  uint32_t* index;

  /** `place` is that of the window's first position, `to` that of its result. */
  LIMBECK_INLINE void put(const Vec* window, int32_t place, int64_t to) const {
    Vec best = window[0];
    Ints winner = broadcast_int(place);
    LIMBECK_UNROLL
    for (int j = 1; j < 4; j++) {
      const Ints better = wins(window[j], best);
      best = select(better, window[j], best);
      winner = select(better, broadcast_int(place + j % 2 + j / 2 * map_line), winner);
    }
    store(y + to, best);
    store_ints(index + to, winner);
  }
};

/** A window of an image whose pixels are vectors: its first pixel, that of its first position, and where its result goes. */
struct Window {
  const float* corner;
  int32_t place;
  int64_t to;
};

struct TapsTile {
  const int32_t* offsets;  // of the taps from the corner
  int64_t depth;
  int64_t line;          // floats from one line of the image to the next
  const float* weights;  // [depth, rows]
  const float* bias;     // per row, or null
  Pooling pooling;
};

template <int Rows>
__attribute__((noinline)) void taps_tile(const TapsTile& t, const Window& window) {
  Vec sums[Rows][4];
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) {
    LIMBECK_UNROLL
    for (int j = 0; j < 4; j++) sums[i][j] = t.bias ? broadcast(t.bias[i]) : zero();
  }
  const float* weights = t.weights;
  const float* const upper = window.corner;
  const float* const lower = window.corner + t.line;
  for (int64_t k = 0; k < t.depth; k++, weights += Rows) {
    const int64_t offset = t.offsets[k];
    Vec factors[Rows];
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) factors[i] = broadcast(weights[i]);
    LIMBECK_UNROLL
    for (int j = 0; j < 4; j++) {
      const Vec pixel = keep(load((j < 2 ? upper : lower) + offset + j % 2 * kLanes));
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) sums[i][j] = fma(factors[i], pixel, sums[i][j]);
    }
  }
  const Pooling pooling = t.pooling;
  const Window at = window;
  LIMBECK_UNROLL
  for (int i = 0; i < Rows; i++) pooling.put(sums[i], at.place, at.to + i * pooling.row);
}

struct PointsTile {
  int64_t depth;
  const float* points;   // [36, depth, 2, kLanes]: of two windows
  const float* weights;  // [36, depth], `row` floats from one to the next
  int64_t row;
  const float* bias;  // per row, or null
  float* products;    // room for [rows, 2, 36, kLanes]
  Pooling pooling;
};

template <int Rows>
__attribute__((noinline)) void points_tile(const PointsTile& t, const Window* two) {
  const int64_t depth = t.depth, row = t.row;
  const float* v = t.points;
  const float* u = t.weights;
  float* const products = t.products;
  for (int64_t point = 0; point < kPoints; point++) {
    Vec sums[Rows][2];
    LIMBECK_UNROLL
    for (int i = 0; i < Rows; i++) sums[i][0] = sums[i][1] = zero();
    for (int64_t k = 0; k < depth; k++, v += 2 * kLanes, u += row) {
      const Vec first = keep(load(v)), second = keep(load(v + kLanes));
      LIMBECK_UNROLL
      for (int i = 0; i < Rows; i++) {
        const Vec factor = broadcast(u[i]);
        sums[i][0] = fma(factor, first, sums[i][0]);
        sums[i][1] = fma(factor, second, sums[i][1]);
      }
    }
    LIMBECK_UNROLL
    for (int i = 0; i < 2 * Rows; i++) store(products + (i * kPoints + point) * kLanes, sums[i / 2][i % 2]);
  }
  const Pooling pooling = t.pooling;
  for (int i = 0; i < 2 * Rows; i++) {
    const float* from = products + i * kPoints * kLanes;
    const Vec bias = t.bias ? broadcast(t.bias[i / 2]) : zero();
    Vec window[4];
    transform<TwoOutputs>([&](int h, int w) { return load(from + (h * 6 + w) * kLanes); },
                          [&](int h, int w, Vec value) { window[2 * h + w] = value + bias; });
    pooling.put(window, two[i % 2].place, two[i % 2].to + i / 2 * pooling.row);
  }
}

/** The windows of a convolution of stride 1 without dilation or groups, whose maps have whole windows. */
class PooledForward {
 public:
  explicit PooledForward(const Convolution& g)
      : g_(g),
        // Vector operations: the products, and to the points and back.
        by_points_(g.KH == 5 && g.KW == 5 && 36 * g.C * g.OC + 190 * g.C + 110 * g.OC < 100 * g.C * g.OC),
        depth_(g.C * g.taps),
        blocks_(ceil_div(g.OC, by_points_ ? kPointRows : kTapRows)),
        windows_(g.OH / 2 * (g.OW / 2)),
        outputs_(g.OC * windows_) {}

  LIMBECK_INLINE int64_t outputs() const { return outputs_; }
  /** Floats of the weights once packed. */
  LIMBECK_INLINE int64_t packed_size() const { return by_points_ ? kPoints * g_.C * row() : g_.OC * depth_; }
  /** Taps, whose places are a table for all. */
  LIMBECK_INLINE int64_t depth() const { return depth_; }
  /** Floats of a worker's scratch: an image, its results and their places, and two windows by points. */
  LIMBECK_INLINE int64_t scratch() const {
    return (image_size() + 2 * outputs_ + (by_points_ ? kPoints * 2 * (g_.C + kPointRows) : 0)) * kLanes;
  }

  void fill_offsets(int32_t* offsets) const {
    for (int64_t c = 0; c < g_.C; c++)
      for (int64_t kh = 0; kh < g_.KH; kh++)
        for (int64_t kw = 0; kw < g_.KW; kw++) *offsets++ = static_cast<int32_t>(g_.tap(c, kh, kw) * kLanes);
  }

  /** Weights `[OC, C, KH, KW]`: blocks of output channels tap by tap, or `[36, C, OC]` at the points. */
  void pack(const float* weights, float* packed) const {
    if (by_points_) return pack_points(weights, packed);
    for (int64_t block = 0; block < blocks_; block++)
      for (int64_t k = 0; k < depth_; k++)
        for (int64_t oc = start(block); oc < start(block + 1); oc++) *packed++ = weights[oc * depth_ + k];
  }

  /** y and index of up to kLanes images x, from packed weights and a bias or null. `scratch` begins with an image of zeros. */
  void run(const int32_t* offsets, const float* packed, const float* bias, const float* x, int64_t images, float* scratch,
           float* y, uint32_t* index) const {
    float* best = scratch + image_size() * kLanes;
    uint32_t* winners = reinterpret_cast<uint32_t*>(best + outputs_ * kLanes);
    const Pooling pooling{static_cast<int32_t>(g_.OW), windows_ * kLanes, best, winners};
    spread(x, images, scratch);
    if (by_points_) {
      run_points(packed, bias, scratch, best + 2 * outputs_ * kLanes, pooling);
    } else {
      run_taps(offsets, packed, bias, scratch, pooling);
    }
    collect(best, images, y);
    collect(reinterpret_cast<const float*>(winners), images, reinterpret_cast<float*>(index));
  }

  LIMBECK_INLINE int64_t image_size() const { return g_.C * g_.plane; }

 private:
  LIMBECK_INLINE int64_t start(int64_t block) const { return part_start(g_.OC, blocks_, block); }
  /** Floats from one channel of the weights at a point to the next. */
  LIMBECK_INLINE int64_t row() const { return round_up(g_.OC, kLanes); }
  LIMBECK_INLINE Window window(const float* image, int64_t i) const {
    const int64_t h = i / (g_.OW / 2) * 2, w = i % (g_.OW / 2) * 2;
    return {image + (h * g_.width + w) * kLanes, static_cast<int32_t>(h * g_.OW + w), i * kLanes};
  }
  LIMBECK_INLINE Pooling from(Pooling pooling, int64_t oc) const {
    pooling.y += oc * pooling.row;
    pooling.index += oc * pooling.row;
    return pooling;
  }

  void run_taps(const int32_t* offsets, const float* packed, const float* bias, const float* image,
                const Pooling& pooling) const {
    for (int64_t i = 0; i < windows_; i++) {
      const Window at = window(image, i);
      for (int64_t block = 0; block < blocks_; block++) {
        const int64_t oc = start(block);
        const TapsTile t{offsets, depth_, g_.width * kLanes, packed + oc * depth_, bias ? bias + oc : nullptr, from(pooling, oc)};
        switch (start(block + 1) - oc) {
          case 1: taps_tile<1>(t, at); break;
          case 2: taps_tile<2>(t, at); break;
          case 3: taps_tile<3>(t, at); break;
          case 4: if constexpr (kTapRows >= 4) taps_tile<4>(t, at); break;
          case 5: if constexpr (kTapRows >= 5) taps_tile<5>(t, at); break;
          default: if constexpr (kTapRows >= 6) taps_tile<6>(t, at); break;
        }
      }
    }
  }

  void run_points(const float* packed, const float* bias, const float* image, float* points, const Pooling& pooling) const {
    float* products = points + kPoints * 2 * g_.C * kLanes;
    for (int64_t i = 0; i < windows_; i += 2) {
      const Window two[2] = {window(image, i), window(image, min(i + 1, windows_ - 1))};
      for (int64_t c = 0; c < g_.C; c++) {
        for (int which = 0; which < 2; which++) {
          const float* corner = two[which].corner + c * g_.plane * kLanes;
          float* to = points + (2 * c + which) * kLanes;
          transform<Input>([&](int h, int w) { return load(corner + (h * g_.width + w) * kLanes); },
                           [&](int h, int w, Vec value) { store(to + (h * 6 + w) * 2 * g_.C * kLanes, value); });
        }
      }
      for (int64_t block = 0; block < blocks_; block++) {
        const int64_t oc = start(block);
        const PointsTile t{g_.C, points, packed + oc, row(), bias ? bias + oc : nullptr, products, from(pooling, oc)};
        switch (start(block + 1) - oc) {
          case 1: points_tile<1>(t, two); break;
          case 2: points_tile<2>(t, two); break;
          case 3: points_tile<3>(t, two); break;
          case 4: points_tile<4>(t, two); break;
          case 5: points_tile<5>(t, two); break;
          default: points_tile<6>(t, two); break;
        }
      }
    }
  }

  void pack_points(const float* weights, float* packed) const {
    for (int64_t oc = 0; oc < g_.OC; oc += kLanes) {
      for (int64_t c = 0; c < g_.C; c++) {
        Vec taps[25];
        each_column(weights + oc * depth_ + c * 25, depth_, min(kLanes, g_.OC - oc), 25,
                    [&](int64_t tap, int64_t, Vec values, int64_t) { taps[tap] = values; });
        transform<FiveWeights>([&](int h, int w) { return taps[5 * h + w]; }, [&](int h, int w, Vec value) {
          store(packed + ((h * 6 + w) * g_.C + c) * row() + oc, value);
        });
      }
    }
  }

  /** Images into a padded one whose pixels are vectors; lanes without an image are zero. */
  void spread(const float* x, int64_t images, float* to) const {
    int64_t c = 0, h = 0, w = 0;  // of the next pixel: columns come in order
    each_column(x, g_.x_size(), images, g_.x_size(), [&](int64_t, int64_t, Vec values, int64_t) {
      store(to + (c * g_.plane + (h + g_.padding) * g_.width + w + g_.padding) * kLanes, values);
      if (++w < g_.W) return;
      w = 0;
      if (++h < g_.H) return;
      h = 0;
      c++;
    });
  }
  /** Lanes to the outputs of their images. */
  void collect(const float* lanes, int64_t images, float* to) const {
    each_column(lanes, kLanes, outputs_, images, [&](int64_t image, int64_t i, Vec values, int64_t n) {
      if (n == kLanes) return store(to + image * outputs_ + i, values);
      store_partial(to + image * outputs_ + i, values, n);
    });
  }

  const Convolution& g_;
  bool by_points_;
  int64_t depth_;    // taps of all channels
  int64_t blocks_;   // of output channels
  int64_t windows_;  // of a map
  int64_t outputs_;  // of an image
};

}  // namespace LIMBECK_ISA
}  // namespace limbeck
