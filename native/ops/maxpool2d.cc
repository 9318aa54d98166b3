#include <cstring>

#include "../pooling.h"

/**
 * Max pooling. Windows of 2 x 2 that do not overlap, the usual case, go vector by vector: the four pixels of each
 * window are taken apart, compared and put together again. Everything else is a plain loop. Cut by maps.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry : Maps {
  int64_t K, stride, padding;
  explicit Geometry(const Step& step)
      : Maps(step), K(step.sizes[7]), stride(step.sizes[8]), padding(step.sizes[9]) {}
  LIMBECK_INLINE bool two_by_two() const { return K == 2 && stride == 2 && padding == 0; }
};

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
      const Windows2x2 w = load_windows(x + corner, x + corner + W, n);
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
        store_pairs(x_bar + corner + row * W, left, right, n);
      }
    }
  }
  zero_rest(g, x_bar);
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
