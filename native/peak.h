#pragma once
#include "parallel.h"

/**
 * The processor's peak rates, measured on the spot: kernels are compared with them. The loops (peak_loops.cc) are
 * compiled once per instruction set, the measuring (peak.cc) once.
 */
namespace limbeck {

/** Loops that do one thing only. Their results are checked, so the compiler cannot leave the work out. */
struct PeakLoops {
  int64_t flops;  // of one round
  /** An even number of rounds of multiply-adds in registers; the sum of the accumulators, `multiply_add_result`. */
  float (*multiply_add)(int64_t rounds);
  float multiply_add_result;
  /** The sum of `count` numbers, a multiple of 128. */
  float (*read)(const float* from, int64_t count);
};

/** Per second, by one thread and by all of them. */
struct Peak {
  double flops[2];
  double bytes[2];
};

/**
 * Takes less than a second; `buffer` has `bytes` bytes, a multiple of 1 MiB: more than the caches hold. Throws when a
 * loop computes something wrong.
 */
Peak measure_peak(Pool& pool, const PeakLoops& loops, float* buffer, int64_t bytes);

}  // namespace limbeck
