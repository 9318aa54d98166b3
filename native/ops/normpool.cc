#include "../chunks.h"
#include "../normalise.h"
#include "../pooling.h"

/**
 * A norm per channel of each image, ReLU and average pooling by 2 x 2 as one step, plane by plane: x is read from memory once
 * and what lies between x and the pooled map stays in registers, or in the first-level cache. The same operations in the same
 * order as the separate kernels, so the same bits.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr float kShare = 0.25f;  // of a pixel in the mean of its window

struct Geometry {
  int64_t P, N, C, H, W, planes, map, pooled;
  // A strip has some of the planes: the first, its channel, and how many there are in all.
  int64_t first, channel, total;

  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        C(step.sizes[2]),
        H(step.sizes[3]),
        W(step.sizes[4]),
        planes(N * C),
        map(H * W),
        pooled(map / 4),
        first(step.place.first),
        channel(step.place.total > 0 ? first % step.place.channels : 0),
        total(step.place.total > 0 ? step.place.total : planes) {}

  // Where the mean, the variance and the gammas of a plane are in `saved`, and its sums of gamma and beta in `sums`.
  LIMBECK_INLINE int64_t mean(int64_t plane) const { return first + plane; }
  LIMBECK_INLINE int64_t variance(int64_t plane) const { return total + first + plane; }
  LIMBECK_INLINE int64_t gammas() const { return 2 * total + channel; }
  /** Whether this call copies the gammas: the strips of the first image do, and a step that runs whole. */
  LIMBECK_INLINE bool copies(int64_t plane) const { return plane == 0 && first == channel; }
};

/** Calls body(member, plane, channel, worker); small planes go together. */
template <class F>
LIMBECK_INLINE void each_plane(const Geometry& g, const Context& context, F&& body) {
  const int64_t count = g.P * g.planes, together = max(1, kElements / g.map);
  each_chunk(context, count * g.map <= 2 * kElements, ceil_div(count, together), [&](int64_t chunk, int worker) {
    for (int64_t i = chunk * together; i < min((chunk + 1) * together, count); i++)
      body(i / g.planes, i % g.planes, i % g.C, worker);
  });
}

LIMBECK_INLINE Vec rectify(Vec x) { return select(x < zero(), zero(), x); }

void forward(const Step& step, const Context& context) {
  enum { X, Gamma, Beta, Y, Saved };
  const Geometry g(step);
  const double eps = step.constants[0], count = static_cast<double>(g.map);
  each_plane(g, context, [&](int64_t p, int64_t plane, int64_t c, int) {
    const float* x = step.f32(X, p) + plane * g.map;
    const float* gamma = step.f32(Gamma, p);
    float* saved = step.f32(Saved, p);
    double sums[1] = {0}, squares[1] = {0};
    add_map(x, g.map, sums);
    const float mean = static_cast<float>(sums[0] / count);
    add_squares(x, g.map, broadcast(mean), squares);
    const float variance = static_cast<float>(squares[0] / count);
    saved[g.mean(plane)] = mean;
    saved[g.variance(plane)] = variance;
    if (g.copies(plane)) copy(gamma, saved + g.gammas(), g.C);

    const Normalise normalise(mean, inverse(variance, eps), gamma[c], step.f32(Beta, p)[c]);
    float* y = step.f32(Y, p) + plane * g.pooled;
    for (int64_t row = 0; row < g.H / 2; row++) {
      each_output_vector(g.W / 2, [&](int64_t column, int64_t n) {
        const float* upper = x + 2 * row * g.W + 2 * column;
        Windows2x2 w = load_windows(upper, upper + g.W, n);
        LIMBECK_UNROLL
        for (int i = 0; i < 4; i++) w.pixel[i] = rectify(normalise(w.pixel[i]));
        put(y + row * (g.W / 2) + column, broadcast(kShare) * ((w.pixel[0] + w.pixel[1]) + (w.pixel[2] + w.pixel[3])), n);
      });
    }
  });
}

