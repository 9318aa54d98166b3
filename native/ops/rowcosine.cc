#include <cmath>

#include "../chunks.h"
#include "../sums.h"

/**
 * Cosine distances of rows. Short rows are chunks of several; a long one is cut into pieces, whose three sums are added in
 * order before the pieces of its gradient are written.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Sums {
  double xx, tt, xt;
};

/** xBar = by_x x + by_target target. */
struct Factors {
  float by_x, by_target;
};

LIMBECK_INLINE Sums sums_of(const float* x, const float* target, int64_t from, int64_t to) {
  return {dot_blocks(x, x, from, to), dot_blocks(target, target, from, to), dot_blocks(x, target, from, to)};
}

LIMBECK_INLINE Factors finish(const Sums& sums, double epsilon, float* loss) {
  const double x = std::sqrt(sums.xx), target = std::sqrt(sums.tt);
  const double d = x * target + epsilon;
  *loss = static_cast<float>(1 - sums.xt / d);
  return {x > 0 ? static_cast<float>(sums.xt / x * (target / d) / d) : 0.0f, static_cast<float>(-1 / d)};
}

LIMBECK_INLINE void write(const Factors& by, const float* x, const float* target, float* x_bar, int64_t from, int64_t to) {
  for (int64_t i = from; i < to; i++) x_bar[i] = by.by_x * x[i] + by.by_target * target[i];
}

void match(const Step& step, const Context& context) {
  enum { X, Target, Losses, XBar };
  const int64_t P = step.sizes[0], R = step.sizes[1], L = step.sizes[2];
  const double epsilon = step.constants[0];
  const int64_t pieces = ceil_div(L, kPiece);
  const auto at = [&](int operand, int64_t row) { return step.f32(operand, row / R) + row % R * L; };
  const auto loss_of = [&](int64_t row) { return step.f32(Losses, row / R) + row % R; };
  if (pieces == 1) {
    const int64_t together = max(1, kElements / L);
    context.pool.each(ceil_div(P * R, together), [&](int64_t chunk, int) {
      for (int64_t row = chunk * together; row < min((chunk + 1) * together, P * R); row++) {
        const float *x = at(X, row), *target = at(Target, row);
        write(finish(sums_of(x, target, 0, L), epsilon, loss_of(row)), x, target, at(XBar, row), 0, L);
      }
    });
    return;
  }
  Sums* partial = context.shared_as<Sums>();
  context.pool.each(P * R * pieces, [&](int64_t chunk, int) {
    const int64_t row = chunk / pieces, from = chunk % pieces * kPiece;
    partial[chunk] = sums_of(at(X, row), at(Target, row), from, min(from + kPiece, L));
  });
  for (int64_t row = 0; row < P * R; row++) {
    Sums total = partial[row * pieces];
    for (int64_t i = 1; i < pieces; i++) {
      const Sums& piece = partial[row * pieces + i];
      total = {total.xx + piece.xx, total.tt + piece.tt, total.xt + piece.xt};
    }
    const Factors by = finish(total, epsilon, loss_of(row));
    context.pool.each(pieces, [&](int64_t piece, int) {
      const int64_t from = piece * kPiece;
      write(by, at(X, row), at(Target, row), at(XBar, row), from, min(from + kPiece, L));
    });
  }
}

Workspace match_workspace(const Step& step) {
  const int64_t pieces = ceil_div(step.sizes[2], kPiece);
  return {pieces == 1 ? 0 : step.sizes[0] * step.sizes[1] * pieces * static_cast<int64_t>(sizeof(Sums)), 0};
}

const Kernel kernels[] = {
    {"rowcosine.match",
     {"x[R L]", "target[R L]", "losses[R]", "xBar[R L]"},
     {"P", "R", "L"}, {"epsilon"}, match, match_workspace},
};

}  // namespace

LIMBECK_KERNELS(rowcosine, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
