#include <cstring>

#include "../pooling.h"
#include "../windows.h"

/**
 * Average pooling. Windows of 2 x 2 that do not overlap go vector by vector, one window of the whole map is one long
 * sum, everything else is a plain loop. Cut by maps.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry : Maps {
  int64_t KH, KW, stride, padding;
  float share;  // of a pixel in the mean of its window
  explicit Geometry(const Step& step)
      : Maps(step),
        KH(step.sizes[7]),
        KW(step.sizes[8]),
        stride(step.sizes[9]),
        padding(step.sizes[10]),
        share(static_cast<float>(1.0 / static_cast<double>(KH * KW))) {}
  LIMBECK_INLINE bool two_by_two() const { return KH == 2 && KW == 2 && stride == 2 && padding == 0; }
  LIMBECK_INLINE bool whole() const { return KH == H && KW == W && padding == 0; }

  /** Calls body(row from, row end, column from, column end) with the pixels of a window that are inside. */
  template <class F>
  LIMBECK_INLINE void window(int64_t oh, int64_t ow, F&& body) const {
    const int64_t h = oh * stride - padding, w = ow * stride - padding;
    body(max(h, 0), min(h + KH, H), max(w, 0), min(w + KW, W));
  }
};

LIMBECK_INLINE void forward_two(const Geometry& g, const float* x, float* y) {
  const Vec share = broadcast(g.share);
  for (int64_t oh = 0; oh < g.OH; oh++) {
    each_output_vector(g.OW, [&](int64_t ow, int64_t n) {
      const float* upper = x + 2 * oh * g.W + 2 * ow;
      const Windows2x2 w = load_windows(upper, upper + g.W, n);
      const Vec mean = share * ((w.pixel[0] + w.pixel[1]) + (w.pixel[2] + w.pixel[3]));
      put(y + oh * g.OW + ow, mean, n);
    });
  }
}

LIMBECK_INLINE float sum_of(const float* x, int64_t n) {
  Vec total = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) total += load(x + i);
  if (i < n) total += load_partial(x + i, n - i);
  return sum(total);
}

LIMBECK_INLINE void forward_any(const Geometry& g, const float* x, float* y) {
  for (int64_t oh = 0; oh < g.OH; oh++) {
    for (int64_t ow = 0; ow < g.OW; ow++) {
      float total = 0;
      g.window(oh, ow, [&](int64_t h0, int64_t h1, int64_t w0, int64_t w1) {
        for (int64_t h = h0; h < h1; h++)
          for (int64_t w = w0; w < w1; w++) total += x[h * g.W + w];
      });
      y[oh * g.OW + ow] = g.share * total;
    }
  }
}

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const Geometry g(step);
  const bool two = g.two_by_two(), whole = g.whole();
  each_map(g, context, [&](int64_t p, int64_t map) {
    const float* x = step.f32(X, p) + map * g.H * g.W;
    float* y = step.f32(Y, p) + map * g.OH * g.OW;
    if (two) {
      forward_two(g, x, y);
    } else if (whole) {
      *y = g.share * sum_of(x, g.H * g.W);
    } else {
      forward_any(g, x, y);
    }
  });
}

LIMBECK_INLINE void backward_two(const Geometry& g, const float* y_bar, float* x_bar) {
  const Vec share = broadcast(g.share);
  for (int64_t oh = 0; oh < g.OH; oh++) {
    each_output_vector(g.OW, [&](int64_t ow, int64_t n) {
      const Vec value = share * get(y_bar + oh * g.OW + ow, n);
      float* upper = x_bar + 2 * oh * g.W + 2 * ow;
      store_pairs(upper, value, value, n);
      store_pairs(upper + g.W, value, value, n);
    });
  }
  zero_rest(g, x_bar);
}

LIMBECK_INLINE void backward_any(const Geometry& g, const float* y_bar, float* x_bar) {
  memset(x_bar, 0, static_cast<size_t>(g.H * g.W) * sizeof(float));
  for (int64_t oh = 0; oh < g.OH; oh++) {
    for (int64_t ow = 0; ow < g.OW; ow++) {
      const float value = g.share * y_bar[oh * g.OW + ow];
      g.window(oh, ow, [&](int64_t h0, int64_t h1, int64_t w0, int64_t w1) {
        for (int64_t h = h0; h < h1; h++)
          for (int64_t w = w0; w < w1; w++) x_bar[h * g.W + w] += value;
      });
    }
  }
}

void backward(const Step& step, const Context& context) {
  enum { YBar, XBar };
  const Geometry g(step);
  const bool two = g.two_by_two(), whole = g.whole();
  each_map(g, context, [&](int64_t p, int64_t map) {
    const float* y_bar = step.f32(YBar, p) + map * g.OH * g.OW;
    float* x_bar = step.f32(XBar, p) + map * g.H * g.W;
    if (two) {
      backward_two(g, y_bar, x_bar);
    } else if (whole) {
      for (int64_t i = 0; i < g.H * g.W; i++) x_bar[i] = g.share * *y_bar;
    } else {
      backward_any(g, y_bar, x_bar);
    }
  });
}

const char* wrong_sizes(const Step& step, int64_t) {
  const Geometry g(step);
  return WindowAxis{g.H, g.KH, g.stride, g.padding, g.OH}.fits() && WindowAxis{g.W, g.KW, g.stride, g.padding, g.OW}.fits()
             ? nullptr
             : kWrongWindows;
}

#define SIZES {"P", "N", "C", "H", "W", "OH", "OW", "KH", "KW", "stride", "padding"}

const Kernel kernels[] = {
    {"avgpool2d.forward", {"x[N C H W]", "y[N C OH OW]"}, SIZES, {}, forward, nullptr, wrong_sizes},
    {"avgpool2d.backward", {"yBar[N C OH OW]", "xBar[N C H W]"}, SIZES, {}, backward, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(avgpool2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
