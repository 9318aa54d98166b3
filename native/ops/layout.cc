#include <cstring>

#include "../chunks.h"
#include "../transpose.h"

/** The same numbers in another order: by rows, or square by square in registers where a row is one number. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

LIMBECK_INLINE void copy(float* to, const float* from, int64_t count) {
  memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

/** Calls body(member, from, to) for pieces of `rows` rows of `row` floats of every member. */
template <class F>
LIMBECK_INLINE void each_rows(const Context& context, int64_t P, int64_t rows, int64_t row, F&& body) {
  const int64_t pieces = min(rows, max(1, rows * row / kElements));
  each_chunk(context, P * rows * row <= 2 * kElements, P * pieces, [&](int64_t chunk, int) {
    const int64_t piece = chunk % pieces;
    body(chunk / pieces, rows * piece / pieces, rows * (piece + 1) / pieces);
  });
}

void swap(const Step& step, const Context& context) {
  enum { X, Out };
  const int64_t P = step.sizes[0], A = step.sizes[1], B = step.sizes[2], S = step.sizes[3];
  each_rows(context, P, A, B * S, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    float* out = step.f32(Out, p);
    if (S == 1) {
      each_column(x + from * B, B, to - from, B, [&](int64_t b, int64_t a, Vec values, int64_t n) {
        put(out + b * A + from + a, values, n);
      });
      return;
    }
    for (int64_t a = from; a < to; a++)
      for (int64_t b = 0; b < B; b++) copy(out + (b * A + a) * S, x + (a * B + b) * S, S);
  });
}

void join(const Step& step, const Context& context) {
  enum { First, Second, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1], A = step.sizes[2], B = step.sizes[3];
  each_rows(context, P, M, A + B, [&](int64_t p, int64_t from, int64_t to) {
    for (int64_t m = from; m < to; m++) {
      float* out = step.f32(Out, p) + m * (A + B);
      copy(out, step.f32(First, p) + m * A, A);
      copy(out + A, step.f32(Second, p) + m * B, B);
    }
  });
}

void split(const Step& step, const Context& context) {
  enum { X, First, Second };
  const int64_t P = step.sizes[0], M = step.sizes[1], A = step.sizes[2], B = step.sizes[3];
  each_rows(context, P, M, A + B, [&](int64_t p, int64_t from, int64_t to) {
    for (int64_t m = from; m < to; m++) {
      const float* x = step.f32(X, p) + m * (A + B);
      copy(step.f32(First, p) + m * A, x, A);
      copy(step.f32(Second, p) + m * B, x + A, B);
    }
  });
}

const Kernel kernels[] = {
    {"layout.swap", {"x[A B S]", "out[B A S]"}, {"P", "A", "B", "S"}, {}, swap, nullptr},
    {"layout.join", {"a[M A]", "b[M B]", "out[M A+B]"}, {"P", "M", "A", "B"}, {}, join, nullptr},
    {"layout.split", {"x[M A+B]", "a[M A]", "b[M B]"}, {"P", "M", "A", "B"}, {}, split, nullptr},
};

}  // namespace

LIMBECK_KERNELS(layout, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
