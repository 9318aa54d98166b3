#include "../chunks.h"

/** Squared error of logits: rows for the losses, pointwise derivatives, cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void forward(const Step& step, const Context& context) {
  enum { Z, Y, Losses };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  each_range(context, P, N, [&](int64_t p, int64_t from, int64_t to) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* losses = step.f32(Losses, p);
    for (int64_t n = from; n < to; n++) {
      double total = 0;
      for (int64_t i = n * K; i < (n + 1) * K; i++) {
        const double difference = static_cast<double>(z[i]) - y[i];
        total += difference * difference;
      }
      losses[n] = static_cast<float>(total / K);
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { Z, Y, ZBar };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const float scale = static_cast<float>(2 * step.constants[0] / K);
  each_range(context, P, N * K, [&](int64_t p, int64_t from, int64_t to) {
    const float* z = step.f32(Z, p);
    const float* y = step.f32(Y, p);
    float* z_bar = step.f32(ZBar, p);
    for (int64_t i = from; i < to; i++) z_bar[i] = scale * (z[i] - y[i]);
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { ZDot, ZBarDot, YBarDot };
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  const float scale = static_cast<float>(2 * step.constants[0] / K);
  each_range(context, P, N * K, [&](int64_t p, int64_t from, int64_t to) {
    const float* z_dot = step.f32(ZDot, p);
    float* z_bar_dot = step.f32(ZBarDot, p);
    float* y_bar_dot = step.f32(YBarDot, p);
    for (int64_t i = from; i < to; i++) {
      const float value = scale * z_dot[i];
      z_bar_dot[i] = value;
      y_bar_dot[i] = -value;
    }
  });
}

const Kernel kernels[] = {
    {"squarederror.forward", {"z[N K]", "y[N K]", "losses[N]"}, {"P", "N", "K"}, {}, forward, nullptr},
    {"squarederror.backward", {"z[N K]", "y[N K]", "zBar[N K]"}, {"P", "N", "K"}, {"scale"}, backward, nullptr},
    {"squarederror.tangentBackward",
     {"zDot[N K]", "zBarDot[N K]", "yBarDot[N K]"},
     {"P", "N", "K"}, {"scale"}, tangent_backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(squarederror, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
