#include <cmath>

#include "../chunks.h"

/** Optimiser steps: pointwise, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void sgd(const Step& step, const Context& context) {
  enum { Theta, G, Rate, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float decay = static_cast<float>(step.constants[0]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* theta = step.f32(Theta, p);
    const float* g = step.f32(G, p);
    const float rate = step.f32(Rate, p)[0];
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) out[i] = theta[i] - rate * (g[i] + decay * theta[i]);
  });
}

void adjoint(const Step& step, const Context& context) {
  enum { Lambda, Hv, V, Rate, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float decay = static_cast<float>(step.constants[0]), shrink = static_cast<float>(step.constants[1]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* lambda = step.f32(Lambda, p);
    const float* hv = step.f32(Hv, p);
    const float* v = step.f32(V, p);
    const float keep = 1 - step.f32(Rate, p)[0] * shrink;
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) out[i] = keep * lambda[i] + hv[i] + decay * v[i];
  });
}

void adam(const Step& step, const Context& context) {
  enum { G, Scale, Schedule, State, Theta, Mean, Square };
  const int64_t P = step.sizes[0], M = step.sizes[1], rows = step.sizes[2];
  // The complements are taken in double: 1 - 0.999 has lost four digits in float.
  const float beta1 = static_cast<float>(step.constants[0]), beta2 = static_cast<float>(step.constants[1]);
  const float rest1 = static_cast<float>(1 - step.constants[0]), rest2 = static_cast<float>(1 - step.constants[1]);
  const float epsilon = static_cast<float>(step.constants[2]);
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
      const float mean = beta1 * m[i] + rest1 * gradient;
      const float square = beta2 * s[i] + rest2 * gradient * gradient;
      m[i] = mean;
      s[i] = square;
      theta[i] -= rate * mean / (sqrtf(square) * correction + epsilon);
    }
  });
}

void momentum_in_place(const Step& step, const Context& context) {
  enum { G, Schedule, State, Theta, Velocity };
  const int64_t P = step.sizes[0], M = step.sizes[1], rows = step.sizes[2];
  const float momentum = static_cast<float>(step.constants[0]), decay = static_cast<float>(step.constants[1]);
  const float rate = step.f32(Schedule, 0)[2 * min(step.u32(State, 0)[2], rows - 1)];
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* g = step.f32(G, p);
    float* theta = step.f32(Theta, p);
    float* v = step.f32(Velocity, p);
    for (int64_t i = from; i < to; i++) {
      const float velocity = momentum * v[i] + g[i] + decay * theta[i];
      v[i] = velocity;
      theta[i] -= rate * velocity;
    }
  });
}

void clip(const Step& step, const Context&) {
  enum { SquaredNorm, Scale };
  const double limit = step.constants[0];
  for (int64_t p = 0; p < step.sizes[0]; p++) {
    const double norm = sqrt(static_cast<double>(step.f32(SquaredNorm, p)[0]));
    step.f32(Scale, p)[0] = norm > limit ? static_cast<float>(limit / norm) : 1;
  }
}

const Kernel kernels[] = {
    {"optimizer.sgd", {"theta", "g", "rate", "out"}, {"P", "M"}, {"decay"}, sgd, nullptr},
    {"optimizer.adjoint",
     {"lambda", "hv", "v", "rate", "out"},
     {"P", "M"},
     {"decay", "shrink"},
     adjoint,
     nullptr},
    {"optimizer.adam",
     {"g", "scale", "schedule", "state", "theta", "m", "s"},
     {"P", "M", "rows"},
     {"beta1", "beta2", "epsilon"},
     adam,
     nullptr},
    {"optimizer.momentumInPlace",
     {"g", "schedule", "state", "theta", "v"},
     {"P", "M", "rows"},
     {"momentum", "weightDecay"},
     momentum_in_place,
     nullptr},
    {"optimizer.clip", {"squaredNorm", "scale"}, {"P"}, {"limit"}, clip, nullptr},
};

}  // namespace

LIMBECK_KERNELS(optimizer, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
