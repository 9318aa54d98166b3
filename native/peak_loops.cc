#include "peak.h"
#include "simd.h"

namespace limbeck {
namespace LIMBECK_ISA {

namespace {

/** As many accumulators as the register tiles have: enough to hide the latency of each. */
float multiply_add(int64_t rounds) {
  Vec sums[kAccumulators];
  // Kept in registers, so that the compiler cannot know their values.
  LIMBECK_UNROLL
  for (int i = 0; i < kAccumulators; i++) sums[i] = keep(broadcast(static_cast<float>(i)));
  const Vec factor = keep(broadcast(-1.0f)), term = keep(broadcast(1.0f));
  for (int64_t round = 0; round < rounds; round++) {
    // 1 - s, and s again in the next round: exact, however often.
    LIMBECK_UNROLL
    for (int i = 0; i < kAccumulators; i++) sums[i] = fma(sums[i], factor, term);
  }
  Vec total = zero();
  LIMBECK_UNROLL
  for (int i = 0; i < kAccumulators; i++) total = total + sums[i];
  return sum(total);
}

float read(const float* from, int64_t count) {
  constexpr int kSums = 8;
  Vec sums[kSums];
  LIMBECK_UNROLL
  for (int i = 0; i < kSums; i++) sums[i] = zero();
  for (int64_t at = 0; at < count; at += kSums * kLanes) {
    LIMBECK_UNROLL
    for (int i = 0; i < kSums; i++) sums[i] = sums[i] + load(from + at + i * kLanes);
  }
  Vec total = zero();
  LIMBECK_UNROLL
  for (int i = 0; i < kSums; i++) total = total + sums[i];
  return sum(total);
}

}  // namespace

extern const PeakLoops peak_loops;
const PeakLoops peak_loops = {2 * kAccumulators * kLanes, multiply_add, kLanes * kAccumulators * (kAccumulators - 1) / 2,
                              read};

}  // namespace LIMBECK_ISA
}  // namespace limbeck
