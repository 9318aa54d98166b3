#include <cmath>
#include <cstring>

#include "../convolution.h"
#include "../pooling.h"
#include "../windows.h"

/**
 * Max pooling. Windows of 2 x 2 that do not overlap, the usual case, go vector by vector: the four pixels of each
 * window are taken apart, compared and put together again. The forward pass of every other window goes along the planes of
 * a padded map, one pixel of kLanes windows at a time; the other passes follow the winners. Cut by maps.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry : Maps {
  int64_t KH, KW, stride, padding;
  // One padded map, laid out in phase planes as for a convolution (convolution.h).
  int64_t C, width, height, plane;
  explicit Geometry(const Step& step)
      : Maps(step),
        KH(step.sizes[7]),
        KW(step.sizes[8]),
        stride(step.sizes[9]),
        padding(step.sizes[10]),
        C(1),
        width(OW + (KW - 1) / stride),
        height(OH + (KH - 1) / stride),
        plane(height * width) {}
  LIMBECK_INLINE bool two_by_two() const { return KH == 2 && KW == 2 && stride == 2 && padding == 0; }
  LIMBECK_INLINE int64_t padded_size() const { return round_up(stride * stride * plane + kLanes, 16); }
  LIMBECK_INLINE int64_t tap(int64_t kh, int64_t kw) const {
    return (kh % stride * stride + kw % stride) * plane + kh / stride * width + kw / stride;
  }
};

LIMBECK_INLINE Vec as_floats(Ints v) { return reinterpret_cast<Vec>(v); }
LIMBECK_INLINE Ints as_ints(Vec v) { return reinterpret_cast<Ints>(v); }

LIMBECK_INLINE void forward_two(const Geometry& g, const float* x, float* y, uint32_t* index) {
  const int64_t W = g.W;
  for (int64_t oh = 0; oh < g.OH; oh++) {
    each_output_vector(g.OW, [&](int64_t ow, int64_t n) {
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
      put(y + at, best, n);
      put(reinterpret_cast<float*>(index + at), as_floats(winner), n);
    });
  }
}

/** Where a pixel of the window is in a padded map, and by how much its index in the map exceeds that of the first. */
struct Tap {
  int64_t at;
  int64_t pixel;
};

/** Padding is minus infinity: it never takes the place of a pixel, not even of minus infinity. */
LIMBECK_INLINE void forward_any(const Geometry& g, const Tap* taps, const float* x, float* padded, float* y,
                                uint32_t* index) {
  pad_image(g, x, padded);
  for (int64_t oh = 0; oh < g.OH; oh++) {
    const int64_t top = oh * g.stride - g.padding;
    for (int64_t ow = 0; ow < g.OW; ow += kLanes) {
      const Ints left = broadcast_int(static_cast<int32_t>(ow * g.stride - g.padding)) +
                        static_cast<int32_t>(g.stride) * iota();
      const Ints where = left + static_cast<int32_t>(top * g.W);
      // The first pixel of the window that is inside.
      Ints winner = select(left < broadcast_int(0), broadcast_int(0), left) + static_cast<int32_t>(max(top, 0) * g.W);
      Vec best = broadcast(-HUGE_VALF);
      const float* corner = padded + oh * g.width + ow;
      for (int64_t k = 0; k < g.KH * g.KW; k++) {
        const Vec pixel = load(corner + taps[k].at);
        const Ints better = wins(pixel, best);
        best = select(better, pixel, best);
        winner = select(better, where + static_cast<int32_t>(taps[k].pixel), winner);
      }
      const int64_t at = oh * g.OW + ow, n = min(kLanes, g.OW - ow);
      put(y + at, best, n);
      put(reinterpret_cast<float*>(index + at), as_floats(winner), n);
    }
  }
}

void forward(const Step& step, const Context& context) {
  enum { X, Y, Index };
  const Geometry g(step);
  const bool two = g.two_by_two();
  Tap* taps = context.shared_as<Tap>();
  for (int64_t kh = 0, k = 0; kh < g.KH; kh++)
    for (int64_t kw = 0; kw < g.KW; kw++) taps[k++] = {g.tap(kh, kw), kh * g.W + kw};
  const auto begin = [&](int worker) {
    float* padded = context.worker_as<float>(worker);
    for (int64_t i = 0; i < g.padded_size(); i++) padded[i] = -HUGE_VALF;
  };
  each_map(g, context, begin, [&](int64_t p, int64_t map, int worker) {
    const float* x = step.f32(X, p) + map * g.H * g.W;
    float* y = step.f32(Y, p) + map * g.OH * g.OW;
    uint32_t* index = step.u32(Index, p) + map * g.OH * g.OW;
    if (two) {
      forward_two(g, x, y, index);
    } else {
      forward_any(g, taps, x, context.worker_as<float>(worker), y, index);
    }
  });
}

Workspace forward_workspace(const Step& step) {
  const Geometry g(step);
  return {g.KH * g.KW * static_cast<int64_t>(sizeof(Tap)), g.padded_size() * 4};
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
    each_output_vector(g.OW, [&](int64_t ow, int64_t n) {
      const int64_t at = oh * g.OW + ow;
      const int64_t corner = 2 * oh * W + 2 * ow;
      const Vec value = get(y_bar + at, n);
      const Ints winner = as_ints(get(reinterpret_cast<const float*>(index + at), n));
      const Ints where = broadcast_int(static_cast<int32_t>(corner)) + 2 * iota();
      for (int row = 0; row < 2; row++) {
        const Ints first = where + static_cast<int32_t>(row * W);
        const Vec left = select(winner == first, value, zero());
        const Vec right = select(winner == first + 1, value, zero());
        store_pairs(x_bar + corner + row * W, left, right, n);
      }
    });
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

const char* wrong_sizes(const Step& step, int64_t) {
  const Geometry g(step);
  return WindowAxis{g.H, g.KH, g.stride, g.padding, g.OH}.fits() && WindowAxis{g.W, g.KW, g.stride, g.padding, g.OW}.fits()
             ? nullptr
             : kWrongWindows;
}

#define SIZES {"P", "N", "C", "H", "W", "OH", "OW", "KH", "KW", "stride", "padding"}

const Kernel kernels[] = {
    {"maxpool2d.forward",
     {"x[N C H W]", "y[N C OH OW]", "index[N C OH OW]"},
     SIZES, {}, forward, forward_workspace, wrong_sizes},
    {"maxpool2d.tangent",
     {"xDot[N C H W]", "index[N C OH OW]", "yDot[N C OH OW]"},
     SIZES, {}, tangent, nullptr, wrong_sizes},
    {"maxpool2d.backward",
     {"yBar[N C OH OW]", "index[N C OH OW]", "xBar[N C H W]"},
     SIZES, {}, backward, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(maxpool2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
