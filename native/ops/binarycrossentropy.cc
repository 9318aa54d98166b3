#include <cmath>

#include "../chunks.h"

/** Binary cross-entropy of logits: rows for the losses, pointwise derivatives, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

LIMBECK_INLINE float sigma(float z) { return 1 / (1 + expf(-z)); }

void forward(const Step& step, const Context& context) {
  enum { Z, Y, Losses };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  each_range(context, P, N, [&](int64_t p, int64_t from, int64_t to) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* losses = step.f32(Losses, p);
    for (int64_t n = from; n < to; n++) {
      double total = 0;
      // log1p of exp(-|z|): nothing overflows, and small values keep their digits.
      for (int64_t i = n * K; i < (n + 1) * K; i++)
        total += static_cast<double>(z[i] < 0 ? 0 : z[i]) - static_cast<double>(y[i]) * z[i] + log1pf(expf(-fabsf(z[i])));
      losses[n] = static_cast<float>(total / K);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { Z, Y, ZBar };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const float scale = static_cast<float>(step.constants[0] / K);
  each_range(context, P, N * K, [&](int64_t p, int64_t from, int64_t to) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* z_bar = step.f32(ZBar, p);
    for (int64_t i = from; i < to; i++) z_bar[i] = scale * (sigma(z[i]) - y[i]);
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { Z, ZDot, ZBarDot, YBarDot };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const float scale = static_cast<float>(step.constants[0] / K);
  each_range(context, P, N * K, [&](int64_t p, int64_t from, int64_t to) {
    const float* z = step.f32(Z, p);
    const float* z_dot = step.f32(ZDot, p);
    float* z_bar_dot = step.f32(ZBarDot, p);
    float* y_bar_dot = step.f32(YBarDot, p);
    for (int64_t i = from; i < to; i++) {
      // The complement as sigma(-z): 1 - sigma(z) has no digits left for large z.
      z_bar_dot[i] = scale * sigma(z[i]) * sigma(-z[i]) * z_dot[i];
      y_bar_dot[i] = -scale * z_dot[i];
    }
  });
}

const Kernel kernels[] = {
    {"binarycrossentropy.forward", {"z[N K]", "y[N K]", "losses[N]"}, {"P", "N", "K"}, {}, forward, nullptr},
    {"binarycrossentropy.backward", {"z[N K]", "y[N K]", "zBar[N K]"}, {"P", "N", "K"}, {"scale"}, backward, nullptr},
    {"binarycrossentropy.tangentBackward",
     {"z[N K]", "zDot[N K]", "zBarDot[N K]", "yBarDot[N K]"},
     {"P", "N", "K"}, {"scale"}, tangent_backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(binarycrossentropy, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
