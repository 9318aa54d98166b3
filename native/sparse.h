#pragma once
#include "convolution.h"
#include "transpose.h"

/**
 * Gradients of a convolution where most of y_bar is zero: behind max pooling, which hands each gradient to one position
 * of its window. Only what is not zero is looked at, so that a NaN or infinity in x or w does not come through where y_bar
 * is zero. The image lies with its channels side by side, so that the taps of a window are KH lines of KW * C neighbours:
 *
 *   to the weights  the line's vectors, times a value of y_bar, added up in registers over the values of one output channel
 *   to the input    lines of the weights, times the values at one position of y, added up in registers, then to the image
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** Values that are not zero, and a number for each. */
struct Nonzeros {
  float* values;
  int32_t* numbers;
  int64_t count;
};

/** Keeps what is not zero of n values, with the numbers in `table`. May read and write kLanes - 1 numbers beyond. */
LIMBECK_INLINE void find_nonzeros(Nonzeros& to, const float* values, int64_t n, const int32_t* table) {
  to.count = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec v = n - i >= kLanes ? load(values + i) : load_partial(values + i, n - i);
    const Ints numbers = load_ints(reinterpret_cast<const uint32_t*>(table + i));
    to.count += store_nonzeros(v, numbers, to.values + to.count, to.numbers + to.count);
  }
}

/** How the gradients are laid out; for one group, taps next to each other. */
struct Sparse {
  int64_t width, height;  // of the padded image
  int64_t line;           // floats of a line of it
  int64_t taps;           // floats of a line of taps
  int64_t vectors;        // of those

  explicit Sparse(const Convolution& g)
      : width(max(g.W + g.padding, (g.OW - 1) * g.stride + g.KW)),
        height(max(g.H + g.padding, (g.OH - 1) * g.stride + g.KH)),
        line(width * g.C),
        taps(g.KW * g.C),
        vectors(ceil_div(taps, kLanes)) {}

  LIMBECK_INLINE int64_t image_size() const { return round_up(height * line + kLanes, 16); }
  /** Floats of the taps of one output channel. */
  LIMBECK_INLINE int64_t window(const Convolution& g) const { return g.KH * vectors * kLanes; }
  /** Most values at a time, and room for a vector behind them. */
  LIMBECK_INLINE int64_t most(const Convolution& g) const { return round_up(max(g.OH * g.OW, g.OC), kLanes) + kLanes; }
  LIMBECK_INLINE int64_t scratch(const Convolution& g) const {
    return image_size() + g.OC * window(g) + 3 * most(g) + g.OH * g.OW * round_up(g.OC, kLanes);
  }

  /**
   * Whether it is less work than all positions: in vector operations, which here run at half the speed, with
   * `overhead` of them for each position. Decided by the beginning of the first image.
   */
  LIMBECK_INLINE bool pays(const Convolution& g, const float* y_bar, int64_t overhead) const {
    // Channels are turned by whole vectors, or by one of them.
    if (g.dilation != 1 || (g.C > kLanes && g.C % kLanes != 0)) return false;
    const int64_t sample = min(4096, g.y_size());
    int32_t nonzeros = 0;
    for (int64_t i = 0; i < sample; i++) nonzeros += y_bar[i] != 0;
    const int64_t here = 2 * nonzeros * g.KH * vectors + overhead * sample / g.OC;
    return here * kLanes <= sample * g.KH * taps;
  }
  LIMBECK_INLINE bool pays_for_weights(const Convolution& g, const float* y_bar) const { return pays(g, y_bar, 0); }
  LIMBECK_INLINE bool pays_for_input(const Convolution& g, const float* y_bar) const { return pays(g, y_bar, 24); }

  /** The image with its channels side by side; what is outside is zero already. */
  LIMBECK_INLINE void spread(const Convolution& g, const float* x, float* image) const {
    float* to = image + g.padding * (line + g.C);
    if (width == g.W) {
      transpose(x, g.H * g.W, g.C, g.H * g.W, to, g.C);
      return;
    }
    for (int64_t h = 0; h < g.H; h++, x += g.W, to += line) {
      if (g.C == 1) {
        copy_row(to, x, g.W);
      } else {
        transpose(x, g.H * g.W, g.C, g.W, to, g.C);
      }
    }
  }

