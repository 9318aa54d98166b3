#pragma once
#include <cstring>

#include "chunks.h"
#include "tiles.h"

/**
 * How a convolution is laid out in scratch memory, so that it becomes a matrix product without a matrix of patches.
 *
 * A padded map is cut into stride x stride *phase planes*: padded pixel (h, w) is pixel (h / stride, w / stride) of
 * plane (h % stride, w % stride). Within planes every convolution has stride 1: tap (kh, kw) of output (oh, ow) is at
 * flat position oh * width + ow + shift(kh, kw) of one plane, where `width` is that of a plane. Dilation only moves the
 * taps. A convolution in groups is one after another of C and OC channels each, on its own piece of an image. Along
 * t = oh * width + ow each tap is one contiguous run of floats. A few positions t between the rows of the output belong
 * to no pixel: loops that run through them need zeros there in the other operand.
 */
namespace limbeck {
namespace LIMBECK_ISA {

struct Convolution {
  int64_t P, N, G, C, H, W, OC, KH, KW, OH, OW, stride, padding, dilation;  // C and OC are channels of one group
  int64_t reach_h, reach_w;  // how far taps reach within a plane
  int64_t width, height;     // of a plane
  int64_t plane;             // its floats
  int64_t phases;            // planes of a map
  int64_t taps;              // of one input channel
  int64_t positions;         // flat positions of an output map, without the gap after its last row

  explicit Convolution(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        G(step.sizes[12]),
        C(step.sizes[2] / G),
        H(step.sizes[3]),
        W(step.sizes[4]),
        OC(step.sizes[5] / G),
        KH(step.sizes[6]),
        KW(step.sizes[7]),
        OH(step.sizes[8]),
        OW(step.sizes[9]),
        stride(step.sizes[10]),
        padding(step.sizes[11]),
        dilation(step.sizes[13]),
        reach_h((KH - 1) * dilation / stride),
        reach_w((KW - 1) * dilation / stride),
        width(OW + reach_w),
        height(OH + reach_h),
        plane(height * width),
        phases(stride * stride),
        taps(KH * KW),
        positions(OH * width - reach_w) {}

  /** Without padding and strides a padded image is the image itself. */
  LIMBECK_INLINE bool as_is() const { return padding == 0 && stride == 1; }
  LIMBECK_INLINE int64_t work() const { return N * G * OC * OH * OW * C * taps; }
  /** Where tap (kh, kw) is within its phase plane, and which plane that is. */
  LIMBECK_INLINE int64_t shift(int64_t kh, int64_t kw) const {
    return kh * dilation / stride * width + kw * dilation / stride;
  }
  LIMBECK_INLINE int64_t phase(int64_t kh, int64_t kw) const {
    return kh * dilation % stride * stride + kw * dilation % stride;
  }
  /** The taps of one axis in a phase: the first (K or more if there is none) and how far it is to the next. */
  LIMBECK_INLINE int64_t first_tap(int64_t phase, int64_t K) const {
    int64_t k = 0;
    while (k < min(K, stride) && k * dilation % stride != phase) k++;
    return k < min(K, stride) ? k : K;
  }
  LIMBECK_INLINE int64_t tap_step() const {
    int64_t k = 1;
    while (k * dilation % stride != 0) k++;
    return k;
  }
  /** Floats of the group of an image that a convolution reads and of the one that it writes. */
  LIMBECK_INLINE int64_t x_size() const { return C * H * W; }
  LIMBECK_INLINE int64_t y_size() const { return OC * OH * OW; }

  /** Floats of a padded image; vectors may be read up to kLanes beyond the last plane. */
  LIMBECK_INLINE int64_t padded_size() const { return round_up(C * phases * plane + kLanes, 16); }

  /** Where tap (c, kh, kw) of position 0 is in a padded image. */
  LIMBECK_INLINE int64_t tap(int64_t c, int64_t kh, int64_t kw) const {
    return (c * phases + phase(kh, kw)) * plane + shift(kh, kw);
  }
};

LIMBECK_INLINE void zero_floats(float* p, int64_t n) { memset(p, 0, static_cast<size_t>(n) * sizeof(float)); }

/** Copies n floats, inline since rows are short; the last vector may overlap the one before. */
LIMBECK_INLINE void copy_row(float* to, const float* from, int64_t n) {
  if (n < kLanes) {
    store_partial(to, load_partial(from, n), n);
    return;
  }
  for (int64_t i = 0; i < n - kLanes; i += kLanes) store(to + i, load(from + i));
  store(to + n - kLanes, load(from + n - kLanes));
}

/** Every second float of row, beginning at 0 or 1, n of them; `length` may be read. */
LIMBECK_INLINE void copy_every_second(float* to, const float* row, int64_t first, int64_t n, int64_t length) {
  int64_t i = 0;
  for (; i + kLanes <= n && 2 * (i + kLanes) <= length; i += kLanes) {
    const Vec low = load(row + 2 * i), high = load(row + 2 * i + kLanes);
    store(to + i, first == 0 ? evens(low, high) : odds(low, high));
  }
  for (; i < n; i++) to[i] = row[first + 2 * i];
}

/** Writes the pixels of image x `[C, H, W]` into a padded image whose border is filled already. */
template <class Geometry>
inline void pad_image(const Geometry& g, const float* x, float* padded) {
  for (int64_t c = 0; c < g.C; c++) {
    for (int64_t h = 0; h < g.H; h++) {
      const float* row = x + (c * g.H + h) * g.W;
      const int64_t ph = h + g.padding;
      if (ph / g.stride >= g.height) continue;  // below the last window
      float* planes = padded + (c * g.stride * g.stride + ph % g.stride * g.stride) * g.plane + ph / g.stride * g.width;
      if (g.stride == 1) {
        copy_row(planes + g.padding, row, g.W);
      } else {
        for (int64_t w = 0; w < min(g.stride, g.W); w++) {  // the first pixel of each phase
          const int64_t column = (w + g.padding) / g.stride;
          const int64_t n = min(ceil_div(g.W - w, g.stride), g.width - column);
          float* to = planes + (w + g.padding) % g.stride * g.plane + column;
          if (g.stride == 2) {
            copy_every_second(to, row, w, n, g.W);
          } else {
            for (int64_t i = 0; i < n; i++) to[i] = row[w + i * g.stride];
          }
        }
      }
    }
  }
}

/** Writes maps y `[OC, OH, OW]` at plane width, `size` floats a map; the gaps are zero already. */
inline void spread_maps(const Convolution& g, const float* y, float* spread, int64_t size) {
  for (int64_t oc = 0; oc < g.OC; oc++)
    for (int64_t oh = 0; oh < g.OH; oh++)
      copy_row(spread + oc * size + oh * g.width, y + (oc * g.OH + oh) * g.OW, g.OW);
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
