#include "../chunks.h"

/** Answers by class: a member on one thread (a row takes some ten comparisons). */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

LIMBECK_INLINE int64_t first_largest(const float* row, int64_t K) {
  int64_t best = 0;
  for (int64_t k = 1; k < K; k++)
    if (row[k] > row[best]) best = k;
  return best;
}

void confusion(const Step& step, const Context& context) {
  enum { Z, Y, Counts };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  each_chunk(context, P * N * K <= 2 * kElements, P, [&](int64_t p, int) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* counts = step.f32(Counts, p);
    if (!step.accumulate)
      for (int64_t k = 0; k < K * K; k++) counts[k] = 0;
    for (int64_t n = 0; n < N; n++)
      counts[first_largest(y + n * K, K) * K + first_largest(z + n * K, K)] += 1;
  });
}

const Kernel kernels[] = {
    {"accuracy.confusion", {"z[N K]", "y[N K]", "counts[K K]"}, {"P", "N", "K"}, {}, confusion, nullptr},
};

}  // namespace

LIMBECK_KERNELS(accuracy, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