  /** The pixels of an image back where they belong. */
  LIMBECK_INLINE void collect(const Convolution& g, const float* image, bool accumulate, float* x) const {
    const int64_t map = g.H * g.W, rows = width == g.W ? 1 : g.H, n = map / rows;
    for (int64_t h = 0; h < rows; h++) {
      const float* from = image + (h + g.padding) * line + g.padding * g.C;
      each_column(from, g.C, n, g.C, [&](int64_t c, int64_t i, Vec values, int64_t count) {
        float* to = x + c * map + h * n + i;
        store_partial(to, accumulate ? load_partial(to, count) + values : values, count);
      });
    }
  }
};

/** sums[r][v] += sum over the nonzeros of value * from[number + r * row + v]; the number times `scale`, the result every `to_row`. */
template <int Rows, int Vectors>
LIMBECK_INLINE void add_lines(const Nonzeros& nonzeros, const float* from, int64_t scale, int64_t row, float* to,
                              int64_t to_row) {
  Vec sums[Rows][Vectors];
  LIMBECK_UNROLL
  for (int r = 0; r < Rows; r++) {
    LIMBECK_UNROLL
    for (int v = 0; v < Vectors; v++) sums[r][v] = load(to + r * to_row + v * kLanes);
  }
  for (int64_t i = 0; i < nonzeros.count; i++) {
    const Vec value = broadcast(nonzeros.values[i]);
    const float* line = from + nonzeros.numbers[i] * scale;
    LIMBECK_UNROLL
    for (int r = 0; r < Rows; r++) {
      LIMBECK_UNROLL
      for (int v = 0; v < Vectors; v++) sums[r][v] = fma(value, load(line + r * row + v * kLanes), sums[r][v]);
    }
  }
  LIMBECK_UNROLL
  for (int r = 0; r < Rows; r++) {
    LIMBECK_UNROLL
    for (int v = 0; v < Vectors; v++) store(to + r * to_row + v * kLanes, sums[r][v]);
  }
}

/** All lines of a window, in tiles that stay in registers. */
template <int Vectors>
LIMBECK_INLINE void add_windows(const Nonzeros& nonzeros, const float* from, int64_t scale, int64_t row, int64_t lines,
                                float* to, int64_t to_row) {
  constexpr int most = kAccumulators / Vectors < 6 ? kAccumulators / Vectors : 6;
  for (int64_t first = 0; first < lines; first += most) {
    const float* a = from + first * row;
    float* c = to + first * to_row;
    switch (min(most, lines - first)) {
      case 1: add_lines<1, Vectors>(nonzeros, a, scale, row, c, to_row); break;
      case 2: add_lines<2, Vectors>(nonzeros, a, scale, row, c, to_row); break;
      case 3: add_lines<3, Vectors>(nonzeros, a, scale, row, c, to_row); break;
      case 4: if constexpr (most >= 4) add_lines<4, Vectors>(nonzeros, a, scale, row, c, to_row); break;
      case 5: if constexpr (most >= 5) add_lines<5, Vectors>(nonzeros, a, scale, row, c, to_row); break;
      default: if constexpr (most >= 6) add_lines<6, Vectors>(nonzeros, a, scale, row, c, to_row); break;
    }
  }
}

inline void add_all_windows(const Nonzeros& nonzeros, const float* from, int64_t scale, int64_t row, int64_t lines,
                            int64_t vectors, float* to, int64_t to_row) {
  for (int64_t v = 0; v < vectors; v += 4, from += 4 * kLanes, to += 4 * kLanes) {
    switch (vectors - v) {
      case 1: add_windows<1>(nonzeros, from, scale, row, lines, to, to_row); break;
      case 2: add_windows<2>(nonzeros, from, scale, row, lines, to, to_row); break;
      case 3: add_windows<3>(nonzeros, from, scale, row, lines, to, to_row); break;
      default: add_windows<4>(nonzeros, from, scale, row, lines, to, to_row); break;
    }
  }
}

