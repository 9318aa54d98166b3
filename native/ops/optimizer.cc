#include <cmath>
#include <limits>

#include "../chunks.h"

/** SGD, and what all optimisers share: pointwise, cut by elements. */
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

void clip(const Step& step, const Context&) {
  enum { SquaredNorm, Scale };
  const double limit = step.constants[0];
  for (int64_t p = 0; p < step.sizes[0]; p++) {
    const double norm = sqrt(static_cast<double>(step.f32(SquaredNorm, p)[0]));
    step.f32(Scale, p)[0] = norm > limit ? static_cast<float>(limit / norm) : 1;
  }
}

void trust(const Step& step, const Context&) {
  enum { SquaredNorm, SquaredStep, Scale };
  for (int64_t p = 0; p < step.sizes[0]; p++) {
    const double norm = step.f32(SquaredNorm, p)[0], moved = step.f32(SquaredStep, p)[0];
    step.f32(Scale, p)[0] = norm == 0 || moved == 0 ? 1 : static_cast<float>(sqrt(norm / moved));
  }
}

void clip_by_average(const Step& step, const Context&) {
  enum { SquaredNorm, Average, Scale };
  const double factor = step.constants[0], decay = step.constants[1];
  for (int64_t p = 0; p < step.sizes[0]; p++) {
    const double norm = sqrt(static_cast<double>(step.f32(SquaredNorm, p)[0]));
    float* average = step.f32(Average, p);
    const double total = average[0], weight = average[1];
    // norm > factor total / weight, without a division by a weight of 0.
    const bool clips = weight > 0 && norm * weight > factor * total;
    const double clipped = clips ? factor * total / weight : norm;
    step.f32(Scale, p)[0] = static_cast<float>(clips ? clipped / norm : 1);
    // One that is infinite, or no number, says nothing about those to come.
    if (!(norm <= std::numeric_limits<double>::max())) continue;
    average[0] = static_cast<float>(decay * total + (1 - decay) * clipped);
    average[1] = static_cast<float>(decay * weight + (1 - decay));
  }
}

const Kernel kernels[] = {
    {"optimizer.sgd", {"theta[M]", "g[M]", "rate[1]", "out[M]"}, {"P", "M"}, {"decay"}, sgd, nullptr},
    {"optimizer.adjoint",
     {"lambda[M]", "hv[M]", "v[M]", "rate[1]", "out[M]"},
     {"P", "M"}, {"decay", "shrink"}, adjoint, nullptr},
    {"optimizer.clip", {"squaredNorm[1]", "scale[1]"}, {"P"}, {"limit"}, clip, nullptr},
    {"optimizer.trust", {"squaredNorm[1]", "squaredStep[1]", "scale[1]"}, {"P"}, {}, trust, nullptr},
    {"optimizer.clipByAverage",
     {"squaredNorm[1]", "average[2]", "scale[1]"},
     {"P"}, {"factor", "decay"}, clip_by_average, nullptr},
};

}  // namespace

LIMBECK_KERNELS(optimizer, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
