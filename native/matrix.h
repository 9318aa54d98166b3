#pragma once
#include "parallel.h"

/**
 * The one routine in float64, for preparing data: c += transpose(a) b, with a `[depth, m]`, b `[depth, n]`, c `[m, n]`,
 * rows of each one after the other. Each sum runs over the depth in order, whatever the number of threads. Where the
 * product is known to be symmetric (a covariance, or one of matrices that commute), only half of it is computed.
 */
namespace limbeck {

struct MatrixProduct {
  const double* a;
  const double* b;
  double* c;
  int64_t depth;
  int64_t m;
  int64_t n;
  bool symmetric;
};

/** `scratch` has room for `matrix_scratch` doubles. */
using MatrixProductFunction = void (*)(Pool& pool, const MatrixProduct& product, double* scratch);

/** Enough on any instruction set. */
inline int64_t matrix_scratch(int64_t m, int64_t n) { return (m + n + 64) * 256; }

}  // namespace limbeck
