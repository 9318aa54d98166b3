#include <cstring>

#include "../chunks.h"

/**
 * Max pooling. Windows of 2 x 2 that do not overlap, the usual case, go vector by vector: the four pixels of each
 * window are taken apart, compared and put together again. Everything else is a plain loop. Cut by maps.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry {
  int64_t P, maps, H, W, OH, OW, K, stride, padding;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        maps(step.sizes[1] * step.sizes[2]),
        H(step.sizes[3]),
        W(step.sizes[4]),
        OH(step.sizes[5]),
        OW(step.sizes[6]),
        K(step.sizes[7]),
        stride(step.sizes[8]),
        padding(step.sizes[9]) {}
  LIMBECK_INLINE bool two_by_two() const { return K == 2 && stride == 2 && padding == 0; }
};

/** Calls body(member, map) for every map of every member. */
template <class F>
LIMBECK_INLINE void each_map(const Geometry& g, const Context& context, F&& body) {
  const int64_t work = g.maps * g.H * g.W;
  const int64_t pieces = min(g.maps, max(1, work / kElements));
  const auto one = [&](int64_t chunk, int) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    for (int64_t map = g.maps * piece / pieces; map < g.maps * (piece + 1) / pieces; map++) body(p, map);
  };
  if (g.P * work <= 2 * kElements) {
    for (int64_t chunk = 0; chunk < g.P * pieces; chunk++) one(chunk, 0);
  } else {
    context.pool.each(g.P * pieces, one);
  }
}

/** The windows of kLanes outputs side by side: [upper left, upper right, lower left, lower right]. */
struct Windows {
  Vec pixel[4];
};

LIMBECK_INLINE Windows load_windows(const float* upper, const float* lower, int64_t outputs) {
  if (outputs == kLanes) {
    const Vec u0 = load(upper), u1 = load(upper + kLanes), l0 = load(lower), l1 = load(lower + kLanes);
    return {{evens(u0, u1), odds(u0, u1), evens(l0, l1), odds(l0, l1)}};
  }
  const int64_t first = min(2 * outputs, kLanes), second = 2 * outputs - first;
  const Vec u0 = load_partial(upper, first), u1 = load_partial(upper + (second ? kLanes : 0), second);
  const Vec l0 = load_partial(lower, first), l1 = load_partial(lower + (second ? kLanes : 0), second);
  return {{evens(u0, u1), odds(u0, u1), evens(l0, l1), odds(l0, l1)}};
}

LIMBECK_INLINE Vec as_floats(Ints v) { return reinterpret_cast<Vec>(v); }
LIMBECK_INLINE Ints as_ints(Vec v) { return reinterpret_cast<Ints>(v); }

/** Where a pixel takes the place of the best before it: it is larger, or the first NaN of its window. */
LIMBECK_INLINE Ints wins(Vec value, Vec best) { return ~(value <= best) & (best == best); }
LIMBECK_INLINE bool wins(float value, float best) { return !(value <= best) && best == best; }

LIMBECK_INLINE void forward_two(const Geometry& g, const float* x, float* y, uint32_t* index) {
  const int64_t W = g.W;
  for (int64_t oh = 0; oh < g.OH; oh++) {
    for (int64_t ow = 0; ow < g.OW; ow += kLanes) {
      const int64_t n = min(kLanes, g.OW - ow);
      const int64_t corner = 2 * oh * W + 2 * ow;
      const Windows w = load_windows(x + corner, x + corner + W, n);
      const Ints where = broadcast_int(static_cast<int32_t>(corner)) + 2 * iota();
      const int32_t offsets[4] = {0, 1, static_cast<int32_t>(W), static_cast<int32_t>(W) + 1};
      Vec best = w.pixel[0];
      Ints winner = where;
      LIMBECK_UNROLL
      for (int i = 1; i < 4; i++) {
        const Ints better = wins(w.pixel[i], best);
        best = select(better, w.pixel[i], best);
        winner = select(better, where + offsets[i], winner);
      }
      const int64_t at = oh * g.OW + ow;
      if (n == kLanes) {
        store(y + at, best);
        store_ints(index + at, winner);
      } else {
        store_partial(y + at, best, n);
        store_partial(reinterpret_cast<float*>(index + at), as_floats(winner), n);
      }
    }
  }
}

LIMBECK_INLINE void forward_any(const Geometry& g, const float* x, float* y, uint32_t* index) {
  for (int64_t oh = 0; oh < g.OH; oh++) {
    for (int64_t ow = 0; ow < g.OW; ow++) {
      const int64_t h0 = oh * g.stride - g.padding, w0 = ow * g.stride - g.padding;
      int64_t winner = -1;
      float best = 0;
      for (int64_t h = max(h0, 0); h < min(h0 + g.K, g.H); h++) {
        for (int64_t w = max(w0, 0); w < min(w0 + g.K, g.W); w++) {
          const float value = x[h * g.W + w];
          if (winner < 0 || wins(value, best)) {
            best = value;
            winner = h * g.W + w;
          }
        }
      }
      y[oh * g.OW + ow] = best;
      index[oh * g.OW + ow] = static_cast<uint32_t>(winner);
    }
  }
}

