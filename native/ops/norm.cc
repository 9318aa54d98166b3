#include "../chunks.h"
#include "../normalise.h"

/**
 * Group and batch norm. The passes are bound by memory, so a thread takes a group (a 32 x 32 map in the field's usual
 * network, 4 KB) and goes over it twice: once for the sums, once to write, when the group is still in its first or
 * second-level cache; each tensor comes from memory once. What is written is linear in the tensors read, with
 * coefficients per group and channel worked out in between.
 *
 * A group is made of maps: runs of elements with one channel. Sums are over blocks of kBlock elements in float vectors,
 * over blocks and maps in double. Groups are never cut, so results depend on nothing but the shapes.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry {
  int64_t P, A, S, B, L, C, map, groups, maps;
  // A strip has some of the groups: the first, its channel, and how many groups and maps there are in all.
  int64_t first, channel, total, total_maps;
  double count;
  bool frozen;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        A(step.sizes[1]),
        S(step.sizes[2]),
        B(step.sizes[3]),
        L(step.sizes[4]),
        C(step.sizes[5]),
        map(step.sizes[6]),
        groups(A * B),
        maps(A * S * B * L / map),
        first(step.place.first),
        channel(step.place.total > 0 ? first % step.place.channels : 0),
        total(step.place.total > 0 ? step.place.total : groups),
        total_maps(step.place.total > 0 ? step.place.total : maps),
        count(static_cast<double>(S * L)),
        frozen(step.sizes[7] != 0) {}

  // Where the mean, the variance and the gammas are in `saved`, and the sums of gamma and beta of a map in `sums`.
  LIMBECK_INLINE int64_t mean(int64_t group) const { return first + group; }
  LIMBECK_INLINE int64_t variance(int64_t group) const { return total + first + group; }
  LIMBECK_INLINE int64_t gammas() const { return 2 * total + channel; }
  LIMBECK_INLINE int64_t gamma_sum(int64_t map) const { return first + map; }
  LIMBECK_INLINE int64_t beta_sum(int64_t map) const { return total_maps + first + map; }
  /** Whether this call copies the gammas: the strips of the first image do, and a step that runs whole. */
  LIMBECK_INLINE bool copies(int64_t group) const { return group == 0 && first == channel; }

  /** Calls body(first element, map number, channel) for the maps of a group. */
  template <class F>
  LIMBECK_INLINE void each_map(int64_t group, F&& body) const {
    const int64_t a = group / B, b = group % B;
    for (int64_t s = 0; s < S; s++) {
      const int64_t piece = ((a * S + s) * B + b) * L;
      for (int64_t at = piece; at < piece + L; at += map) body(at, at / map, at / map % C);
    }
  }
};

/** Calls body(member, group) for all groups; short ones go together. */
template <class F>
LIMBECK_INLINE void each_group(const Geometry& g, const Context& context, F&& body) {
  const int64_t total = g.P * g.groups, together = max(1, kElements / (g.S * g.L));
  const auto some = [&](int64_t chunk, int) {
    for (int64_t i = chunk * together; i < min((chunk + 1) * together, total); i++) body(i / g.groups, i % g.groups);
  };
  if (total * g.S * g.L <= 2 * kElements) {
    for (int64_t i = 0; i < total; i++) body(i / g.groups, i % g.groups);
  } else {
    context.pool.each(ceil_div(total, together), some);
  }
}

