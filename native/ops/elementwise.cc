#include "../chunks.h"

/** Pointwise arithmetic: one pass over memory, vectorised by the compiler, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void fill(const Step& step, const Context& context) {
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float value = static_cast<float>(step.constants[0]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    float* out = step.f32(0, p);
    for (int64_t i = from; i < to; i++) out[i] = value;
  });
}

void add(const Step& step, const Context& context) {
  enum { A, B, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float alpha = static_cast<float>(step.constants[0]), beta = static_cast<float>(step.constants[1]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* a = step.f32(A, p);
    const float* b = step.f32(B, p);
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) out[i] = alpha * a[i] + beta * b[i];
  });
}

void divide(const Step& step, const Context& context) {
  enum { X, By, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float alpha = static_cast<float>(step.constants[0]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    const float factor = alpha / step.f32(By, p)[0];
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) out[i] = factor * x[i];
  });
}

void sign(const Step& step, const Context& context) {
  enum { X, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    float* out = step.f32(Out, p);
    for (int64_t i = from; i < to; i++) out[i] = x[i] > 0 ? 1 : x[i] < 0 ? -1 : x[i];  // NaN stays what it is
  });
}

void average(const Step& step, const Context& context) {
  enum { X, Average };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float rate = static_cast<float>(1 - step.constants[0]);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    float* average = step.f32(Average, p);
    for (int64_t i = from; i < to; i++) average[i] += rate * (x[i] - average[i]);
  });
}

const Kernel kernels[] = {
    {"elementwise.fill", {"out[M]"}, {"P", "M"}, {"value"}, fill, nullptr},
    {"elementwise.add", {"a[M]", "b[M]", "out[M]"}, {"P", "M"}, {"alpha", "beta"}, add, nullptr},
    {"elementwise.divide", {"x[M]", "by[1]", "out[M]"}, {"P", "M"}, {"alpha"}, divide, nullptr},
    {"elementwise.sign", {"x[M]", "out[M]"}, {"P", "M"}, {}, sign, nullptr},
    {"elementwise.average", {"x[M]", "average[M]"}, {"P", "M"}, {"decay"}, average, nullptr},
};

}  // namespace

LIMBECK_KERNELS(elementwise, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
