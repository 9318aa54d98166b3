#include "../chunks.h"

/** Factors of columns, by rows; products of columns, cut by columns and added up row by row, in blocks of rows. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kStrip = 256;
constexpr int64_t kRows = 64;

void scale(const Step& step, const Context& context) {
  enum { X, Gain, Out };
  const int64_t P = step.sizes[0], R = step.sizes[1], L = step.sizes[2];
  each_range(context, P * R, L, [&](int64_t row, int64_t from, int64_t to) {
    const int64_t p = row / R, start = row % R * L;
    const float *x = step.f32(X, p) + start, *gain = step.f32(Gain, p);
    float* out = step.f32(Out, p) + start;
    for (int64_t i = from; i < to; i++) out[i] = gain[i] * x[i];
  });
}

void dot(const Step& step, const Context& context) {
  enum { A, B, Out };
  const int64_t P = step.sizes[0], R = step.sizes[1], L = step.sizes[2];
  const int64_t strips = ceil_div(L, kStrip);
  each_chunk(context, P * R * L <= 2 * kElements, P * strips, [&](int64_t chunk, int) {
    const int64_t p = chunk / strips, from = chunk % strips * kStrip, length = min(kStrip, L - from);
    const float *a = step.f32(A, p) + from, *b = step.f32(B, p) + from;
    float whole[kStrip] = {};
    for (int64_t first = 0; first < R; first += kRows) {
      float block[kStrip] = {};
      for (int64_t r = first; r < min(first + kRows, R); r++)
        for (int64_t i = 0; i < length; i++) block[i] += a[r * L + i] * b[r * L + i];
      for (int64_t i = 0; i < length; i++) whole[i] += block[i];
    }
    float* out = step.f32(Out, p) + from;
    for (int64_t i = 0; i < length; i++) out[i] = whole[i];
  });
}

const Kernel kernels[] = {
    {"columns.scale", {"x[R L]", "gain[L]", "out[R L]"}, {"P", "R", "L"}, {}, scale, nullptr},
    {"columns.dot", {"a[R L]", "b[R L]", "out[L]"}, {"P", "R", "L"}, {}, dot, nullptr},
};

}  // namespace

LIMBECK_KERNELS(columns, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
