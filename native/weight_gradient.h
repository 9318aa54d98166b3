#pragma once
#include "convolution.h"
#include "transpose.h"

/** The weight gradient of a convolution over all positions: how it is computed and cut. */
namespace limbeck {
namespace LIMBECK_ISA {

LIMBECK_INLINE int64_t flat_size(int64_t positions) { return round_up(positions, kLanes); }

struct WeightPlan {
  /** Pieces for threads to share, and for them to end at nearly the same time. */
  static constexpr int64_t kPieces = 16;

  int64_t columns;  // taps of all input channels of a group
  int64_t weights;  // of a group
  int64_t flat_row, vectors, panels;
  bool inner;
  int64_t parts;     // of the output channels: whole panels
  int64_t pieces;    // of the batch of one member
  int64_t together;  // images whose operands for a tile are in the first-level cache together

  explicit WeightPlan(const Convolution& g)
      : columns(g.C * g.taps),
        weights(g.OC * columns),
        flat_row(flat_size(g.positions)),
        vectors(ceil_div(g.OC, kLanes)),
        panels(ceil_div(vectors, kWindowVectors)) {
    // Vector operations per tap; adding up the lanes of an inner product costs about a dozen.
    inner = g.OC * (flat_row / kLanes + 12) <= g.OH * g.OW * vectors;
    // A piece has partial sums, which pay for enough positions only. Where these are few there are parts instead: they need no
    // partial sums, but each reads the images again.
    const int64_t enough = g.N * g.OH * g.OW / 512;
    parts = inner || alone(g) || enough >= kPieces ? 1 : min(panels, 4);
    pieces = alone(g) ? 1 : chunks_of(g.work() / 2, min(g.N, min(2 * kPieces, max(kPieces / parts, enough))));
    together = inner ? 32 * 1024 / (4 * (g.padded_size() + g.OC * flat_row)) : 240 / (g.OH * g.OW);
    together = max(1, min(min(16, g.N), together));
  }

  /** Too little work to be shared. */
  static LIMBECK_INLINE bool alone(const Convolution& g) { return g.P * g.work() < 2 * kGrain; }
  LIMBECK_INLINE int64_t start(int64_t panel) const { return part_start(vectors, panels, panel); }
  LIMBECK_INLINE int64_t lanes() const { return vectors * kLanes; }

  /** int32 numbers in tables: taps and, for windows, the positions of the images that go together. */
  LIMBECK_INLINE int64_t table(const Convolution& g) const { return columns + (inner ? 0 : together * g.OH * g.OW); }
  /** Floats of scratch for each worker. */
  int64_t scratch(const Convolution& g) const {
    return together * (g.padded_size() + (inner ? g.OC * flat_row : round_up(g.OH * g.OW * lanes(), 16))) +
           (inner ? 0 : columns * lanes());
  }
};

/** Few output channels: vectors along the positions of the map, several images at a time. */
LIMBECK_INLINE void weights_by_inner(const Convolution& g, const WeightPlan& plan, const float* x, const float* y_bar,
                                     int64_t images, const int32_t* taps, float* scratch, float* total) {
  const int64_t padded_size = g.padded_size(), spread_size = g.OC * plan.flat_row;
  float* padded = scratch;
  float* spread = padded + plan.together * padded_size;
  zero_floats(padded, plan.together * (padded_size + spread_size));
  for (int64_t n = 0; n < images; n += plan.together) {
    const int64_t count = min(plan.together, images - n);
    for (int64_t i = 0; i < count; i++) {
      pad_image(g, x + (n + i) * g.G * g.x_size(), padded + i * padded_size);
      spread_maps(g, y_bar + (n + i) * g.G * g.y_size(), spread + i * spread_size, plan.flat_row);
    }
    inner_all({spread, plan.flat_row, padded, taps, plan.flat_row, count, spread_size, padded_size, total,
               plan.columns, nullptr, n > 0},
              g.OC, plan.columns);
  }
}

/** Many output channels: vectors along them, the maps transposed so that channels lie side by side. Those of one part. */
LIMBECK_INLINE void weights_by_windows(const Convolution& g, const WeightPlan& plan, int64_t part, const float* x,
                                       const float* y_bar, int64_t images, const int32_t* taps, float* scratch, float* total) {
  const int64_t first_panel = part_start(plan.panels, plan.parts, part);
  const int64_t end_panel = part_start(plan.panels, plan.parts, part + 1);
  const int64_t map = g.OH * g.OW, padded_size = g.padded_size();
  const int32_t* positions = taps + plan.columns;
  float* padded = scratch;
  float* turned = padded + plan.together * padded_size;
  float* sums = turned + plan.together * round_up(map * plan.lanes(), 16);
  if (!g.as_is()) zero_floats(padded, plan.together * padded_size);
  for (int64_t n = 0; n < images; n += plan.together) {
    const int64_t count = min(plan.together, images - n);
    const float* from = x + n * g.G * g.x_size();
    for (int64_t i = 0; i < count && !g.as_is(); i++)
      pad_image(g, from + i * g.G * g.x_size(), padded + i * padded_size);
    for (int64_t panel = first_panel; panel < end_panel; panel++) {
      const int64_t first = plan.start(panel) * kLanes, size = plan.start(panel + 1) * kLanes - first;
      const float* y = y_bar + n * g.G * g.y_size() + first * map;
      for (int64_t i = 0; i < count; i++)
        transpose(y + i * g.G * g.y_size(), map, min(size, g.OC - first), map, turned + i * map * size, size);
      windows({g.as_is() ? from : padded, taps, positions, count * map, turned, sums + first * plan.columns, n > 0},
              plan.columns, size / kLanes);
    }
  }
  for (int64_t panel = first_panel; panel < end_panel; panel++) {
    const int64_t first = plan.start(panel) * kLanes, size = plan.start(panel + 1) * kLanes - first;
    each_column(sums + first * plan.columns, size, plan.columns, min(size, g.OC - first),
                [&](int64_t j, int64_t i, Vec values, int64_t n) {
                  store_partial(total + (first + j) * plan.columns + i, values, n);
                });
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
