#include <cmath>

#include "../chunks.h"

/**
 * The kernel of infinitely wide networks, in double throughout: near the angle 0 its derivatives are quotients of small differences,
 * and its matrices are solved with. Pairs of images go through all layers in strips of a row, so that loops are over the pairs of one.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr double kPi = 3.14159265358979323846;

/** What the steps are called with, as the definition names it. */
struct Network {
  int64_t layers;
  double gain, weight, bias;
  bool tangent;
  Network(const Step& step, int64_t layers)
      : layers(layers),
        gain(step.constants[0]),
        weight(step.constants[1]),
        bias(step.constants[2]),
        tangent(step.constants[3] != 0) {}
};

/** asin(x) / x of z = x², for x up to 1/2: the interpolation at Chebyshev nodes, to 2e-17. */
LIMBECK_INLINE double arc(double z) {
  constexpr double terms[] = {3.1879621400812840e-2, -1.6187392271599134e-2, 1.9513468251252167e-2, 6.5293020047365695e-3,
                              1.2170138592391726e-2, 1.3884842826402080e-2,  1.7359779641349980e-2, 2.2371749733164054e-2,
                              3.0381959697685140e-2, 4.4642856805998936e-2,  7.5000000003852010e-2, 1.6666666666664942e-1,
                              1.0};
  double sum = terms[0];
  LIMBECK_UNROLL
  for (int i = 1; i < 13; i++) sum = sum * z + terms[i];
  return sum;
}

/** acos(-cosine), without a call, so that loops of it are vectors. */
LIMBECK_INLINE double angle_of(double cosine) {
  const double size = std::fabs(cosine);
  const bool near = size <= 0.5;
  const double z = near ? size * size : (1 - size) / 2;
  const double x = near ? cosine : std::sqrt(z);
  const double y = x * arc(z);
  const double far = cosine > 0 ? kPi - 2 * y : 2 * y;
  return near ? kPi / 2 + y : far;
}

constexpr int64_t kStrip = 64;

/** Pairs of images: inner products and squared norms, in their place the kernel and its derivatives by g and by b. */
struct Pairs {
  double g[kStrip], a[kStrip], b[kStrip];
  double k[kStrip], by_product[kStrip], by_norm[kStrip];
};

template <bool kSlopes>
inline void evaluate(const Network& net, Pairs& pairs) {
  double q[kStrip], qa[kStrip], qb[kStrip], qg[kStrip], q_by_b[kStrip], t[kStrip], tg[kStrip], tb[kStrip];
  for (int64_t j = 0; j < kStrip; j++) {
    t[j] = q[j] = net.gain * pairs.g[j] + net.bias;
    qa[j] = net.gain * pairs.a[j] + net.bias;
    qb[j] = net.gain * pairs.b[j] + net.bias;
    if (kSlopes) {
      tg[j] = qg[j] = net.gain;
      tb[j] = q_by_b[j] = 0;
    }
  }
  double norm = net.gain;
  const double weight = net.weight, bias = net.bias;
  for (int64_t layer = 0; layer < net.layers; layer++) {
    for (int64_t j = 0; j < kStrip; j++) {
      const double size = std::sqrt(qa[j] * qb[j]);
      double cosine = q[j] / size;
      cosine = cosine > 1 ? 1 : cosine;
      cosine = cosine < -1 ? -1 : cosine;
      const double sine = std::sqrt((1 - cosine) * (1 + cosine));
      const double angle = angle_of(cosine);
      const double step = weight * angle / (2 * kPi);
      if (kSlopes) {
        const double of_step = sine > 0 ? weight / (2 * kPi * size * sine) : 0;
        const double of_size = norm * weight * size * sine / (4 * kPi * qb[j]);
        tg[j] = step * tg[j] + t[j] * of_step * qg[j] + step * qg[j];
        tb[j] = step * tb[j] + t[j] * of_step * (q_by_b[j] - norm * q[j] / (2 * qb[j])) + step * q_by_b[j] + of_size;
        qg[j] *= step;
        q_by_b[j] = step * q_by_b[j] + of_size;
      }
      q[j] = weight * size * (sine + angle * cosine) / (2 * kPi) + bias;
      t[j] = q[j] + step * t[j];
      qa[j] = weight / 2 * qa[j] + bias;
      qb[j] = weight / 2 * qb[j] + bias;
    }
    norm *= weight / 2;
  }
  for (int64_t j = 0; j < kStrip; j++) {
    pairs.k[j] = net.tangent ? t[j] : q[j];
    if (kSlopes) {
      pairs.by_product[j] = net.tangent ? tg[j] : qg[j];
      pairs.by_norm[j] = net.tangent ? tb[j] : q_by_b[j];
    }
  }
}

