#include "../chunks.h"
#include "../functions.h"

/** Sums of Gaussians, by vectors of pixels of a row: images are cut by rows, gradients by Gaussians. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry {
  int64_t P, N, M, C, H, W, numbers;
  float width, inverse;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        M(step.sizes[2]),
        C(step.sizes[3]),
        H(step.sizes[4]),
        W(step.sizes[5]),
        numbers(5 + C),
        width(static_cast<float>(step.constants[0])),
        inverse(static_cast<float>(1 / (step.constants[0] * step.constants[0]))) {}
};

/** What a Gaussian is at some pixels of a row, and how far they lie from its centre. */
struct At {
  Vec dw, u, v, height;
  float dh;
};

/** Pixels w, w + 1, ... of row h under the Gaussian of the numbers x. */
LIMBECK_INLINE At at(const Geometry& g, const float* x, int64_t h, int64_t w) {
  At a;
  Vec lanes;
  for (int i = 0; i < kLanes; i++) lanes[i] = static_cast<float>(i);
  a.dh = static_cast<float>(h) - x[1];
  a.dw = broadcast(static_cast<float>(w)) + lanes - x[0];
  a.u = g.inverse * (x[2] * a.dw + x[3] * a.dh);
  a.v = broadcast(g.inverse * (x[4] * a.dh));
  a.height = exp_below(-0.5f * (a.u * a.u + a.v * a.v)) / g.width;
  return a;
}

/** Pieces of `count` rows or Gaussians, each of `work` exponentials: body(from, to, worker). */
template <class F>
LIMBECK_INLINE void each_piece(const Context& context, int64_t count, int64_t work, F&& body) {
  const int64_t together = max(1, kElements / (4 * work));
  context.pool.each(ceil_div(count, together), [&](int64_t chunk, int worker) {
    body(chunk * together, min((chunk + 1) * together, count), worker);
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const Geometry g(step);
  each_piece(context, g.P * g.N * g.H, g.M * g.W, [&](int64_t from, int64_t to, int) {
    for (int64_t row = from; row < to; row++) {
      const int64_t h = row % g.H, n = row / g.H % g.N, p = row / g.H / g.N;
      const float* x = step.f32(X, p) + n * g.M * g.numbers;
      float* y = step.f32(Y, p) + (n * g.C * g.H + h) * g.W;
      for (int64_t c = 0; c < g.C; c++)
        for (int64_t w = 0; w < g.W; w++) y[c * g.H * g.W + w] = 0;
      for (int64_t m = 0; m < g.M; m++, x += g.numbers)
        for (int64_t w = 0; w < g.W; w += kLanes) {
          const int64_t lanes = min(kLanes, g.W - w);
          const At a = at(g, x, h, w);
          for (int64_t c = 0; c < g.C; c++) {
            float* to = y + c * g.H * g.W + w;
            put(to, get(to, lanes) + x[5 + c] * a.height, lanes);
          }
        }
    }
  });
}

/** A sum for every number of a Gaussian, lane by lane. */
Workspace sums_workspace(const Step& step) {
  return {0, Geometry(step).numbers * static_cast<int64_t>(sizeof(Vec))};
}

void backward(const Step& step, const Context& context) {
  enum { X, YBar, XBar };
  const Geometry g(step);
  each_piece(context, g.P * g.N * g.M, g.H * g.W, [&](int64_t from, int64_t to, int worker) {
    Vec* sums = context.worker_as<Vec>(worker);
    for (int64_t index = from; index < to; index++) {
      const int64_t own = index % (g.N * g.M), p = index / (g.N * g.M);
      const float* x = step.f32(X, p) + own * g.numbers;
      const float* y_bar = step.f32(YBar, p) + own / g.M * g.C * g.H * g.W;
      for (int64_t q = 0; q < g.numbers; q++) sums[q] = zero();
      for (int64_t h = 0; h < g.H; h++)
        for (int64_t w = 0; w < g.W; w += kLanes) {
          const At a = at(g, x, h, w);
          Vec t = zero();
          for (int64_t c = 0; c < g.C; c++) {
            // Lanes past the end of the row are zero, and add nothing.
            const Vec y = a.height * get(y_bar + (c * g.H + h) * g.W + w, min(kLanes, g.W - w));
            sums[5 + c] += y;
            t += x[5 + c] * y;
          }
          const Vec ut = g.inverse * a.u * t, vt = g.inverse * a.v * t;
          sums[0] += x[2] * ut;
          sums[1] += x[3] * ut + x[4] * vt;
          sums[2] -= ut * a.dw;
          sums[3] -= ut * a.dh;
          sums[4] -= vt * a.dh;
        }
      float* x_bar = step.f32(XBar, p) + own * g.numbers;
      for (int64_t q = 0; q < g.numbers; q++) x_bar[q] = sum(sums[q]);
    }
  });
}

#define SIZES {"P", "N", "M", "C", "H", "W"}

const Kernel kernels[] = {
    {"gaussians.forward", {"x[N M 5+C]", "y[N C H W]"}, SIZES, {"width"}, forward, nullptr},
    {"gaussians.backward", {"x[N M 5+C]", "yBar[N C H W]", "xBar[N M 5+C]"}, SIZES, {"width"}, backward, sums_workspace},
};

}  // namespace

LIMBECK_KERNELS(gaussians, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