void forward(const Step& step, const Context& context) {
  enum { X, Y, Index };
  const Geometry g(step);
  const bool two = g.two_by_two();
  each_map(g, context, [&](int64_t p, int64_t map) {
    const float* x = step.f32(X, p) + map * g.H * g.W;
    float* y = step.f32(Y, p) + map * g.OH * g.OW;
    uint32_t* index = step.u32(Index, p) + map * g.OH * g.OW;
    if (two) {
      forward_two(g, x, y, index);
    } else {
      forward_any(g, x, y, index);
    }
  });
}

void tangent(const Step& step, const Context& context) {
  enum { XDot, Index, YDot };
  const Geometry g(step);
  const int64_t outputs = g.OH * g.OW, last = g.H * g.W - 1;
  each_map(g, context, [&](int64_t p, int64_t map) {
    const float* x_dot = step.f32(XDot, p) + map * g.H * g.W;
    const uint32_t* index = step.u32(Index, p) + map * outputs;
    float* y_dot = step.f32(YDot, p) + map * outputs;
    for (int64_t i = 0; i < outputs; i++) y_dot[i] = x_dot[min(index[i], last)];
  });
}

LIMBECK_INLINE void backward_two(const Geometry& g, const float* y_bar, const uint32_t* index, float* x_bar) {
  const int64_t W = g.W;
  for (int64_t oh = 0; oh < g.OH; oh++) {
    for (int64_t ow = 0; ow < g.OW; ow += kLanes) {
      const int64_t n = min(kLanes, g.OW - ow);
      const int64_t at = oh * g.OW + ow;
      const int64_t corner = 2 * oh * W + 2 * ow;
      const bool whole = n == kLanes;
      const Vec value = whole ? load(y_bar + at) : load_partial(y_bar + at, n);
      const float* winners = reinterpret_cast<const float*>(index + at);
      const Ints winner = as_ints(whole ? load(winners) : load_partial(winners, n));
      const Ints where = broadcast_int(static_cast<int32_t>(corner)) + 2 * iota();
      for (int row = 0; row < 2; row++) {
        const Ints first = where + static_cast<int32_t>(row * W);
        const Vec left = select(winner == first, value, zero());
        const Vec right = select(winner == first + 1, value, zero());
        const Vec low = interleave_low(left, right), high = interleave_high(left, right);
        float* target = x_bar + corner + row * W;
        if (whole) {
          store(target, low);
          store(target + kLanes, high);
        } else {
          const int64_t lower = min(2 * n, kLanes);
          store_partial(target, low, lower);
          if (2 * n > kLanes) store_partial(target + kLanes, high, 2 * n - kLanes);
        }
      }
    }
    // Pixels of an odd last column belong to no window.
    for (int64_t w = 2 * g.OW; w < W; w++) x_bar[2 * oh * W + w] = x_bar[(2 * oh + 1) * W + w] = 0;
  }
  for (int64_t i = 2 * g.OH * W; i < g.H * W; i++) x_bar[i] = 0;
}

LIMBECK_INLINE void backward_any(const Geometry& g, const float* y_bar, const uint32_t* index, float* x_bar) {
  memset(x_bar, 0, static_cast<size_t>(g.H * g.W) * sizeof(float));
  for (int64_t i = 0; i < g.OH * g.OW; i++) x_bar[min(index[i], g.H * g.W - 1)] += y_bar[i];
}

void backward(const Step& step, const Context& context) {
  enum { YBar, Index, XBar };
  const Geometry g(step);
  const bool two = g.two_by_two();
  each_map(g, context, [&](int64_t p, int64_t map) {
    const float* y_bar = step.f32(YBar, p) + map * g.OH * g.OW;
    const uint32_t* index = step.u32(Index, p) + map * g.OH * g.OW;
    float* x_bar = step.f32(XBar, p) + map * g.H * g.W;
    if (two) {
      backward_two(g, y_bar, index, x_bar);
    } else {
      backward_any(g, y_bar, index, x_bar);
    }
  });
}

#define SIZES {"P", "N", "C", "H", "W", "OH", "OW", "K", "stride", "padding"}

const Kernel kernels[] = {
    {"maxpool2d.forward", {"x", "y", "index"}, SIZES, {}, forward, nullptr},
    {"maxpool2d.tangent", {"xDot", "index", "yDot"}, SIZES, {}, tangent, nullptr},
    {"maxpool2d.backward", {"yBar", "index", "xBar"}, SIZES, {}, backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(maxpool2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
