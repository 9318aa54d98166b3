#include <cmath>
#include <cstring>

#include "../chunks.h"

/**
 * One operation per image, chosen by its row of draws. An image belongs to one chunk, so the transpose of a warp adds
 * up in the order of the output pixels whatever the number of threads. Cut by images.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kColumns = 8;
enum { Warp, Colour, Cutout };

struct Geometry {
  int64_t P, N, C, H, W, R;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        C(step.sizes[2]),
        H(step.sizes[3]),
        W(step.sizes[4]),
        R(step.sizes[5]) {}
  LIMBECK_INLINE int64_t map() const { return H * W; }
};

/** Calls body(row, from, to) for every image of every member; the operands of a pass are (from, draws, to). */
template <class F>
LIMBECK_INLINE void each_image(const Step& step, const Context& context, const Geometry& g, F&& body) {
  enum { From, Draws, To };
  const int64_t image = g.C * g.map();
  const int64_t pieces = min(g.N, max(1, g.N * image * 4 / kElements));  // a warp takes four times as long as a copy
  const auto chunk = [&](int64_t chunk, int) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    for (int64_t n = g.N * piece / pieces; n < g.N * (piece + 1) / pieces; n++)
      body(step.f32(Draws, p) + (g.R == 1 ? 0 : n * kColumns), step.f32(From, p) + n * image, step.f32(To, p) + n * image);
  };
  if (g.P * pieces <= 2) {
    for (int64_t i = 0; i < g.P * pieces; i++) chunk(i, 0);
  } else {
    context.pool.each(g.P * pieces, chunk);
  }
}

/** The pixels of x that a pixel of y is made of: at most four, none of weight 0. */
struct Taps {
  int count;
  int64_t at[4];
  float weight[4];
};

LIMBECK_INLINE Taps taps_of(const float* row, const Geometry& g, int64_t h, int64_t w) {
  const float middle_h = 0.5f * static_cast<float>(g.H - 1), middle_w = 0.5f * static_cast<float>(g.W - 1);
  const float down = static_cast<float>(h) - middle_h, right = static_cast<float>(w) - middle_w;
  const float from_h = row[1] * down + row[2] * right + (middle_h + row[3]);
  const float from_w = row[4] * down + row[5] * right + (middle_w + row[6]);
  Taps taps{};
  if (!(from_h > -1 && from_h < static_cast<float>(g.H) && from_w > -1 && from_w < static_cast<float>(g.W))) return taps;
  const float first_h = floorf(from_h), first_w = floorf(from_w);
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) {
      const int64_t y = static_cast<int64_t>(first_h) + i, x = static_cast<int64_t>(first_w) + j;
      const float part_h = from_h - first_h, part_w = from_w - first_w;
      const float weight = (i ? part_h : 1 - part_h) * (j ? part_w : 1 - part_w);
      if (weight == 0 || y < 0 || y >= g.H || x < 0 || x >= g.W) continue;
      taps.at[taps.count] = y * g.W + x;
      taps.weight[taps.count++] = weight;
    }
  }
  return taps;
}

/** to[h, w] = from[h + down, w + right], zero outside. */
LIMBECK_INLINE void shift(const Geometry& g, int64_t down, int64_t right, const float* from, float* to) {
  memset(to, 0, static_cast<size_t>(g.C * g.map()) * sizeof(float));
  const int64_t first = min(g.W, max(0, -right)), last = max(first, min(g.W, g.W - right));
  for (int64_t c = 0; c < g.C; c++)
    for (int64_t h = max(0, -down); h < min(g.H, g.H - down); h++)
      memcpy(to + c * g.map() + h * g.W + first, from + c * g.map() + (h + down) * g.W + first + right,
             static_cast<size_t>(last - first) * sizeof(float));
}

/** Whether a warp moves by whole pixels that fit into the image. */
LIMBECK_INLINE bool is_shift(const float* row, const Geometry& g) {
  const auto whole = [](float by, int64_t side) {
    return fabsf(by) <= static_cast<float>(side) && floorf(by) == by;
  };
  return row[1] == 1 && row[2] == 0 && row[4] == 0 && row[5] == 1 && whole(row[3], g.H) && whole(row[6], g.W);
}

