#include "../chunks.h"

/** SGD with momentum, its adjoint, and a step in place: pointwise, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void step_forward(const Step& step, const Context& context) {
  enum { Theta, G, U, Rate, UNext, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const bool nesterov = step.sizes[2] != 0;
  const float momentum = static_cast<float>(step.constants[0]), decay = static_cast<float>(step.constants[1]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* theta = step.f32(Theta, p);
    const float* g = step.f32(G, p);
    const float* u = step.f32(U, p);
    const float rate = step.f32(Rate, p)[0];
    float* u_next = step.f32(UNext, p);
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) {
      const float d = g[i] + decay * theta[i];
      const float next = momentum * u[i] + d;
      u_next[i] = next;
      out[i] = theta[i] - rate * (nesterov ? d + momentum * next : next);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { Lambda, Rate, V, UBar };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const bool nesterov = step.sizes[2] != 0;
  const float momentum = static_cast<float>(step.constants[0]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* lambda = step.f32(Lambda, p);
    const float rate = step.f32(Rate, p)[0];
    float* v = step.f32(V, p);
    float* u_bar = step.f32(UBar, p);
    for (int64_t i = from; i < to; i++) {
      const float moved = -rate * lambda[i];
      const float total = u_bar[i] + (nesterov ? momentum * moved : moved);
      v[i] = nesterov ? total + moved : total;
      u_bar[i] = momentum * total;
    }
  });
}

void in_place(const Step& step, const Context& context) {
  enum { G, Schedule, State, Theta, U };
  const int64_t P = step.sizes[0], M = step.sizes[1], rows = step.sizes[2];
  const float momentum = static_cast<float>(step.constants[0]), decay = static_cast<float>(step.constants[1]);
  const float rate = step.f32(Schedule, 0)[2 * min(step.u32(State, 0)[2], rows - 1)];
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* g = step.f32(G, p);
    float* theta = step.f32(Theta, p);
    float* u = step.f32(U, p);
    for (int64_t i = from; i < to; i++) {
      const float next = momentum * u[i] + g[i] + decay * theta[i];
      u[i] = next;
      theta[i] -= rate * next;
    }
  });
}

const Kernel kernels[] = {
    {"momentum.step",
     {"theta[M]", "g[M]", "u[M]", "rate[1]", "uNext[M]", "out[M]"},
     {"P", "M", "nesterov"}, {"momentum", "decay"}, step_forward, nullptr},
    {"momentum.backward",
     {"lambda[M]", "rate[1]", "v[M]", "uBar[M]"},
     {"P", "M", "nesterov"}, {"momentum"}, backward, nullptr},
    {"momentum.inPlace",
     {"g[M]", "schedule[rows 2]", "state[4]", "theta[M]", "u[M]"},
     {"P", "M", "rows"}, {"momentum", "decay"}, in_place, nullptr},
};

}  // namespace

LIMBECK_KERNELS(momentum, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
