#include "../chunks.h"

/** Rectifier and its mask: one pass over memory, vectorised by the compiler, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    float* y = step.f32(Y, p);
    // Not a maximum instruction: a NaN must stay NaN.
    for (int64_t i = from; i < to; i++) y[i] = x[i] < 0 ? 0 : x[i];
  });
}

void mask(const Step& step, const Context& context) {
  enum { Y, U, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* y = step.f32(Y, p);
    const float* u = step.f32(U, p);
    float* out = step.f32(Out, p);
    int64_t i = from;
    for (; i + kLanes <= to; i += kLanes) store(out + i, select(load(y + i) > zero(), load(u + i), zero()));
    for (; i < to; i++) out[i] = y[i] > 0 ? u[i] : 0;
  });
}

const Kernel kernels[] = {
    {"relu.forward", {"x[M]", "y[M]"}, {"P", "M"}, {}, forward, nullptr},
    {"relu.mask", {"y[M]", "u[M]", "out[M]"}, {"P", "M"}, {}, mask, nullptr},
};

}  // namespace

LIMBECK_KERNELS(relu, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
