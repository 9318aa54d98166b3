#include <cmath>

#include "../chunks.h"

/** Adam as an inner optimiser and its adjoint: pointwise, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** The constants both kernels declare; complements are taken in double: 1 - 0.999 has lost four digits in float. */
struct Constants {
  float beta1, beta2, rest1, rest2, epsilon, decay;

  LIMBECK_INLINE explicit Constants(const Step& step)
      : beta1(static_cast<float>(step.constants[0])),
        beta2(static_cast<float>(step.constants[1])),
        rest1(static_cast<float>(1 - step.constants[0])),
        rest2(static_cast<float>(1 - step.constants[1])),
        epsilon(static_cast<float>(step.constants[2])),
        decay(static_cast<float>(step.constants[3])) {}
};

void step_forward(const Step& step, const Context& context) {
  enum { Theta, G, Moments, Rate, Next, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const bool decoupled = step.sizes[2] != 0;
  const Constants k(step);
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
    const float c1 = k.beta1 * m[M] + k.rest1, c2 = k.beta2 * s[M] + k.rest2;
    if (to == M) {
      m_next[M] = c1;
      s_next[M] = c2;
    }
    for (int64_t i = from; i < to; i++) {
      const float penalty = k.decay * theta[i];
      const float d = decoupled ? g[i] : g[i] + penalty;
      const float mean = k.beta1 * m[i] + k.rest1 * d;
      const float square = k.beta2 * s[i] + k.rest2 * d * d;
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
      const float penalty = k.decay * theta[i];
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

const Kernel kernels[] = {
    {"adam.step",
     {"theta", "g", "moments", "rate", "next", "out"},
     {"P", "M", "decoupled"},
     {"beta1", "beta2", "epsilon", "decay"},
     step_forward,
     nullptr},
    {"adam.backward",
     {"theta", "g", "next", "rate", "lambda", "v", "direction", "momentsBar"},
     {"P", "M", "decoupled"},
     {"beta1", "beta2", "epsilon", "decay"},
     backward,
     nullptr},
};

}  // namespace

LIMBECK_KERNELS(adam, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
