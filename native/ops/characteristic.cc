#include <cmath>

#include "../chunks.h"
#include "../functions.h"

/** Characteristic functions. Means over rows are cut by frequencies: a strip of them is added up row by row, in blocks of rows. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kStrip = 256;
constexpr int64_t kRows = 64;

/** Sums of a strip's cosines and sines. */
struct Sums {
  float cosine[kStrip], sine[kStrip];
};

LIMBECK_INLINE void add(float* to, Vec v, int64_t n) { put(to, get(to, n) + v, n); }

void forward(const Step& step, const Context& context) {
  enum { X, Phi };
  const int64_t P = step.sizes[0], N = step.sizes[1], F = step.sizes[2];
  const int64_t strips = ceil_div(F, kStrip);
  const float by = 1.0f / static_cast<float>(N);
  each_chunk(context, P * N * F <= kElements, P * strips, [&](int64_t chunk, int) {
    const int64_t p = chunk / strips, from = chunk % strips * kStrip, length = min(kStrip, F - from);
    const float* x = step.f32(X, p) + from;
    float* phi = step.f32(Phi, p) + from;
    Sums whole = {};
    for (int64_t first = 0; first < N; first += kRows) {
      Sums block = {};
      for (int64_t n = first; n < min(first + kRows, N); n++)
        for (int64_t i = 0; i < length; i += kLanes) {
          const int64_t lanes = min(kLanes, length - i);
          const Circle c = circle(get(x + n * F + i, lanes));
          add(block.cosine + i, c.cosine, lanes);
          add(block.sine + i, c.sine, lanes);
        }
      for (int64_t i = 0; i < length; i++) {
        whole.cosine[i] += block.cosine[i];
        whole.sine[i] += block.sine[i];
      }
    }
    for (int64_t i = 0; i < length; i++) {
      phi[i] = by * whole.cosine[i];
      phi[F + i] = by * whole.sine[i];
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { X, PhiBar, XBar };
  const int64_t P = step.sizes[0], N = step.sizes[1], F = step.sizes[2];
  const float by = 1.0f / static_cast<float>(N);
  each_range(context, P * N, F, [&](int64_t row, int64_t from, int64_t to) {
    const int64_t p = row / N;
    const float *x = step.f32(X, p) + row % N * F, *phi_bar = step.f32(PhiBar, p);
    float* x_bar = step.f32(XBar, p) + row % N * F;
    for (int64_t i = from; i < to; i += kLanes) {
      const int64_t lanes = min(kLanes, to - i);
      const Circle c = circle(get(x + i, lanes));
      put(x_bar + i, by * (get(phi_bar + F + i, lanes) * c.cosine - get(phi_bar + i, lanes) * c.sine), lanes);
    }
  });
}

/** What the distance at a frequency is made of: see src/engine/ops/characteristic.ts. */
struct Apart {
  double alpha, scale, longer, apart, cross, distance;
};

/** The gradient with respect to (x, y), which is longer than the other by `longer` and from which `cross` goes to it. */
LIMBECK_INLINE void write_gradient(float* to, int64_t F, double x, double y, const Apart& a) {
  const double size = std::sqrt(x * x + y * y);
  const bool none = size == 0 || a.distance == 0;
  const double along = a.alpha * a.longer + (1 - a.alpha) * a.apart / size, across = (a.alpha - 1) * a.cross / size;
  to[0] = none ? 0 : static_cast<float>(a.scale * (along * x - across * y) / size / a.distance);
  to[F] = none ? 0 : static_cast<float>(a.scale * (along * y + across * x) / size / a.distance);
}

void distance(const Step& step, const Context& context) {
  enum { A, B, Distances, ABar, BBar };
  const int64_t P = step.sizes[0], F = step.sizes[1];
  const double alpha = step.constants[0], scale = step.constants[1];
  each_range(context, P, F, [&](int64_t p, int64_t from, int64_t to) {
    const float *a = step.f32(A, p), *b = step.f32(B, p);
    float *distances = step.f32(Distances, p), *a_bar = step.f32(ABar, p), *b_bar = step.f32(BBar, p);
    for (int64_t i = from; i < to; i++) {
      const double ax = a[i], ay = a[F + i], bx = b[i], by = b[F + i];
      const double a_size = std::sqrt(ax * ax + ay * ay), b_size = std::sqrt(bx * bx + by * by);
      const double dot = ax * bx + ay * by, cross = ax * by - ay * bx, longer = a_size - b_size;
      const double apart = dot > 0 ? cross * cross / (a_size * b_size + dot) : a_size * b_size - dot;
      const double d = std::sqrt(alpha * longer * longer + 2 * (1 - alpha) * apart);
      distances[i] = static_cast<float>(scale * d);
      write_gradient(a_bar + i, F, ax, ay, {alpha, scale, longer, apart, cross, d});
      write_gradient(b_bar + i, F, bx, by, {alpha, scale, -longer, apart, -cross, d});
    }
  });
}

const Kernel kernels[] = {
    {"characteristic.forward", {"x[N F]", "phi[2 F]"}, {"P", "N", "F"}, {}, forward, nullptr},
    {"characteristic.backward", {"x[N F]", "phiBar[2 F]", "xBar[N F]"}, {"P", "N", "F"}, {}, backward, nullptr},
    {"characteristic.distance",
     {"a[2 F]", "b[2 F]", "distances[F]", "aBar[2 F]", "bBar[2 F]"},
     {"P", "F"}, {"alpha", "scale"}, distance, nullptr},
};

}  // namespace

LIMBECK_KERNELS(characteristic, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
