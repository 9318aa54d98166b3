#include <cmath>

#include "../chunks.h"

/**
 * Vectors made orthonormal one after the other, a member at a time, in scratch memory where they lie one behind the other and
 * end in zeros. Sums of products are added up in blocks, block sums in double.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kBlock = 1024;

/** a and b of `length` elements, a multiple of kLanes. */
LIMBECK_INLINE double inner_product(const float* a, const float* b, int64_t length) {
  double total = 0;
  for (int64_t block = 0; block < length; block += kBlock) {
    Vec sum_of_block = zero();
    for (int64_t k = block; k < min(block + kBlock, length); k += kLanes)
      sum_of_block = fma(load(a + k), load(b + k), sum_of_block);
    total += sum(sum_of_block);
  }
  return total;
}

int64_t padded(const Step& step) { return round_up(step.sizes[2], kLanes); }

Workspace workspace(const Step& step) {
  return {0, step.sizes[1] * padded(step) * static_cast<int64_t>(sizeof(float))};
}

void in_place(const Step& step, const Context& context) {
  const int64_t P = step.sizes[0], vectors = step.sizes[1], length = step.sizes[2], next = step.sizes[3];
  const int64_t along = step.sizes[4], row = padded(step);
  const float gain = static_cast<float>(step.constants[0]);
  context.pool.each(P, [&](int64_t p, int worker) {
    float* w = step.f32(0, p);
    float* scratch = context.worker_as<float>(worker);
    for (int64_t i = 0; i < vectors; i++)
      for (int64_t k = 0; k < row; k++) scratch[i * row + k] = k < length ? w[i * next + k * along] : 0;
    for (int64_t i = 0; i < vectors; i++) {
      float* own = scratch + i * row;
      for (int64_t round = 0; round < 2 * i; round++) {
        const float* other = scratch + round % i * row;
        const Vec part = broadcast(static_cast<float>(-inner_product(own, other, row)));
        for (int64_t k = 0; k < row; k += kLanes) store(own + k, fma(part, load(other + k), load(own + k)));
      }
      const Vec norm = broadcast(static_cast<float>(std::sqrt(inner_product(own, own, row))));
      for (int64_t k = 0; k < row; k += kLanes) store(own + k, load(own + k) / norm);
    }
    for (int64_t i = 0; i < vectors; i++)
      for (int64_t k = 0; k < length; k++) w[i * next + k * along] = gain * scratch[i * row + k];
  });
}

const char* wrong_sizes(const Step& step, int64_t) {
  const int64_t vectors = step.sizes[1], length = step.sizes[2], next = step.sizes[3], along = step.sizes[4];
  const bool rows = next == length && along == 1, columns = next == 1 && along == vectors;
  return rows || columns ? nullptr : "next and along of rows (length, 1) or of columns (1, vectors)";
}

const Kernel kernels[] = {
    {"orthonormalise.inPlace",
     {"w[vectors length]"},
     {"P", "vectors", "length", "next", "along"}, {"gain"}, in_place, workspace, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(orthonormalise, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
