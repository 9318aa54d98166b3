#include <cmath>

#include "../chunks.h"
#include "../sums.h"

/** Rows brought to one length, several short ones to a chunk. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Calls body(member, first element) for every row. */
template <class F>
LIMBECK_INLINE void each_row(const Step& step, const Context& context, F&& body) {
  const int64_t P = step.sizes[0], R = step.sizes[1], L = step.sizes[2];
  const int64_t together = max(1, kElements / L);
  each_chunk(context, P * R * L <= 2 * kElements, ceil_div(P * R, together), [&](int64_t chunk, int) {
    for (int64_t row = chunk * together; row < min((chunk + 1) * together, P * R); row++) body(row / R, row % R * L);
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const int64_t L = step.sizes[2];
  const double length = step.constants[0];
  each_row(step, context, [&](int64_t p, int64_t from) {
    const float* x = step.f32(X, p) + from;
    float* y = step.f32(Y, p) + from;
    const double squared = dot_blocks(x, x, 0, L);
    const float by = squared == 0 ? 0 : static_cast<float>(length / std::sqrt(squared));
    for (int64_t i = 0; i < L; i++) y[i] = by * x[i];
  });
}

void backward(const Step& step, const Context& context) {
  enum { X, YBar, XBar };
  const int64_t L = step.sizes[2];
  const double length = step.constants[0];
  each_row(step, context, [&](int64_t p, int64_t from) {
    const float *x = step.f32(X, p) + from, *y_bar = step.f32(YBar, p) + from;
    float* x_bar = step.f32(XBar, p) + from;
    const double squared = dot_blocks(x, x, 0, L);
    const float by = squared == 0 ? 0 : static_cast<float>(length / std::sqrt(squared));
    const float along = squared == 0 ? 0 : static_cast<float>(dot_blocks(x, y_bar, 0, L) / squared);
    for (int64_t i = 0; i < L; i++) x_bar[i] = by * (y_bar[i] - along * x[i]);
  });
}

const Kernel kernels[] = {
    {"unitrows.forward", {"x[R L]", "y[R L]"}, {"P", "R", "L"}, {"length"}, forward, nullptr},
    {"unitrows.backward", {"x[R L]", "yBar[R L]", "xBar[R L]"}, {"P", "R", "L"}, {"length"}, backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(unitrows, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
