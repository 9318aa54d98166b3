#include "../chunks.h"

/** Right answers: rows are compared on one thread (10 comparisons each), counts are whole numbers. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

LIMBECK_INLINE int64_t first_largest(const float* row, int64_t K) {
  int64_t best = 0;
  for (int64_t k = 1; k < K; k++)
    if (row[k] > row[best]) best = k;
  return best;
}

void count(const Step& step, const Context& context) {
  enum { Z, Y, Correct };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const auto member = [&](int64_t p, int) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* correct = step.f32(Correct, p);
    int64_t count = 0;
    for (int64_t n = 0; n < N; n++) count += first_largest(z + n * K, K) == first_largest(y + n * K, K);
    correct[0] = (step.accumulate ? correct[0] : 0) + static_cast<float>(count);
  };
  if (P * N * K <= 2 * kElements) {
    for (int64_t p = 0; p < P; p++) member(p, 0);
  } else {
    context.pool.each(P, member);
  }
}

void by_class(const Step& step, const Context& context) {
  enum { Z, Y, Correct };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const auto member = [&](int64_t p, int) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* correct = step.f32(Correct, p);
    if (!step.accumulate)
      for (int64_t k = 0; k < K; k++) correct[k] = 0;
    for (int64_t n = 0; n < N; n++) {
      const int64_t label = first_largest(y + n * K, K);
      if (first_largest(z + n * K, K) == label) correct[label] += 1;
    }
  };
  if (P * N * K <= 2 * kElements) {
    for (int64_t p = 0; p < P; p++) member(p, 0);
  } else {
    context.pool.each(P, member);
  }
}

const Kernel kernels[] = {
    {"accuracy.count", {"z", "y", "correct"}, {"P", "N", "K"}, {}, count, nullptr},
    {"accuracy.byClass", {"z", "y", "correct"}, {"P", "N", "K"}, {}, by_class, nullptr},
};

}  // namespace

LIMBECK_KERNELS(accuracy, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