/** Of an image with itself: the kernel is `k + slope a` for the squared norm a. */
struct Line {
  double k, slope;
  explicit Line(const Network& net) : k(net.bias), slope(net.gain) {
    double t = k, ta = slope;
    for (int64_t layer = 0; layer < net.layers; layer++) {
      k = net.weight / 2 * k + net.bias;
      slope *= net.weight / 2;
      t = k + net.weight / 2 * t;
      ta = slope + net.weight / 2 * ta;
    }
    if (net.tangent) {
      k = t;
      slope = ta;
    }
  }
};

/** Rows of pairs that are worth a chunk: some microseconds. */
LIMBECK_INLINE int64_t rows_together(int64_t M) { return max(1, 2048 / M); }

/**
 * Calls body(first column, columns, pairs) for the strips of row i of g; what a strip has beyond the row is a pair that is as good as
 * any. `column_norm(j)` and `row_norm` are squared norms, the latter in the place of b where `own`.
 */
template <bool kSlopes, class Norm, class F>
LIMBECK_INLINE void each_strip(const Network& net, const float* g, int64_t M, double row_norm, bool own, Norm&& column_norm,
                               F&& body) {
  Pairs pairs;
  for (int64_t start = 0; start < M; start += kStrip) {
    const int64_t n = min(kStrip, M - start);
    for (int64_t j = 0; j < kStrip; j++) {
      const int64_t column = start + min(j, n - 1);
      pairs.g[j] = g[column];
      pairs.a[j] = own ? column_norm(column) : row_norm;
      pairs.b[j] = own ? row_norm : column_norm(column);
    }
    evaluate<kSlopes>(net, pairs);
    body(start, n, pairs);
  }
}

void cross(const Step& step, const Context& context) {
  enum { G, A, B, K };
  const int64_t P = step.sizes[0], N = step.sizes[1], M = step.sizes[2];
  const Network net(step, step.sizes[3]);
  each_part(context.pool, P, N, rows_together(M), [&](int64_t p, int64_t from, int64_t to) {
    const float *g = step.f32(G, p), *a = step.f32(A, p), *b = step.f32(B, p);
    float* k = step.f32(K, p);
    for (int64_t i = from; i < to; i++)
      each_strip<false>(net, g + i * M, M, a[i], false, [&](int64_t j) { return b[j]; },
                        [&](int64_t start, int64_t n, const Pairs& pairs) {
                          for (int64_t j = 0; j < n; j++) k[i * M + start + j] = static_cast<float>(pairs.k[j]);
                        });
  });
}

/** Rows whose sums are one partial result each: by shape alone. */
constexpr int64_t kRowsSummed = 128;

void cross_backward(const Step& step, const Context& context) {
  enum { G, A, B, KBar, GBar, BBar };
  const int64_t P = step.sizes[0], N = step.sizes[1], M = step.sizes[2];
  const Network net(step, step.sizes[3]);
  const int64_t pieces = ceil_div(N, kRowsSummed);
  double* partial = context.shared_as<double>();
  context.pool.each(P * pieces, [&](int64_t chunk, int) {
    const int64_t p = chunk / pieces, from = chunk % pieces * kRowsSummed;
    const float *g = step.f32(G, p), *a = step.f32(A, p), *b = step.f32(B, p), *k_bar = step.f32(KBar, p);
    float* g_bar = step.f32(GBar, p);
    double* sums = partial + chunk * M;
    for (int64_t j = 0; j < M; j++) sums[j] = 0;
    for (int64_t i = from; i < min(from + kRowsSummed, N); i++)
      each_strip<true>(net, g + i * M, M, a[i], false, [&](int64_t j) { return b[j]; },
                       [&](int64_t start, int64_t n, const Pairs& pairs) {
                         const float* bar = k_bar + i * M + start;
                         for (int64_t j = 0; j < n; j++) {
                           g_bar[i * M + start + j] = static_cast<float>(bar[j] * pairs.by_product[j]);
                           sums[start + j] += bar[j] * pairs.by_norm[j];
                         }
                       });
  });
  for (int64_t p = 0; p < P; p++) {
    float* b_bar = step.f32(BBar, p);
    for (int64_t j = 0; j < M; j++) {
      double total = 0;
      for (int64_t piece = 0; piece < pieces; piece++) total += partial[(p * pieces + piece) * M + j];
      b_bar[j] = static_cast<float>(total);
    }
  }
}

