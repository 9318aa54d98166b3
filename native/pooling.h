#pragma once
#include "chunks.h"

/** What max pooling and average pooling share: cutting by maps, and windows of 2 x 2 that do not overlap as vectors. */
namespace limbeck {
namespace LIMBECK_ISA {

/** The maps of a pooling step; the sizes of its window follow those read here. */
struct Maps {
  int64_t P, maps, H, W, OH, OW;
  explicit Maps(const Step& step)
      : P(step.sizes[0]),
        maps(step.sizes[1] * step.sizes[2]),
        H(step.sizes[3]),
        W(step.sizes[4]),
        OH(step.sizes[5]),
        OW(step.sizes[6]) {}
};

/** Calls body(member, map, worker) for every map of every member; begin(worker) before the first map of a chunk. */
template <class Begin, class F>
LIMBECK_INLINE void each_map(const Maps& g, const Context& context, Begin&& begin, F&& body) {
  const int64_t work = g.maps * g.H * g.W;
  const int64_t pieces = min(g.maps, max(1, work / kElements));
  const auto one = [&](int64_t chunk, int worker) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    begin(worker);
    for (int64_t map = g.maps * piece / pieces; map < g.maps * (piece + 1) / pieces; map++) body(p, map, worker);
  };
  each_chunk(context, g.P * work <= 2 * kElements, g.P * pieces, one);
}

/** Calls body(member, map) for every map of every member. */
template <class F>
LIMBECK_INLINE void each_map(const Maps& g, const Context& context, F&& body) {
  each_map(g, context, [](int) {}, [&](int64_t p, int64_t map, int) { body(p, map); });
}

/** Whether a pixel beats the best so far: it is larger, or the first NaN of its window. */
LIMBECK_INLINE Ints wins(Vec value, Vec best) { return ~(value <= best) & (best == best); }

/** Calls body(first, outputs) for the vectors of a row of outputs. The last one ends with the row and may overlap. */
template <class F>
LIMBECK_INLINE void each_output_vector(int64_t OW, F&& body) {
  if (OW < kLanes) return body(0, OW);
  for (int64_t ow = 0; ow < OW; ow += kLanes) body(min(ow, OW - kLanes), int64_t{kLanes});
}

/** The windows of kLanes outputs side by side: [upper left, upper right, lower left, lower right]. */
struct Windows2x2 {
  Vec pixel[4];
};

/** The windows of the next `outputs` (at most kLanes) outputs; the others are zero. */
LIMBECK_INLINE Windows2x2 load_windows(const float* upper, const float* lower, int64_t outputs) {
  if (outputs == kLanes) {
    const Vec u0 = load(upper), u1 = load(upper + kLanes), l0 = load(lower), l1 = load(lower + kLanes);
    return {{evens(u0, u1), odds(u0, u1), evens(l0, l1), odds(l0, l1)}};
  }
  const int64_t first = min(2 * outputs, kLanes), second = 2 * outputs - first;
  const Vec u0 = load_partial(upper, first), u1 = load_partial(upper + (second ? kLanes : 0), second);
  const Vec l0 = load_partial(lower, first), l1 = load_partial(lower + (second ? kLanes : 0), second);
  return {{evens(u0, u1), odds(u0, u1), evens(l0, l1), odds(l0, l1)}};
}

/** Writes one row of the windows of `outputs` outputs: left and right pixels in turn. */
LIMBECK_INLINE void store_pairs(float* row, Vec left, Vec right, int64_t outputs) {
  const Vec low = interleave_low(left, right), high = interleave_high(left, right);
  if (outputs == kLanes) {
    store(row, low);
    store(row + kLanes, high);
    return;
  }
  store_partial(row, low, min(2 * outputs, kLanes));
  if (2 * outputs > kLanes) store_partial(row + kLanes, high, 2 * outputs - kLanes);
}

/** Pixels of an odd last column and row belong to no window: they get zero. */
LIMBECK_INLINE void zero_rest(const Maps& g, float* x_bar) {
  for (int64_t h = 0; 2 * g.OW < g.W && h < 2 * g.OH; h++)
    for (int64_t w = 2 * g.OW; w < g.W; w++) x_bar[h * g.W + w] = 0;
  for (int64_t i = 2 * g.OH * g.W; i < g.H * g.W; i++) x_bar[i] = 0;
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