/** total `[OC, C, KH, KW]` = the weight gradient of some images. */
inline void weights_by_nonzeros(const Convolution& g, const float* x, const float* y_bar, int64_t images, float* scratch,
                                float* total) {
  const Sparse s(g);
  const int64_t window = s.window(g), row = s.vectors * kLanes, map = g.OH * g.OW;
  float* image = scratch;
  float* sums = image + s.image_size();
  Nonzeros nonzeros{sums + g.OC * window, reinterpret_cast<int32_t*>(sums + g.OC * window + s.most(g)), 0};
  int32_t* table = nonzeros.numbers + s.most(g);  // where the window of each position is in the image
  for (int64_t oh = 0, position = 0; oh < g.OH; oh++)
    for (int64_t ow = 0; ow < g.OW; ow++)
      table[position++] = static_cast<int32_t>((oh * s.line + ow * g.C) * g.stride);
  zero_floats(image, s.image_size() + g.OC * window);
  for (int64_t n = 0; n < images; n++, x += g.G * g.x_size(), y_bar += g.G * g.y_size()) {
    s.spread(g, x, image);
    for (int64_t oc = 0; oc < g.OC; oc++) {
      find_nonzeros(nonzeros, y_bar + oc * map, map, table);
      add_all_windows(nonzeros, image, 1, s.line, g.KH, s.vectors, sums + oc * window, row);
    }
  }
  for (int64_t oc = 0; oc < g.OC; oc++, total += g.C * g.taps)
    for (int64_t kh = 0; kh < g.KH; kh++)
      each_column(sums + oc * window + kh * row, g.C, g.KW, g.C, [&](int64_t c, int64_t kw, Vec values, int64_t n) {
        store_partial(total + (c * g.KH + kh) * g.KW + kw, values, n);
      });
}

/** x_bar of some images, from weights `[OC, C, KH, KW]`. */
inline void input_by_nonzeros(const Convolution& g, const float* w, const float* y_bar, int64_t images, bool accumulate,
                              float* scratch, float* x_bar) {
  const Sparse s(g);
  const int64_t window = s.window(g), row = s.vectors * kLanes, map = g.OH * g.OW, channels = round_up(g.OC, kLanes);
  float* image = scratch;
  float* lines = image + s.image_size();
  Nonzeros nonzeros{lines + g.OC * window, reinterpret_cast<int32_t*>(lines + g.OC * window + s.most(g)), 0};
  int32_t* table = nonzeros.numbers + s.most(g);  // the output channels
  float* turned = reinterpret_cast<float*>(table + s.most(g));
  for (int64_t oc = 0; oc < channels; oc++) table[oc] = static_cast<int32_t>(oc);
  zero_floats(lines, g.OC * window);
  for (int64_t oc = 0; oc < g.OC; oc++, w += g.C * g.taps)
    for (int64_t kh = 0; kh < g.KH; kh++)
      each_column(w + kh * g.KW, g.taps, g.C, g.KW, [&](int64_t kw, int64_t c, Vec values, int64_t n) {
        store_partial(lines + oc * window + kh * row + kw * g.C + c, values, n);
      });
  for (int64_t n = 0; n < images; n++, x_bar += g.G * g.x_size(), y_bar += g.G * g.y_size()) {
    zero_floats(image, s.image_size());
    transpose(y_bar, map, g.OC, map, turned, channels);
    for (int64_t oh = 0, position = 0; oh < g.OH; oh++) {
      for (int64_t ow = 0; ow < g.OW; ow++, position++) {
        find_nonzeros(nonzeros, turned + position * channels, channels, table);
        if (nonzeros.count == 0) continue;
        add_all_windows(nonzeros, lines, window, row, g.KH, s.vectors, image + (oh * s.line + ow * g.C) * g.stride, s.line);
      }
    }
    s.collect(g, image, accumulate, x_bar);
  }
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