/** y = gamma n + beta for one group. */
LIMBECK_INLINE void normalise_group(const Geometry& g, int64_t group, const float* x, float mean, double inv,
                                    const float* gamma, const float* beta, float* y) {
  g.each_map(group, [&](int64_t at, int64_t, int64_t c) {
    normalise_map(x + at, g.map, mean, inv, gamma[c], beta[c], y + at);
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, Gamma, Beta, Y, Saved };
  const Geometry g(step);
  const double eps = step.constants[0];
  each_group(g, context, [&](int64_t p, int64_t group) {
    const float* x = step.f32(X, p);
    float* saved = step.f32(Saved, p);
    double sums[1] = {0}, squares[1] = {0};
    g.each_map(group, [&](int64_t at, int64_t, int64_t) { add_map(x + at, g.map, sums); });
    const float mean = static_cast<float>(sums[0] / g.count);
    g.each_map(group, [&](int64_t at, int64_t, int64_t) { add_squares(x + at, g.map, broadcast(mean), squares); });
    const float variance = static_cast<float>(squares[0] / g.count);
    saved[g.mean(group)] = mean;
    saved[g.variance(group)] = variance;
    if (g.copies(group)) copy(step.f32(Gamma, p), saved + g.gammas(), g.C);
    normalise_group(g, group, x, mean, inverse(variance, eps), step.f32(Gamma, p), step.f32(Beta, p), step.f32(Y, p));
  });
}

void forward_frozen(const Step& step, const Context& context) {
  enum { X, Statistics, Gamma, Beta, Y, Saved };
  const Geometry g(step);
  const double eps = step.constants[0];
  each_group(g, context, [&](int64_t p, int64_t group) {
    const float* statistics = step.f32(Statistics, p);
    const float* gamma = step.f32(Gamma, p);
    if (group == 0) {
      copy(statistics, step.f32(Saved, p), 2 * g.groups);
      copy(gamma, step.f32(Saved, p) + 2 * g.groups, g.C);
    }
    normalise_group(g, group, step.f32(X, p), statistics[group], inverse(statistics[g.groups + group], eps), gamma,
                    step.f32(Beta, p), step.f32(Y, p));
  });
}

/** What a forward pass saved about one group. */
struct Saved {
  float mean;
  double inv;
  const float* gamma;
  LIMBECK_INLINE Saved(const Geometry& g, const float* saved, int64_t group, double eps)
      : mean(saved[g.mean(group)]), inv(inverse(saved[g.variance(group)], eps)), gamma(saved + g.gammas()) {}
};

void tangent(const Step& step, const Context& context) {
  enum { X, SavedX, XDot, GammaDot, BetaDot, YDot, SavedDot };
  const Geometry g(step);
  const double eps = step.constants[0];
  each_group(g, context, [&](int64_t p, int64_t group) {
    const float* x = step.f32(X, p);
    const float* x_dot = step.has(XDot) ? step.f32(XDot, p) : nullptr;
    const float* gamma_dot = step.f32(GammaDot, p);
    const float* beta_dot = step.f32(BetaDot, p);
    const Saved saved(g, step.f32(SavedX, p), group, eps);
    float* saved_dot = step.f32(SavedDot, p);
    float* y_dot = step.f32(YDot, p);
    const Vec m = broadcast(saved.mean);
    double sums[2] = {0, 0};  // of xDot and of (x - mean) xDot
    if (x_dot && !g.frozen) {
      g.each_map(group, [&](int64_t at, int64_t, int64_t) {
        reduce(g.map, sums, [&](int64_t i, int64_t n, Vec(&s)[2]) {
          const Vec v = get(x_dot + at + i, n);
          s[0] = s[0] + v;
          s[1] = fma(get(x + at + i, n) - m, v, s[1]);
        });
      });
    }
    const double mean = sums[0] / g.count, slope = saved.inv * sums[1] / g.count;
    saved_dot[g.mean(group)] = static_cast<float>(mean);
    saved_dot[g.variance(group)] = static_cast<float>(slope);
    if (g.copies(group)) copy(gamma_dot, saved_dot + g.gammas(), g.C);
    const Vec mean_dot = broadcast(static_cast<float>(mean));
    g.each_map(group, [&](int64_t at, int64_t, int64_t c) {
      const double scale = saved.gamma[c] * saved.inv;
      const Vec of_x = broadcast(static_cast<float>(saved.inv * gamma_dot[c] - scale * saved.inv * slope));
      const Vec of_x_dot = broadcast(static_cast<float>(scale)), shift = broadcast(beta_dot[c]);
      if (x_dot) {
        each_vector(g.map, [&](int64_t i, int64_t n) {
          const Vec rest = fma(get(x + at + i, n) - m, of_x, shift);
          put(y_dot + at + i, fma(get(x_dot + at + i, n) - mean_dot, of_x_dot, rest), n);
        });
      } else {
        each_vector(g.map,
                    [&](int64_t i, int64_t n) { put(y_dot + at + i, fma(get(x + at + i, n) - m, of_x, shift), n); });
      }
    });
  });
}

void backward(const Step& step, const Context& context) {
  enum { X, SavedX, YBar, XBar, Sums };
  const Geometry g(step);
  const double eps = step.constants[0];
  each_group(g, context, [&](int64_t p, int64_t group) {
    const float* x = step.f32(X, p);
    const float* y_bar = step.f32(YBar, p);
    const Saved saved(g, step.f32(SavedX, p), group, eps);
    float* x_bar = step.f32(XBar, p);
    float* sums = step.f32(Sums, p);
    const Vec m = broadcast(saved.mean);
    double mean = 0, slope = 0;  // of d and of d n
    g.each_map(group, [&](int64_t at, int64_t q, int64_t c) {
      double of[2] = {0, 0};
      reduce(g.map, of, [&](int64_t i, int64_t n, Vec(&s)[2]) {
        const Vec v = get(y_bar + at + i, n);
        s[0] = s[0] + v;
        s[1] = fma(get(x + at + i, n) - m, v, s[1]);
      });
      sums[g.gamma_sum(q)] = static_cast<float>(saved.inv * of[1]);
      sums[g.beta_sum(q)] = static_cast<float>(of[0]);
      mean += saved.gamma[c] * of[0];
      slope += saved.gamma[c] * saved.inv * of[1];
    });
    if (g.frozen) mean = slope = 0;
    const Vec of_x = broadcast(static_cast<float>(-saved.inv * saved.inv * slope / g.count));
    const Vec shift = broadcast(static_cast<float>(-saved.inv * mean / g.count));
    g.each_map(group, [&](int64_t at, int64_t, int64_t c) {
      const Vec scale = broadcast(static_cast<float>(saved.gamma[c] * saved.inv));
      each_vector(g.map, [&](int64_t i, int64_t n) {
        const Vec rest = fma(get(x + at + i, n) - m, of_x, shift);
        put(x_bar + at + i, fma(get(y_bar + at + i, n), scale, rest), n);
      });
    });
  });
}

/** One group of the tangent of `backward`; instantiated for what is there. */
template <bool HasXDot, bool HasYBarDot>
LIMBECK_INLINE void tangent_backward_of(const Step& step, const Geometry& g, int64_t p, int64_t group) {
  enum { X, SavedX, YBar, XDot, SavedDot, YBarDot, XBarDot, SumsDot };
  const float* x = step.f32(X, p);
  const float* y_bar = step.f32(YBar, p);
  const float* x_dot = step.f32(XDot, p);
  const float* y_bar_dot = step.f32(YBarDot, p);
  const float* saved_dot = step.f32(SavedDot, p);
  const float* gamma_dot = saved_dot + g.gammas();
  const Saved saved(g, step.f32(SavedX, p), group, step.constants[0]);
  float* x_bar_dot = step.f32(XBarDot, p);
  float* sums_dot = step.f32(SumsDot, p);
  const double inv = saved.inv;
  // nDot = inv (xDot - mean - (x - mean of x) kappa)
  const double kappa = inv * saved_dot[g.variance(group)];
  const Vec m = broadcast(saved.mean), mean_of_x_dot = broadcast(saved_dot[g.mean(group)]);
  const Vec steep = broadcast(static_cast<float>(kappa));
  double mean = 0, slope = 0, mean_dot = 0, slope_dot = 0;  // sums of d, d n, dDot, dDot n + d nDot
  g.each_map(group, [&](int64_t at, int64_t q, int64_t c) {
    double of[4] = {0, 0, 0, 0};  // with n / inv for n: yBar, yBar n, yBarDot, yBarDot n + yBar nDot
    reduce(g.map, of, [&](int64_t i, int64_t n, Vec(&s)[4]) {
      const Vec centred = get(x + at + i, n) - m, bar = get(y_bar + at + i, n);
      s[0] = s[0] + bar;
      s[1] = fma(centred, bar, s[1]);
      if constexpr (HasYBarDot) {
        const Vec bar_dot = get(y_bar_dot + at + i, n);
        s[2] = s[2] + bar_dot;
        s[3] = fma(centred, bar_dot, s[3]);
      }
      if constexpr (HasXDot) {
        const Vec change = get(x_dot + at + i, n) - mean_of_x_dot - centred * steep;
        s[3] = fma(change, bar, s[3]);
      }
    });
    sums_dot[g.gamma_sum(q)] = static_cast<float>(inv * of[3]);
    sums_dot[g.beta_sum(q)] = static_cast<float>(of[2]);
    mean += saved.gamma[c] * of[0];
    slope += saved.gamma[c] * inv * of[1];
    mean_dot += gamma_dot[c] * of[0] + saved.gamma[c] * of[2];
    slope_dot += inv * (gamma_dot[c] * of[1] + saved.gamma[c] * of[3]);
  });
  const double share = g.frozen ? 0 : inv / g.count;
  const Vec of_x = broadcast(static_cast<float>(share * inv * (2 * kappa * slope - slope_dot)));
  const Vec of_x_dot = broadcast(static_cast<float>(-share * inv * slope));
  const Vec shift = broadcast(static_cast<float>(share * (kappa * mean - mean_dot)));
  g.each_map(group, [&](int64_t at, int64_t, int64_t c) {
    const Vec of_bar = broadcast(static_cast<float>(inv * (gamma_dot[c] - kappa * saved.gamma[c])));
    const Vec of_bar_dot = broadcast(static_cast<float>(inv * saved.gamma[c]));
    each_vector(g.map, [&](int64_t i, int64_t n) {
      Vec value = fma(get(x + at + i, n) - m, of_x, shift);
      value = fma(get(y_bar + at + i, n), of_bar, value);
      if constexpr (HasXDot) value = fma(get(x_dot + at + i, n) - mean_of_x_dot, of_x_dot, value);
      if constexpr (HasYBarDot) value = fma(get(y_bar_dot + at + i, n), of_bar_dot, value);
      put(x_bar_dot + at + i, value, n);
    });
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { X, SavedX, YBar, XDot, SavedDot, YBarDot };
  const Geometry g(step);
  const bool x_dot = step.has(XDot), y_bar_dot = step.has(YBarDot);
  each_group(g, context, [&](int64_t p, int64_t group) {
    if (x_dot && y_bar_dot) {
      tangent_backward_of<true, true>(step, g, p, group);
    } else if (x_dot) {
      tangent_backward_of<true, false>(step, g, p, group);
    } else if (y_bar_dot) {
      tangent_backward_of<false, true>(step, g, p, group);
    } else {
      tangent_backward_of<false, false>(step, g, p, group);
    }
  });
}

const char* wrong_sizes(const Step& step, int64_t parts) {
  const int64_t* s = step.sizes;  // P A S B L C map frozen
  if (s[4] % s[6] != 0) return "groups of whole maps: map divides L";
  if (parts == 0) return nullptr;
  // Every channel of every image is a group of its own, and a strip finds its own by its place.
  const int64_t total = step.place.total, channels = step.place.channels;
  const bool planes = s[1] * s[3] == parts && s[2] == 1 && s[4] == s[6] && s[3] == s[5];
  return planes && (parts == total ? s[5] == channels : s[5] <= channels) ? nullptr : "as many groups as planes are cut";
}

#define SIZES {"P", "A", "S", "B", "L", "C", "map", "frozen"}

const Kernel kernels[] = {
    {"norm.forward",
     {"x[A S B L]", "gamma[C]", "beta[C]", "y[A S B L]", "saved[2*A*B+C]"},
     SIZES, {"eps"}, forward, nullptr, wrong_sizes},
    {"norm.forwardFrozen",
     {"x[A S B L]", "statistics[2 A B]", "gamma[C]", "beta[C]", "y[A S B L]", "saved[2*A*B+C]"},
     SIZES, {"eps"}, forward_frozen, nullptr, wrong_sizes},
    {"norm.tangent",
     {"x[A S B L]", "saved[2*A*B+C]", "xDot?[A S B L]", "gammaDot[C]", "betaDot[C]", "yDot[A S B L]",
      "savedDot[2*A*B+C]"},
     SIZES, {"eps"}, tangent, nullptr, wrong_sizes},
    {"norm.backward",
     {"x[A S B L]", "saved[2*A*B+C]", "yBar[A S B L]", "xBar[A S B L]", "sums[2 A S B L/map]"},
     SIZES, {"eps"}, backward, nullptr, wrong_sizes},
    {"norm.tangentBackward",
     {"x[A S B L]", "saved[2*A*B+C]", "yBar[A S B L]", "xDot?[A S B L]", "savedDot[2*A*B+C]", "yBarDot?[A S B L]",
      "xBarDot[A S B L]", "sumsDot[2 A S B L/map]"},
     SIZES, {"eps"}, tangent_backward, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(norm, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
