#include <cmath>

#include "../chunks.h"

/**
 * Local response normalisation. A strip of up to kStrip neighbouring positions goes through all channels at once: every
 * inner loop runs along the map and writes one array (with more, GCC gives up telling them apart), so the compiler
 * vectorises it, and what the windows of a strip share stays in the first-level cache. The terms that the transposed
 * windows add up are kept for the strip in the worker's scratch; the strips of an image are cut by shape alone.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kStrip = 128;

struct Geometry {
  int64_t P, N, C, S, before, after;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        C(step.sizes[2]),
        S(step.sizes[3]),
        before(step.sizes[4] / 2),
        after((step.sizes[4] - 1) / 2) {}
};

/** Calls body(member, first element of the strip in channel 0, its length, worker) for every strip of every image. */
template <class F>
LIMBECK_INLINE void each_strip(const Geometry& g, const Context& context, F&& body) {
  const int64_t strips = ceil_div(g.S, kStrip), total = g.P * g.N * strips;
  const int64_t together = max(1, kElements / (g.C * min(g.S, kStrip)));
  const auto some = [&](int64_t chunk, int worker) {
    for (int64_t at = chunk * together; at < min((chunk + 1) * together, total); at++) {
      const int64_t image = at / strips, from = at % strips * kStrip;
      body(image / g.N, image % g.N * g.C * g.S + from, min(kStrip, g.S - from), worker);
    }
  };
  context.pool.each(ceil_div(total, together), some);
}

/** out[i] = d[i]^-beta. The exponent everybody uses needs square roots only, which are vector instructions. */
LIMBECK_INLINE void power(const float* d, float beta, float* out, int64_t count) {
  if (beta == 0.75f) {
    for (int64_t i = 0; i < count; i++) {
      const float root = sqrtf(d[i]);
      out[i] = 1 / (root * sqrtf(root));
    }
  } else {
    for (int64_t i = 0; i < count; i++) out[i] = powf(d[i], -beta);
  }
}

/** sums[i] = sum over channels from .. to of term(channel, i). */
template <class F>
LIMBECK_INLINE void window_sum(int64_t from, int64_t to, float* sums, int64_t count, F&& term) {
  for (int64_t i = 0; i < count; i++) sums[i] = term(from, i);
  for (int64_t c = from + 1; c <= to; c++)
    for (int64_t i = 0; i < count; i++) sums[i] += term(c, i);
}

void forward(const Step& step, const Context& context) {
  enum { X, Y, D };
  const Geometry g(step);
  const float a = static_cast<float>(step.constants[0] / step.sizes[4]);
  const float beta = static_cast<float>(step.constants[1]), k = static_cast<float>(step.constants[2]);
  each_strip(g, context, [&](int64_t p, int64_t at, int64_t count, int) {
    const float* x = step.f32(X, p) + at;
    float sums[kStrip], scale[kStrip];
    for (int64_t c = 0; c < g.C; c++) {
      window_sum(max(0, c - g.before), min(g.C - 1, c + g.after), sums, count, [&](int64_t j, int64_t i) {
        const float value = x[j * g.S + i];
        return value * value;
      });
      float* d = step.f32(D, p) + at + c * g.S;
      float* y = step.f32(Y, p) + at + c * g.S;
      for (int64_t i = 0; i < count; i++) d[i] = k + a * sums[i];
      power(d, beta, scale, count);
      for (int64_t i = 0; i < count; i++) y[i] = x[c * g.S + i] * scale[i];
    }
  });
}

