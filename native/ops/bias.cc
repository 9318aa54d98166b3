#include "../chunks.h"

/**
 * Gradient of a bias. The batch is cut by its shape; a chunk adds up its rows (a map in float vectors, maps in double),
 * and the chunks' sums are added in order.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Cut {
  int64_t pieces;  // of the batch of one member
  bool alone;      // too little to share
};

LIMBECK_INLINE Cut cut(const Step& step) {
  const int64_t P = step.sizes[0], N = step.sizes[1], C = step.sizes[2], S = step.sizes[3];
  const int64_t work = N * C * S;
  return {min(N, max(1, min(64, work / kElements))), P * work <= 2 * kElements};
}

LIMBECK_INLINE double map_sum(const float* y, int64_t S) {
  Vec sums[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= S; i += 4 * kLanes) {
    LIMBECK_UNROLL
    for (int j = 0; j < 4; j++) sums[j] = sums[j] + load(y + i + j * kLanes);
  }
  for (; i + kLanes <= S; i += kLanes) sums[0] = sums[0] + load(y + i);
  if (i < S) sums[1] = sums[1] + load_partial(y + i, S - i);
  return sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void backward(const Step& step, const Context& context) {
  enum { YBar, BBar };
  const int64_t P = step.sizes[0], N = step.sizes[1], C = step.sizes[2], S = step.sizes[3];
  const Cut c = cut(step);
  double* partial = context.shared_as<double>();
  each_chunk(context, c.alone, P * c.pieces, [&](int64_t chunk, int) {
    const int64_t piece = chunk % c.pieces;
    const float* y_bar = step.f32(YBar, chunk / c.pieces);
    double* sums = partial + chunk * C;
    for (int64_t i = 0; i < C; i++) sums[i] = 0;
    for (int64_t n = N * piece / c.pieces; n < N * (piece + 1) / c.pieces; n++) {
      const float* row = y_bar + n * C * S;
      if (S == 1) {
        for (int64_t i = 0; i < C; i++) sums[i] += row[i];
      } else {
        for (int64_t i = 0; i < C; i++) sums[i] += map_sum(row + i * S, S);
      }
    }
  });
  for (int64_t p = 0; p < P; p++) {
    float* b_bar = step.f32(BBar, p);
    for (int64_t i = 0; i < C; i++) {
      double total = step.accumulate ? b_bar[i] : 0.0;
      for (int64_t piece = 0; piece < c.pieces; piece++) total += partial[(p * c.pieces + piece) * C + i];
      b_bar[i] = static_cast<float>(total);
    }
  }
}

Workspace workspace(const Step& step) {
  return {step.sizes[0] * cut(step).pieces * step.sizes[2] * static_cast<int64_t>(sizeof(double)), 0};
}

const Kernel kernels[] = {
    {"bias.backward", {"yBar[N C S]", "bBar[C]"}, {"P", "N", "C", "S"}, {}, backward, workspace},
};

}  // namespace

LIMBECK_KERNELS(bias, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
