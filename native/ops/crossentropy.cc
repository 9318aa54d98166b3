#include <cmath>

#include "../chunks.h"

/**
 * Softmax cross-entropy with soft labels: a row of K at a time, sums over a row in double; cut by members and rows.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Calls body(member, row) for every row of every member; a chunk is a block of rows of one member. */
template <class F>
LIMBECK_INLINE void each_row(const Step& step, const Context& context, F&& body) {
  const int64_t P = step.sizes[0], N = step.sizes[1], K = step.sizes[2];
  constexpr int64_t elements = 1024;  // exponentials are expensive
  const bool alone = P * N * K <= 2 * elements;
  const int64_t pieces = alone ? 1 : min(N, max(1, N * K / elements));
  each_chunk(context, alone, P * pieces, [&](int64_t chunk, int) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    for (int64_t n = N * piece / pieces; n < N * (piece + 1) / pieces; n++) body(p, n);
  });
}

void forward(const Step& step, const Context& context) {
  enum { Z, Y, LogP, Losses };
  const int64_t K = step.sizes[2];
  each_row(step, context, [&](int64_t p, int64_t n) {
    const float* z = step.f32(Z, p) + n * K;
    const float* y = step.f32(Y, p) + n * K;
    float* logp = step.f32(LogP, p) + n * K;
    float largest = -HUGE_VALF;
    for (int64_t k = 0; k < K; k++)
      if (z[k] > largest) largest = z[k];
    double sum = 0;
    for (int64_t k = 0; k < K; k++) sum += expf(z[k] - largest);
    const double log_sum = largest + log(sum);
    double loss = 0;
    for (int64_t k = 0; k < K; k++) {
      const double value = z[k] - log_sum;
      logp[k] = static_cast<float>(value);
      loss -= y[k] * value;
    }
    step.f32(Losses, p)[n] = static_cast<float>(loss);
  });
}

void backward(const Step& step, const Context& context) {
  enum { LogP, Y, ZBar };
  const int64_t K = step.sizes[2];
  const float scale = static_cast<float>(step.constants[0]);
  each_row(step, context, [&](int64_t p, int64_t n) {
    const float* logp = step.f32(LogP, p) + n * K;
    const float* y = step.f32(Y, p) + n * K;
    float* z_bar = step.f32(ZBar, p) + n * K;
    double total = 0;
    for (int64_t k = 0; k < K; k++) total += y[k];
    const float weight = static_cast<float>(total);
    for (int64_t k = 0; k < K; k++) z_bar[k] = scale * (expf(logp[k]) * weight - y[k]);
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { LogP, Y, ZDot, ZBarDot, YBarDot };
  const int64_t K = step.sizes[2];
  const double scale = step.constants[0];
  each_row(step, context, [&](int64_t p, int64_t n) {
    const float* logp = step.f32(LogP, p) + n * K;
    const float* y = step.f32(Y, p) + n * K;
    const float* z_dot = step.f32(ZDot, p) + n * K;
    float* z_bar_dot = step.f32(ZBarDot, p) + n * K;
    float* y_bar_dot = step.f32(YBarDot, p) + n * K;
    double total = 0, mean = 0;
    for (int64_t k = 0; k < K; k++) {
      total += y[k];
      mean += static_cast<double>(expf(logp[k])) * z_dot[k];
    }
    for (int64_t k = 0; k < K; k++) {
      const double centred = z_dot[k] - mean;
      z_bar_dot[k] = static_cast<float>(scale * total * expf(logp[k]) * centred);
      y_bar_dot[k] = static_cast<float>(-scale * centred);
    }
  });
}

const Kernel kernels[] = {
    {"crossentropy.forward", {"z[N K]", "y[N K]", "logp[N K]", "losses[N]"}, {"P", "N", "K"}, {}, forward, nullptr},
    {"crossentropy.backward", {"logp[N K]", "y[N K]", "zBar[N K]"}, {"P", "N", "K"}, {"scale"}, backward, nullptr},
    {"crossentropy.tangentBackward",
     {"logp[N K]", "y[N K]", "zDot[N K]", "zBarDot[N K]", "yBarDot[N K]"},
     {"P", "N", "K"}, {"scale"}, tangent_backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(crossentropy, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
