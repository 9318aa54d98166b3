#include <cmath>
#include <cstring>

#include "../chunks.h"

/**
 * One operation per image, chosen by its row of draws. An image belongs to one chunk, so the transpose of a movement adds
 * up in the order of the output pixels whatever the number of threads. Cut by images.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kColumns = 8;
enum { Warp, Colour, Cutout, Resize, Turn };
/** As in augment.ts: how many pixels around a place a spline feels, and by what its weights fall. */
constexpr int64_t kReach = 12;
constexpr double kPole = -0.26794919243112270647;

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

/** Calls body(member, row, from, to) for every image of every member; the operands of a pass are from, draws and, at `to`, to. */
template <class F>
LIMBECK_INLINE void each_image(const Step& step, const Context& context, const Geometry& g, int to, F&& body) {
  enum { From, Draws };
  const int64_t image = g.C * g.map();
  const int64_t pieces = min(g.N, max(1, g.N * image * 4 / kElements));  // a warp takes four times as long as a copy
  const auto chunk = [&](int64_t chunk, int) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    for (int64_t n = g.N * piece / pieces; n < g.N * (piece + 1) / pieces; n++)
      body(p, step.f32(Draws, p) + (g.R == 1 ? 0 : n * kColumns), step.f32(From, p) + n * image, step.f32(to, p) + n * image);
  };
  if (g.P * pieces <= 2) {
    for (int64_t i = 0; i < g.P * pieces; i++) chunk(i, 0);
  } else {
    context.pool.each(g.P * pieces, chunk);
  }
}

/** Along one side of the image, the pixels of x that a pixel of y is made of. */
struct Taps {
  int count;
  int64_t at[2 * kReach + 2];
  float weight[2 * kReach + 2];

  LIMBECK_INLINE void add(int64_t pixel, float by) {
    at[count] = pixel;
    weight[count++] = by;
  }
};

/** The pixels beside a place, those of weight 0 and those outside left out. */
LIMBECK_INLINE Taps linear_taps(float place, int64_t side) {
  Taps taps{};
  if (!(place > -1 && place < static_cast<float>(side))) return taps;
  const float first = floorf(place), part = place - first;
  const int64_t pixel = static_cast<int64_t>(first);
  if (part != 1 && pixel >= 0) taps.add(pixel, 1 - part);
  if (part != 0 && pixel + 1 < side) taps.add(pixel + 1, part);
  return taps;
}

/** The mirror image of a pixel outside. */
LIMBECK_INLINE int64_t folded(int64_t pixel, int64_t side) {
  const int64_t period = max(2 * side - 2, 1);
  const int64_t inside = ((pixel % period) + period) % period;
  return min(inside, period - inside);
}

/** kPole to the power of 0, 1, 2 ... */
struct Powers {
  double of[kReach + 3]{};
  constexpr Powers() {
    of[0] = 1;
    for (int64_t i = 1; i < kReach + 3; i++) of[i] = of[i - 1] * kPole;
  }
};
constexpr Powers powers;

LIMBECK_INLINE Taps spline_taps(float place, int64_t side) {
  Taps taps{};
  if (!(place >= 0 && place <= static_cast<float>(side - 1))) return taps;
  const int64_t first = static_cast<int64_t>(place);
  const double t = static_cast<double>(place) - static_cast<double>(first), rest = 1 - t;
  const double bases[] = {rest * rest * rest, 4 - 6 * t * t + 3 * t * t * t, 1 + 3 * t + 3 * t * t - 3 * t * t * t,
                          t * t * t};
  for (int64_t by = -kReach; by < kReach + 2; by++) {
    double weight = 0;
    for (int64_t k = 0; k < 4; k++) weight += bases[k] * powers.of[by < k - 1 ? k - 1 - by : by - k + 1];
    taps.add(folded(first + by, side), static_cast<float>(weight * 1.7320508075688772935 / 6));
  }
  return taps;
}

/** The nearest pixel, where the picture of `size` pixels is. */
LIMBECK_INLINE Taps nearest_tap(int64_t pixel, int64_t size, int64_t side) {
  Taps taps{};
  if (pixel >= 0 && pixel < size) taps.add(pixel * side / size, 1);
  return taps;
}

/** Of both sides, those of pixel (h, w) of y. */
struct Sources {
  Taps down, right;
  bool outside() const { return down.count == 0 || right.count == 0; }
};

