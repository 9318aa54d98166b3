#include <cmath>
#include <limits>

#include "../chunks.h"

/**
 * Cholesky factors and solutions with them, a member at a time, in double: what is solved with them may be nearly singular, and a
 * sum of differences loses digits that float has not. Only results are rounded to float.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Rows that are subtracted from each later one while it is in the cache. */
constexpr int64_t kRows = 32;

/** own -= factor other, elements from .. to - 1. */
LIMBECK_INLINE void subtract(double* __restrict own, const double* __restrict other, double factor, int64_t from,
                             int64_t to) {
  for (int64_t j = from; j < to; j++) own[j] -= factor * other[j];
}

/** Row k of u becomes that of the transposed factor, from the diagonal on; what is left of the later rows is theirs. */
LIMBECK_INLINE void factor_in_place(double* u, int64_t n) {
  for (int64_t first = 0; first < n; first += kRows) {
    const int64_t end = min(first + kRows, n);
    for (int64_t k = first; k < end; k++) {
      double* row = u + k * n;
      const double pivot = row[k] > 0 ? std::sqrt(row[k]) : std::numeric_limits<double>::quiet_NaN();
      row[k] = pivot;
      for (int64_t j = k + 1; j < n; j++) row[j] /= pivot;
      for (int64_t i = k + 1; i < end; i++) subtract(u + i * n, row, row[i], i, n);
    }
    for (int64_t i = end; i < n; i++)
      for (int64_t k = first; k < end; k++) subtract(u + i * n, u + k * n, u[k * n + i], i, n);
  }
}

Workspace factor_workspace(const Step& step) {
  return {0, step.sizes[1] * step.sizes[1] * static_cast<int64_t>(sizeof(double))};
}

void factor(const Step& step, const Context& context) {
  enum { A, L };
  const int64_t P = step.sizes[0], n = step.sizes[1];
  const double ridge = step.constants[0];
  context.pool.each(P, [&](int64_t p, int worker) {
    const float* a = step.f32(A, p);
    float* l = step.f32(L, p);
    double* u = context.worker_as<double>(worker);
    double trace = 0;
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = i; j < n; j++) u[i * n + j] = a[i * n + j];
      trace += u[i * n + i];
    }
    for (int64_t i = 0; i < n; i++) u[i * n + i] += ridge * trace / static_cast<double>(n);
    factor_in_place(u, n);
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = i; j < n; j++) l[i * n + j] = l[j * n + i] = static_cast<float>(u[i * n + j]);
  });
}

Workspace solve_workspace(const Step& step) {
  return {0, step.sizes[1] * step.sizes[2] * static_cast<int64_t>(sizeof(double))};
}

void solve(const Step& step, const Context& context) {
  enum { L, B, X };
  const int64_t P = step.sizes[0], n = step.sizes[1], K = step.sizes[2];
  context.pool.each(P, [&](int64_t p, int worker) {
    const float* l = step.f32(L, p);
    const float* b = step.f32(B, p);
    float* x = step.f32(X, p);
    double* rows = context.worker_as<double>(worker);
    for (int64_t i = 0; i < n * K; i++) rows[i] = b[i];
    const auto finish = [&](int64_t i, int64_t from, int64_t to) {
      for (int64_t j = from; j < to; j++) subtract(rows + i * K, rows + j * K, l[i * n + j], 0, K);
      for (int64_t k = 0; k < K; k++) rows[i * K + k] /= l[i * n + i];
    };
    for (int64_t i = 0; i < n; i++) finish(i, 0, i);
    for (int64_t i = n; i-- > 0;) finish(i, i + 1, n);
    for (int64_t i = 0; i < n * K; i++) x[i] = static_cast<float>(rows[i]);
  });
}

const Kernel kernels[] = {
    {"cholesky.factor", {"a[n n]", "l[n n]"}, {"P", "n"}, {"ridge"}, factor, factor_workspace},
    {"cholesky.solve", {"l[n n]", "b[n K]", "x[n K]"}, {"P", "n", "K"}, {}, solve, solve_workspace},
};

}  // namespace

LIMBECK_KERNELS(cholesky, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