void tangent(const Step& step, const Context& context) {
  enum { X, D, XDot, YDot, DDot };
  const Geometry g(step);
  const float a2 = static_cast<float>(2 * step.constants[0] / step.sizes[4]);
  const float beta = static_cast<float>(step.constants[1]);
  each_strip(g, context, [&](int64_t p, int64_t at, int64_t count, int) {
    const float* x = step.f32(X, p) + at;
    const float* x_dot = step.f32(XDot, p) + at;
    float sums[kStrip], scale[kStrip];
    for (int64_t c = 0; c < g.C; c++) {
      window_sum(max(0, c - g.before), min(g.C - 1, c + g.after), sums, count,
                 [&](int64_t j, int64_t i) { return x[j * g.S + i] * x_dot[j * g.S + i]; });
      const int64_t row = c * g.S;
      const float* d = step.f32(D, p) + at + row;
      float* y_dot = step.f32(YDot, p) + at + row;
      float* d_dot = step.f32(DDot, p) + at + row;
      power(d, beta, scale, count);
      for (int64_t i = 0; i < count; i++) sums[i] *= a2;
      for (int64_t i = 0; i < count; i++) d_dot[i] = sums[i];
      for (int64_t i = 0; i < count; i++)
        y_dot[i] = scale[i] * (x_dot[row + i] - beta * x[row + i] * sums[i] / d[i]);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { X, D, YBar, XBar };
  const Geometry g(step);
  const float beta = static_cast<float>(step.constants[1]);
  const float factor = static_cast<float>(2 * step.constants[1] * step.constants[0] / step.sizes[4]);
  each_strip(g, context, [&](int64_t p, int64_t at, int64_t count, int worker) {
    const float* x = step.f32(X, p) + at;
    float* x_bar = step.f32(XBar, p) + at;
    float* t = context.worker_as<float>(worker);
    float sums[kStrip], scale[kStrip];
    for (int64_t c = 0; c < g.C; c++) {
      const int64_t row = c * g.S;
      const float* d = step.f32(D, p) + at + row;
      const float* y_bar = step.f32(YBar, p) + at + row;
      power(d, beta, scale, count);
      for (int64_t i = 0; i < count; i++) scale[i] *= y_bar[i];
      for (int64_t i = 0; i < count; i++) x_bar[row + i] = scale[i];
      for (int64_t i = 0; i < count; i++) t[c * kStrip + i] = scale[i] * x[row + i] / d[i];
    }
    for (int64_t c = 0; c < g.C; c++) {
      window_sum(max(0, c - g.after), min(g.C - 1, c + g.before), sums, count,
                 [&](int64_t j, int64_t i) { return t[j * kStrip + i]; });
      for (int64_t i = 0; i < count; i++) x_bar[c * g.S + i] -= factor * x[c * g.S + i] * sums[i];
    }
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { X, D, YBar, XDot, DDot, YBarDot, XBarDot };
  const Geometry g(step);
  const float beta = static_cast<float>(step.constants[1]);
  const float factor = static_cast<float>(2 * step.constants[1] * step.constants[0] / step.sizes[4]);
  each_strip(g, context, [&](int64_t p, int64_t at, int64_t count, int worker) {
    const float* x = step.f32(X, p) + at;
    const float* x_dot = step.f32(XDot, p) + at;
    float* x_bar_dot = step.f32(XBarDot, p) + at;
    float* t = context.worker_as<float>(worker);
    float* t_dot = t + g.C * kStrip;
    float sums[kStrip], sums_dot[kStrip], scale[kStrip], inner[kStrip], ratio[kStrip];
    for (int64_t c = 0; c < g.C; c++) {
      const int64_t row = c * g.S;
      const float* d = step.f32(D, p) + at + row;
      const float* y_bar = step.f32(YBar, p) + at + row;
      const float* d_dot = step.f32(DDot, p) + at + row;
      const float* y_bar_dot = step.has(YBarDot) ? step.f32(YBarDot, p) + at + row : nullptr;
      float* own = t + c * kStrip;
      float* own_dot = t_dot + c * kStrip;
      power(d, beta, scale, count);
      for (int64_t i = 0; i < count; i++) ratio[i] = d_dot[i] / d[i];
      for (int64_t i = 0; i < count; i++) inner[i] = y_bar[i] * scale[i];
      for (int64_t i = 0; i < count; i++) own[i] = inner[i] * x[row + i] / d[i];
      if (y_bar_dot) {
        for (int64_t i = 0; i < count; i++) scale[i] *= y_bar_dot[i];
        for (int64_t i = 0; i < count; i++) x_bar_dot[row + i] = scale[i] - beta * inner[i] * ratio[i];
        for (int64_t i = 0; i < count; i++) scale[i] -= (beta + 1) * inner[i] * ratio[i];
      } else {
        for (int64_t i = 0; i < count; i++) x_bar_dot[row + i] = -beta * inner[i] * ratio[i];
        for (int64_t i = 0; i < count; i++) scale[i] = -(beta + 1) * inner[i] * ratio[i];
      }
      for (int64_t i = 0; i < count; i++)
        own_dot[i] = (inner[i] * x_dot[row + i] + scale[i] * x[row + i]) / d[i];
    }
    for (int64_t c = 0; c < g.C; c++) {
      const int64_t row = c * g.S, from = max(0, c - g.after), to = min(g.C - 1, c + g.before);
      window_sum(from, to, sums, count, [&](int64_t j, int64_t i) { return t[j * kStrip + i]; });
      window_sum(from, to, sums_dot, count, [&](int64_t j, int64_t i) { return t_dot[j * kStrip + i]; });
      for (int64_t i = 0; i < count; i++)
        x_bar_dot[row + i] -= factor * (x_dot[row + i] * sums[i] + x[row + i] * sums_dot[i]);
    }
  });
}

/** t and tDot of one strip. */
Workspace strips(const Step& step) { return {0, 2 * step.sizes[2] * kStrip * static_cast<int64_t>(sizeof(float))}; }

const char* wrong_sizes(const Step& step, int64_t) { return step.sizes[4] >= 1 ? nullptr : "a window of at least 1 channel"; }

#define SIZES {"P", "N", "C", "S", "window"}

const Kernel kernels[] = {
    {"lrn.forward", {"x[N C S]", "y[N C S]", "d[N C S]"}, SIZES, {"alpha", "beta", "k"}, forward, nullptr, wrong_sizes},
    {"lrn.tangent",
     {"x[N C S]", "d[N C S]", "xDot[N C S]", "yDot[N C S]", "dDot[N C S]"},
     SIZES, {"alpha", "beta"}, tangent, nullptr, wrong_sizes},
    {"lrn.backward",
     {"x[N C S]", "d[N C S]", "yBar[N C S]", "xBar[N C S]"},
     SIZES, {"alpha", "beta"}, backward, strips, wrong_sizes},
    {"lrn.tangentBackward",
     {"x[N C S]", "d[N C S]", "yBar[N C S]", "xDot[N C S]", "dDot[N C S]", "yBarDot?[N C S]", "xBarDot[N C S]"},
     SIZES, {"alpha", "beta"}, tangent_backward, strips, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(lrn, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
