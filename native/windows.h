#pragma once
#include "kernel.h"

/** The geometry of windows that move over a map: convolutions and pooling. */
namespace limbeck {
namespace LIMBECK_ISA {

/** Along one axis: a window of `extent` pixels, moved by `stride` over `size` pixels and the padding on both sides. */
struct WindowAxis {
  int64_t size, extent, stride, padding, output;
  LIMBECK_INLINE bool fits() const {
    constexpr int64_t most = 65535;  // of padding and stride: their products stay far from the largest integer
    return extent >= 1 && stride >= 1 && stride <= most && padding <= most && size + 2 * padding >= extent &&
           output == (size + 2 * padding - extent) / stride + 1;
  }
};

constexpr const char* kWrongWindows =
    "maps of (size + 2 padding - extent) / stride + 1 outputs along both axes, with the extent dilation (kernel - 1) + 1 of the "
    "kernel, stride and padding at most 65535";

/** Of the sizes of a convolution: P N C H W OC KH KW OH OW stride padding G dilation. */
LIMBECK_INLINE const char* wrong_convolution_sizes(const Step& step) {
  const int64_t* s = step.sizes;
  const int64_t G = s[12], dilation = s[13];
  if (G < 1 || s[2] % G != 0 || s[5] % G != 0) return "groups G that divide the channels C and OC";
  const WindowAxis rows{s[3], dilation * (s[6] - 1) + 1, s[10], s[11], s[8]};
  const WindowAxis columns{s[4], dilation * (s[7] - 1) + 1, s[10], s[11], s[9]};
  return dilation >= 1 && rows.fits() && columns.fits() ? nullptr : kWrongWindows;
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
