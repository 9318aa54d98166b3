#include "../chunks.h"
#include "../sums.h"

/** Sums in a fixed order: pieces of long vectors (sums.h), then the pieces one after the other, in double. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Reduces every member by piece(member, from, to) and hands the total to finish(member, total). */
template <class Piece, class Finish>
LIMBECK_INLINE void each_member(const Step& step, const Context& context, Piece&& piece, Finish&& finish) {
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const int64_t pieces = ceil_div(M, kPiece);
  double* partial = context.shared_as<double>();
  each_chunk(context, P * M <= 2 * kPiece, P * pieces, [&](int64_t chunk, int) {
    const int64_t from = chunk % pieces * kPiece;
    partial[chunk] = piece(chunk / pieces, from, min(from + kPiece, M));
  });
  for (int64_t p = 0; p < P; p++) {
    double total = 0;
    for (int64_t i = 0; i < pieces; i++) total += partial[p * pieces + i];
    finish(p, total);
  }
}

Workspace reduce_workspace(const Step& step) {
  return {step.sizes[0] * ceil_div(step.sizes[1], kPiece) * static_cast<int64_t>(sizeof(double)), 0};
}

void dot(const Step& step, const Context& context) {
  enum { A, B, Out };
  each_member(
      step, context,
      [&](int64_t p, int64_t from, int64_t to) {
        const float* a = step.f32(A, p);
        const float* b = step.f32(B, p);
        return dot_blocks(a, b, from, to);
      },
      [&](int64_t p, double total) {
        float* out = step.f32(Out, p);
        out[0] = static_cast<float>((step.accumulate ? out[0] : 0.0) + total);
      });
}

void sum_all(const Step& step, const Context& context) {
  enum { X, Out };
  const double factor = step.constants[0];
  each_member(
      step, context,
      [&](int64_t p, int64_t from, int64_t to) {
        const float* x = step.f32(X, p);
        return sum_blocks(from, to, [&](int64_t i, int64_t n, Vec sum) {
          return sum + get(x + i, n);
        });
      },
      [&](int64_t p, double total) {
        float* out = step.f32(Out, p);
        out[0] = static_cast<float>((step.accumulate ? out[0] : 0.0) + factor * total);
      });
}

/** Sum over the population: element by element, members in order. */
void members(const Step& step, const Context& context) {
  enum { X, Scale, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1];
  const float by = static_cast<float>(step.constants[0] * (step.has(Scale) ? step.f32(Scale, 0)[0] : 1.0));
  float* out = step.f32(Out, 0);
  const auto range = [&](int64_t from, int64_t to) {
    constexpr int64_t strip = 512;
    float sums[strip];
    for (int64_t start = from; start < to; start += strip) {
      const int64_t n = min(strip, to - start);
      const float* first = step.f32(X, 0) + start;
      for (int64_t i = 0; i < n; i++) sums[i] = first[i];
      for (int64_t p = 1; p < P; p++) {
        const float* x = step.f32(X, p) + start;
        for (int64_t i = 0; i < n; i++) sums[i] += x[i];
      }
      if (step.accumulate) {
        for (int64_t i = 0; i < n; i++) out[start + i] += by * sums[i];
      } else {
        for (int64_t i = 0; i < n; i++) out[start + i] = by * sums[i];
      }
    }
  };
  const int64_t piece = max(512, kElements / P / 512 * 512);
  if (P * M <= 2 * kElements) {
    range(0, M);
  } else {
    context.pool.each(ceil_div(M, piece), [&](int64_t chunk, int) { range(chunk * piece, min((chunk + 1) * piece, M)); });
  }
}

const Kernel kernels[] = {
    {"reduce.dot", {"a[M]", "b[M]", "out[1]"}, {"P", "M"}, {}, dot, reduce_workspace},
    {"reduce.sum", {"x[M]", "out[1]"}, {"P", "M"}, {"factor"}, sum_all, reduce_workspace},
    {"reduce.members", {"x[M]", "scale?[1]", "out[M]"}, {"P", "M"}, {"factor"}, members, nullptr},
};

}  // namespace

LIMBECK_KERNELS(reduce, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
