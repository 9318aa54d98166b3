#include <cmath>

#include "../chunks.h"

/** Adam, its adjoint, and a step in place: pointwise, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** The constants all kernels declare first; complements are taken in double: 1 - 0.999 has lost four digits in float. */
struct Constants {
  float beta1, beta2, rest1, rest2, epsilon;

  LIMBECK_INLINE explicit Constants(const Step& step)
      : beta1(static_cast<float>(step.constants[0])),
        beta2(static_cast<float>(step.constants[1])),
        rest1(static_cast<float>(1 - step.constants[0])),
        rest2(static_cast<float>(1 - step.constants[1])),
        epsilon(static_cast<float>(step.constants[2])) {}

  /** The running means of gradients and of their squares after one more. */
  LIMBECK_INLINE float mean(float before, float d) const { return beta1 * before + rest1 * d; }
  LIMBECK_INLINE float square(float before, float d) const { return beta2 * before + rest2 * d * d; }
};

void step_forward(const Step& step, const Context& context) {
  enum { Theta, G, Moments, Rate, Next, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const bool decoupled = step.sizes[2] != 0;
  const Constants k(step);
  const float decay = static_cast<float>(step.constants[3]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* theta = step.f32(Theta, p);
    const float* g = step.f32(G, p);
    const float* m = step.f32(Moments, p);
    const float* s = m + M + 1;
    const float rate = step.f32(Rate, p)[0];
    float* m_next = step.f32(Next, p);
    float* s_next = m_next + M + 1;
    float* out = step.f32(Out, p);
    // Behind the moments, the same running means of ones.
    const float c1 = k.mean(m[M], 1), c2 = k.square(s[M], 1);
    if (to == M) {
      m_next[M] = c1;
      s_next[M] = c2;
    }
    for (int64_t i = from; i < to; i++) {
      const float penalty = decay * theta[i];
      const float d = decoupled ? g[i] : g[i] + penalty;
      const float mean = k.mean(m[i], d), square = k.square(s[i], d);
      m_next[i] = mean;
      s_next[i] = square;
      const float a = mean / c1 / (sqrtf(square / c2) + k.epsilon);
      out[i] = theta[i] - rate * (decoupled ? a + penalty : a);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { Theta, G, Next, Rate, Lambda, V, Direction, MomentsBar };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const bool decoupled = step.sizes[2] != 0;
  const Constants k(step);
  const float decay = static_cast<float>(step.constants[3]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* theta = step.f32(Theta, p);
    const float* g = step.f32(G, p);
    const float* m = step.f32(Next, p);
    const float* s = m + M + 1;
    const float rate = step.f32(Rate, p)[0];
    const float* lambda = step.f32(Lambda, p);
    float* v = step.f32(V, p);
    float* direction = step.f32(Direction, p);
    float* m_bar = step.f32(MomentsBar, p);
    float* s_bar = m_bar + M;
    const float c1 = m[M], c2 = s[M];
    for (int64_t i = from; i < to; i++) {
      const float penalty = decay * theta[i];
      const float d = decoupled ? g[i] : g[i] + penalty;
      const float q = sqrtf(s[i] / c2);
      const float a = m[i] / c1 / (q + k.epsilon);
      const float moved = -rate * lambda[i] / (q + k.epsilon);
      const float mean = m_bar[i] + moved / c1;
      // q = 0: nothing but zeros so far, and the limit of this is 0.
      const float square = s_bar[i] - (q == 0 ? 0 : moved * a / (2 * q * c2));
      v[i] = k.rest1 * mean + 2 * k.rest2 * d * square;
      direction[i] = decoupled ? a + penalty : a;
      m_bar[i] = k.beta1 * mean;
      s_bar[i] = k.beta2 * square;
    }
  });
}

void in_place(const Step& step, const Context& context) {
  enum { G, Scale, Schedule, State, Theta, Mean, Square };
  const int64_t P = step.sizes[0], M = step.sizes[1], rows = step.sizes[2];
  const Constants k(step);
  const int64_t row = min(step.u32(State, 0)[2], rows - 1);
  const float rate = step.f32(Schedule, 0)[2 * row], correction = step.f32(Schedule, 0)[2 * row + 1];
  const float scale = step.has(Scale) ? step.f32(Scale, 0)[0] : 1;
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* g = step.f32(G, p);
    float* theta = step.f32(Theta, p);
    float* m = step.f32(Mean, p);
    float* s = step.f32(Square, p);
    for (int64_t i = from; i < to; i++) {
      const float gradient = scale * g[i];
      const float mean = k.mean(m[i], gradient), square = k.square(s[i], gradient);
      m[i] = mean;
      s[i] = square;
      theta[i] -= rate * mean / (sqrtf(square) * correction + k.epsilon);
    }
  });
}

const Kernel kernels[] = {
    {"adam.step",
     {"theta[M]", "g[M]", "moments[2 M+1]", "rate[1]", "next[2 M+1]", "out[M]"},
     {"P", "M", "decoupled"}, {"beta1", "beta2", "epsilon", "decay"}, step_forward, nullptr},
    {"adam.backward",
     {"theta[M]", "g[M]", "next[2 M+1]", "rate[1]", "lambda[M]", "v[M]", "direction[M]", "momentsBar[2 M]"},
     {"P", "M", "decoupled"}, {"beta1", "beta2", "epsilon", "decay"}, backward, nullptr},
    {"adam.inPlace",
     {"g[M]", "scale?[1]", "schedule[rows 2]", "state[4]", "theta[M]", "m[M]", "s[M]"},
     {"P", "M", "rows"}, {"beta1", "beta2", "epsilon"}, in_place, nullptr},
};

}  // namespace

LIMBECK_KERNELS(adam, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