LIMBECK_INLINE void warp(const Geometry& g, const float* row, const float* x, float* y) {
  if (is_shift(row, g)) return shift(g, static_cast<int64_t>(row[3]), static_cast<int64_t>(row[6]), x, y);
  for (int64_t h = 0; h < g.H; h++) {
    for (int64_t w = 0; w < g.W; w++) {
      const Taps taps = taps_of(row, g, h, w);
      for (int64_t c = 0; c < g.C; c++) {
        float sum = 0;
        for (int i = 0; i < taps.count; i++) sum += taps.weight[i] * x[c * g.map() + taps.at[i]];
        y[c * g.map() + h * g.W + w] = sum;
      }
    }
  }
}

LIMBECK_INLINE void warp_transposed(const Geometry& g, const float* row, const float* y_bar, float* x_bar) {
  if (is_shift(row, g)) return shift(g, -static_cast<int64_t>(row[3]), -static_cast<int64_t>(row[6]), y_bar, x_bar);
  memset(x_bar, 0, static_cast<size_t>(g.C * g.map()) * sizeof(float));
  for (int64_t h = 0; h < g.H; h++) {
    for (int64_t w = 0; w < g.W; w++) {
      const Taps taps = taps_of(row, g, h, w);
      for (int64_t c = 0; c < g.C; c++)
        for (int i = 0; i < taps.count; i++)
          x_bar[c * g.map() + taps.at[i]] += taps.weight[i] * y_bar[c * g.map() + h * g.W + w];
    }
  }
}

/** y = A x + offset b, where A is symmetric. */
LIMBECK_INLINE void colour(const Geometry& g, const float* row, const float* x, float* y, float offset) {
  const float brightness = row[1], saturation = row[2], contrast = row[3];
  const int64_t map = g.map();
  double total = 0;
  for (int64_t i = 0; i < g.C * map; i++) total += x[i];
  const float image_mean = static_cast<float>(total / static_cast<double>(g.C * map));
  const Vec rest = broadcast((1 - contrast) * image_mean + offset * brightness);
  const Vec own = broadcast(contrast * saturation);
  const Vec grey = broadcast(contrast * (1 - saturation) / static_cast<float>(g.C));
  for (int64_t i = 0; i < map; i += kLanes) {
    const int64_t n = min(kLanes, map - i);
    const auto pixels = [&](int64_t c) {
      return n == kLanes ? load(x + c * map + i) : load_partial(x + c * map + i, n);
    };
    Vec sum = zero();
    for (int64_t c = 0; c < g.C; c++) sum += pixels(c);
    const Vec common = fma(grey, sum, rest);
    for (int64_t c = 0; c < g.C; c++) {
      const Vec value = fma(own, pixels(c), common);
      if (n == kLanes) {
        store(y + c * map + i, value);
      } else {
        store_partial(y + c * map + i, value, n);
      }
    }
  }
}

LIMBECK_INLINE int64_t clamp(float bound, int64_t side) {
  return bound > 0 ? (bound < static_cast<float>(side) ? lrintf(bound) : side) : 0;
}

LIMBECK_INLINE void cutout(const Geometry& g, const float* row, const float* x, float* y) {
  const int64_t top = clamp(row[1], g.H), bottom = clamp(row[2], g.H);
  const int64_t left = clamp(row[3], g.W), right = clamp(row[4], g.W);
  memcpy(y, x, static_cast<size_t>(g.C * g.map()) * sizeof(float));
  if (left >= right) return;
  for (int64_t c = 0; c < g.C; c++)
    for (int64_t h = top; h < bottom; h++)
      memset(y + c * g.map() + h * g.W + left, 0, static_cast<size_t>(right - left) * sizeof(float));
}

void forward(const Step& step, const Context& context) {
  const Geometry g(step);
  const float offset = static_cast<float>(step.constants[0]);
  each_image(step, context, g, [&](const float* row, const float* x, float* y) {
    if (row[0] == Warp) {
      warp(g, row, x, y);
    } else if (row[0] == Colour) {
      colour(g, row, x, y, offset);
    } else {
      cutout(g, row, x, y);
    }
  });
}

void backward(const Step& step, const Context& context) {
  const Geometry g(step);
  each_image(step, context, g, [&](const float* row, const float* y_bar, float* x_bar) {
    if (row[0] == Warp) {
      warp_transposed(g, row, y_bar, x_bar);
    } else if (row[0] == Colour) {
      colour(g, row, y_bar, x_bar, 0);
    } else {
      cutout(g, row, y_bar, x_bar);
    }
  });
}

#define SIZES {"P", "N", "C", "H", "W", "R"}

const Kernel kernels[] = {
    {"augment.forward", {"x", "draws", "y"}, SIZES, {"offset"}, forward, nullptr},
    {"augment.backward", {"yBar", "draws", "xBar"}, SIZES, {}, backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(augment, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