/** The gradient of the map before pooling. */
LIMBECK_INLINE void spread(const Geometry& g, const float* y_bar, float* to) {
  for (int64_t row = 0; row < g.H / 2; row++) {
    each_output_vector(g.W / 2, [&](int64_t column, int64_t n) {
      const Vec value = broadcast(kShare) * get(y_bar + row * (g.W / 2) + column, n);
      float* upper = to + 2 * row * g.W + 2 * column;
      store_pairs(upper, value, value, n);
      store_pairs(upper + g.W, value, value, n);
    });
  }
}

void backward(const Step& step, const Context& context) {
  enum { X, Saved, Beta, YBar, XBar, Sums };
  const Geometry g(step);
  const double eps = step.constants[0], count = static_cast<double>(g.map);
  each_plane(g, context, [&](int64_t p, int64_t plane, int64_t c, int worker) {
    const float* x = step.f32(X, p) + plane * g.map;
    const float* saved = step.f32(Saved, p);
    float* x_bar = step.f32(XBar, p) + plane * g.map;
    float* sums = step.f32(Sums, p);
    float* bar = context.worker_as<float>(worker);
    const float mean = saved[g.mean(plane)], gamma = saved[g.gammas() + c];
    const double inv = inverse(saved[g.variance(plane)], eps);
    const Normalise normalise(mean, inv, gamma, step.f32(Beta, p)[c]);
    spread(g, step.f32(YBar, p) + plane * g.pooled, bar);

    double of[2] = {0, 0};  // of yBar behind ReLU and of (x - mean) yBar
    reduce(g.map, of, [&](int64_t i, int64_t n, Vec(&s)[2]) {
      const Vec pixels = get(x + i, n);
      // Kept: a masked load would wait for what `spread` has just stored to reach the cache.
      const Vec v = select(normalise(pixels) > zero(), keep(get(bar + i, n)), zero());
      put(bar + i, v, n);
      s[0] = s[0] + v;
      s[1] = fma(pixels - normalise.mean, v, s[1]);
    });
    sums[g.first + plane] = static_cast<float>(inv * of[1]);
    sums[g.total + g.first + plane] = static_cast<float>(of[0]);
    const double slope = gamma * inv * of[1];
    const Vec of_x = broadcast(static_cast<float>(-inv * inv * slope / count));
    const Vec shift = broadcast(static_cast<float>(-inv * (gamma * of[0]) / count));
    each_vector(g.map, [&](int64_t i, int64_t n) {
      const Vec rest = fma(get(x + i, n) - normalise.mean, of_x, shift);
      put(x_bar + i, fma(get(bar + i, n), normalise.scale, rest), n);
    });
  });
}

Workspace backward_workspace(const Step& step) { return {0, round_up(Geometry(step).map, 16) * 4}; }

const char* wrong_sizes(const Step& step, int64_t parts) {
  const int64_t* s = step.sizes;  // P N C H W
  if (s[3] % 2 != 0 || s[4] % 2 != 0) return "maps of whole windows: even H and W";
  if (parts == 0) return nullptr;
  const int64_t total = step.place.total, channels = step.place.channels;
  return s[1] * s[2] == parts && (parts == total ? s[2] == channels : s[2] <= channels) ? nullptr : "as many planes as are cut";
}

#define SIZES {"P", "N", "C", "H", "W"}

const Kernel kernels[] = {
    {"normpool.forward",
     {"x[N C H W]", "gamma[C]", "beta[C]", "y[N C H/2 W/2]", "saved[2*N*C+C]"},
     SIZES, {"eps"}, forward, nullptr, wrong_sizes},
    {"normpool.backward",
     {"x[N C H W]", "saved[2*N*C+C]", "beta[C]", "yBar[N C H/2 W/2]", "xBar[N C H W]", "sums[2 N C]"},
     SIZES, {"eps"}, backward, backward_workspace, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(normpool, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