Workspace cross_backward_workspace(const Step& step) {
  const int64_t pieces = ceil_div(step.sizes[1], kRowsSummed);
  return {step.sizes[0] * pieces * step.sizes[2] * static_cast<int64_t>(sizeof(double)), 0};
}

void gram(const Step& step, const Context& context) {
  enum { G, K };
  const int64_t P = step.sizes[0], N = step.sizes[1];
  const Network net(step, step.sizes[2]);
  const Line same(net);
  each_part(context.pool, P, N, rows_together(N), [&](int64_t p, int64_t from, int64_t to) {
    const float* g = step.f32(G, p);
    float* k = step.f32(K, p);
    for (int64_t i = from; i < to; i++) {
      const double own = g[i * N + i];
      each_strip<false>(net, g + i * N, N, own, true, [&](int64_t j) { return g[j * N + j]; },
                        [&](int64_t start, int64_t n, const Pairs& pairs) {
                          for (int64_t j = 0; j < n; j++) k[i * N + start + j] = static_cast<float>(pairs.k[j]);
                        });
      k[i * N + i] = static_cast<float>(same.k + same.slope * own);
    }
  });
}

void gram_backward(const Step& step, const Context& context) {
  enum { G, KBar, ABar, GBar };
  const int64_t P = step.sizes[0], N = step.sizes[1];
  const Network net(step, step.sizes[2]);
  const Line same(net);
  each_part(context.pool, P, N, rows_together(N), [&](int64_t p, int64_t from, int64_t to) {
    const float *g = step.f32(G, p), *k_bar = step.f32(KBar, p), *a_bar = step.f32(ABar, p);
    float* g_bar = step.f32(GBar, p);
    for (int64_t i = from; i < to; i++) {
      double sum = a_bar[i] + k_bar[i * N + i] * same.slope;
      each_strip<true>(net, g + i * N, N, g[i * N + i], true, [&](int64_t j) { return g[j * N + j]; },
                       [&](int64_t start, int64_t n, const Pairs& pairs) {
                         for (int64_t j = 0; j < n; j++) {
                           const int64_t other = start + j;
                           if (other == i) continue;
                           const double bar = k_bar[i * N + other];
                           g_bar[i * N + other] = static_cast<float>(bar * pairs.by_product[j]);
                           sum += (bar + k_bar[other * N + i]) * pairs.by_norm[j];
                         }
                       });
      g_bar[i * N + i] = static_cast<float>(sum);
    }
  });
}

#define CONSTANTS {"gain", "weight", "bias", "tangent"}

const Kernel kernels[] = {
    {"arccosine.cross",
     {"g[N M]", "a[N]", "b[M]", "k[N M]"},
     {"P", "N", "M", "layers"}, CONSTANTS, cross, nullptr},
    {"arccosine.crossBackward",
     {"g[N M]", "a[N]", "b[M]", "kBar[N M]", "gBar[N M]", "bBar[M]"},
     {"P", "N", "M", "layers"}, CONSTANTS, cross_backward, cross_backward_workspace},
    {"arccosine.gram", {"g[N N]", "k[N N]"}, {"P", "N", "layers"}, CONSTANTS, gram, nullptr},
    {"arccosine.gramBackward",
     {"g[N N]", "kBar[N N]", "aBar[N]", "gBar[N N]"},
     {"P", "N", "layers"}, CONSTANTS, gram_backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(arccosine, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