LIMBECK_INLINE Sources sources_of(const float* row, const Geometry& g, int64_t h, int64_t w) {
  if (row[0] == Resize) {
    constexpr float far = 1e6f;  // no image is as large, and no product of such numbers overflows
    const auto whole = [&](int i) { return static_cast<int64_t>(lrintf(fminf(fmaxf(row[i], -far), far))); };
    return {nearest_tap(h + whole(3), whole(1), g.H), nearest_tap(w + whole(4), whole(2), g.W)};
  }
  const float middle_h = 0.5f * static_cast<float>(g.H - 1), middle_w = 0.5f * static_cast<float>(g.W - 1);
  const float down = static_cast<float>(h) - middle_h, right = static_cast<float>(w) - middle_w;
  const float from_h = row[1] * down + row[2] * right + (middle_h + row[3]);
  const float from_w = row[4] * down + row[5] * right + (middle_w + row[6]);
  if (row[0] == Turn) return {spline_taps(from_h, g.H), spline_taps(from_w, g.W)};
  return {linear_taps(from_h, g.H), linear_taps(from_w, g.W)};
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

/** What stands where nothing of x is: a channel's fill times that of the row; null for zero. */
LIMBECK_INLINE float filled(const float* fill, float by, int64_t c) { return fill ? by * fill[c] : 0; }

void move(const Geometry& g, const float* row, const float* x, float* y, const float* fill, float offset) {
  const float by = row[0] == Resize ? 0 : offset * row[7];
  if (row[0] == Warp && is_shift(row, g) && !(fill && by != 0))
    return shift(g, static_cast<int64_t>(row[3]), static_cast<int64_t>(row[6]), x, y);
  for (int64_t h = 0; h < g.H; h++) {
    for (int64_t w = 0; w < g.W; w++) {
      const Sources from = sources_of(row, g, h, w);
      float missing = from.outside() ? 1 : 0;
      if (row[0] == Warp) {
        float down = 0, right = 0;
        for (int i = 0; i < from.down.count; i++) down += from.down.weight[i];
        for (int j = 0; j < from.right.count; j++) right += from.right.weight[j];
        missing = 1 - down * right;
      }
      for (int64_t c = 0; c < g.C; c++) {
        float sum = 0;
        for (int i = 0; i < from.down.count; i++) {
          const float* line = x + c * g.map() + from.down.at[i] * g.W;
          for (int j = 0; j < from.right.count; j++)
            sum += from.down.weight[i] * from.right.weight[j] * line[from.right.at[j]];
        }
        y[c * g.map() + h * g.W + w] = fill ? sum + missing * filled(fill, by, c) : sum;
      }
    }
  }
}

void move_transposed(const Geometry& g, const float* row, const float* y_bar, float* x_bar) {
  if (row[0] == Warp && is_shift(row, g))
    return shift(g, -static_cast<int64_t>(row[3]), -static_cast<int64_t>(row[6]), y_bar, x_bar);
  memset(x_bar, 0, static_cast<size_t>(g.C * g.map()) * sizeof(float));
  for (int64_t h = 0; h < g.H; h++) {
    for (int64_t w = 0; w < g.W; w++) {
      const Sources from = sources_of(row, g, h, w);
      for (int64_t c = 0; c < g.C; c++)
        for (int i = 0; i < from.down.count; i++)
          for (int j = 0; j < from.right.count; j++)
            x_bar[c * g.map() + from.down.at[i] * g.W + from.right.at[j]] +=
                from.down.weight[i] * from.right.weight[j] * y_bar[c * g.map() + h * g.W + w];
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
  enum { X, Draws, Fill, Y };
  const Geometry g(step);
  const float offset = static_cast<float>(step.constants[0]);
  each_image(step, context, g, Y, [&](int64_t p, const float* row, const float* x, float* y) {
    if (row[0] == Colour) {
      colour(g, row, x, y, offset);
    } else if (row[0] == Cutout) {
      cutout(g, row, x, y);
    } else {
      move(g, row, x, y, step.has(Fill) ? step.f32(Fill, p) : nullptr, offset);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { YBar, Draws, XBar };
  const Geometry g(step);
  each_image(step, context, g, XBar, [&](int64_t, const float* row, const float* y_bar, float* x_bar) {
    if (row[0] == Colour) {
      colour(g, row, y_bar, x_bar, 0);
    } else if (row[0] == Cutout) {
      cutout(g, row, y_bar, x_bar);
    } else {
      move_transposed(g, row, y_bar, x_bar);
    }
  });
}

const char* wrong_sizes(const Step& step, int64_t) {
  const Geometry g(step);
  return g.R == 1 || g.R == g.N ? nullptr : "R 1 or N: a row of draws for all images, or one for each";
}

#define SIZES {"P", "N", "C", "H", "W", "R"}

const Kernel kernels[] = {
    {"augment.forward",
     {"x[N C H W]", "draws[R 8]", "fill?[C]", "y[N C H W]"},
     SIZES, {"offset"}, forward, nullptr, wrong_sizes},
    {"augment.backward", {"yBar[N C H W]", "draws[R 8]", "xBar[N C H W]"}, SIZES, {}, backward, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(augment, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
