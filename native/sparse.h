#pragma once
#include <type_traits>

#include "convolution.h"
#include "transpose.h"

/**
 * Gradients of a convolution where most of y_bar is zero: behind max pooling, which sends each gradient to one position
 * of its window. Only nonzeros are visited, so a NaN or infinity in x or w does not propagate where y_bar is zero. The image of
 * one group has its channels side by side, so that the taps of a window are KH lines of KW * C neighbours:
 *
 *   to the weights  the lines of the image, times a value of y_bar, added up in registers over the values of one output channel
 *   to the input    lines of the weights in registers, times a value, added up separately for each column of y: vectors are
 *                   read back as they were stored, so no load waits for two stores; then moved to where they belong in the image
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** The nonzeros of one map, and their places. */
struct Nonzeros {
  float* values;
  int32_t* places;
  int64_t count;

  /** Collects the nonzeros of n values, with places as `places_of(first)` gives them. May write kLanes - 1 beyond. */
  template <class Places>
  LIMBECK_INLINE void find(const float* from, int64_t n, Places&& places_of) {
    count = 0;
    for (int64_t i = 0; i < n; i += kLanes) {
      const int64_t rest = min(kLanes, n - i);
      const Vec v = rest == kLanes ? load(from + i) : load_partial(from + i, rest);
      count += store_nonzeros(v, places_of(i, rest), values + count, places + count);
    }
  }
  /** Of a map. */
  LIMBECK_INLINE void find(const float* map, int64_t n) {
    find(map, n, [](int64_t i, int64_t) { return iota() + static_cast<int32_t>(i); });
  }
  /** Of the gradient that pooling sends back to the winners `index` of the map, whose last place is taken for any beyond it. */
  LIMBECK_INLINE void find(const float* pooled, const uint32_t* index, int64_t n, int64_t last) {
    const Ints end = broadcast_int(static_cast<int32_t>(last));
    find(pooled, n, [&](int64_t i, int64_t rest) {
      const Ints at = rest == kLanes ? load_ints(index + i)
                                     : reinterpret_cast<Ints>(load_partial(reinterpret_cast<const float*>(index + i), rest));
      return select((at < broadcast_int(0)) | (at > end), end, at);
    });
  }
};

/** Calls tile(rows, vectors, first line, first vector), the first two constants, for tiles of lines that stay in registers. */
template <int Vectors, class F>
LIMBECK_INLINE void each_tile_of(int64_t lines, int64_t vector, F&& tile) {
  constexpr int most = kAccumulators / Vectors < 6 ? kAccumulators / Vectors : 6;
  constexpr std::integral_constant<int, Vectors> vectors;
  for (int64_t line = 0; line < lines; line += most) {
    switch (min(most, lines - line)) {
      case 1: tile(std::integral_constant<int, 1>(), vectors, line, vector); break;
      case 2: tile(std::integral_constant<int, 2>(), vectors, line, vector); break;
      case 3: tile(std::integral_constant<int, 3>(), vectors, line, vector); break;
      case 4: if constexpr (most >= 4) tile(std::integral_constant<int, 4>(), vectors, line, vector); break;
      case 5: if constexpr (most >= 5) tile(std::integral_constant<int, 5>(), vectors, line, vector); break;
      default: if constexpr (most >= 6) tile(std::integral_constant<int, 6>(), vectors, line, vector); break;
    }
  }
}

/** Calls part(vectors, first vector), the first a constant, for parts of so many vectors. */
template <class F>
LIMBECK_INLINE void each_part(int64_t vectors, F&& part) {
  for (int64_t v = 0; v < vectors; v += 4) {
    switch (vectors - v) {
      case 1: part(std::integral_constant<int, 1>(), v); break;
      case 2: part(std::integral_constant<int, 2>(), v); break;
      case 3: part(std::integral_constant<int, 3>(), v); break;
      default: part(std::integral_constant<int, 4>(), v); break;
    }
  }
}

template <class F>
LIMBECK_INLINE void each_tile(int64_t lines, int64_t vectors, F&& tile) {
  each_part(vectors, [&](auto count, int64_t vector) { each_tile_of<count>(lines, vector, tile); });
}

/** How the gradients are laid out; for one group, taps next to each other. */
struct Sparse {
  int64_t width, height;  // of the padded image
  int64_t line;           // floats of a line of it
  int64_t taps;           // floats of a line of taps
  int64_t row;            // the same in whole vectors

  explicit Sparse(const Convolution& g)
      : width(max(g.W + g.padding, (g.OW - 1) * g.stride + g.KW)),
        height(max(g.H + g.padding, (g.OH - 1) * g.stride + g.KH)),
        line(width * g.C),
        taps(g.KW * g.C),
        row(round_up(taps, kLanes)) {}

  LIMBECK_INLINE int64_t image_size() const { return round_up(height * line + kLanes, 16); }
  /** Floats of the taps of one output channel. */
  LIMBECK_INLINE int64_t window(const Convolution& g) const { return g.KH * row; }
  /** Calls body(tap, where it is in a window). */
  template <class F>
  LIMBECK_INLINE void each_tap(const Convolution& g, F&& body) const {
    for (int64_t kh = 0, tap = 0; kh < g.KH; kh++)
      for (int64_t kw = 0; kw < g.KW; kw++, tap++) body(tap, kh * row + kw * g.C);
  }
  /** Most values at a time, and room for a vector behind them. */
  LIMBECK_INLINE int64_t most(const Convolution& g) const { return round_up(g.OH * g.OW, kLanes) + kLanes; }
  /** Floats of the lines of the image, apart for each column of y. */
  LIMBECK_INLINE int64_t columns_size(const Convolution& g) const { return height * g.OW * row; }
  LIMBECK_INLINE int64_t weights_scratch(const Convolution& g) const {
    return image_size() + g.OC * window(g) + 3 * most(g) + round_up(g.taps, 16);
  }
  LIMBECK_INLINE int64_t input_scratch(const Convolution& g, int64_t pairs) const {
    return image_size() + columns_size(g) + pairs * g.OC * window(g) + 3 * most(g) + round_up(g.taps, 16);
  }

  /** Taps lie side by side, and the columns stay in the second-level cache. */
  LIMBECK_INLINE bool fits(const Convolution& g) const { return g.dilation == 1 && columns_size(g) <= 64 * 1024; }

  /**
   * Whether visiting nonzeros is less work than all positions, in vector operations, which here run at half the speed. Decided by
   * the beginning of the first image.
   */
  LIMBECK_INLINE bool pays(const Convolution& g, const float* y_bar) const {
    if (!fits(g)) return false;
    const int64_t sample = min(4096, g.y_size());
    int32_t nonzeros = 0;
    for (int64_t i = 0; i < sample; i++) nonzeros += y_bar[i] != 0;
    return 2 * nonzeros * row <= sample * taps;
  }

  /** The image with its channels side by side; what is outside is zero already. */
  LIMBECK_INLINE void spread(const Convolution& g, const float* x, float* image) const {
    float* to = image + g.padding * (line + g.C);
    const int64_t rows = width == g.W ? 1 : g.H, n = g.H * g.W / rows;
    for (int64_t h = 0; h < rows; h++, x += n, to += line) {
      if (g.C == 1) {
        copy_row(to, x, n);
        continue;
      }
      each_column(x, g.H * g.W, g.C, n, [&](int64_t i, int64_t c, Vec values, int64_t channels) {
        // Zeros after the last channel of a pixel are overwritten by the next one.
        if (g.C <= kLanes) return store(to + i * g.C, values);
        store_partial(to + i * g.C + c, values, channels);
      });
    }
  }

  /** Moves the pixels of an image back to their places. */
  LIMBECK_INLINE void collect(const Convolution& g, const float* image, bool accumulate, float* x) const {
    const auto put = [&](float* to, Vec values, int64_t n) {
      if (n == kLanes) return store(to, accumulate ? load(to) + values : values);
      store_partial(to, accumulate ? load_partial(to, n) + values : values, n);
    };
    const int64_t map = g.H * g.W, rows = width == g.W ? 1 : g.H, n = map / rows;
    for (int64_t h = 0; h < rows; h++) {
      const float* from = image + (h + g.padding) * line + g.padding * g.C;
      float* to = x + h * n;
      if (g.C == 1) {
        for (int64_t i = 0; i < n; i += kLanes) put(to + i, load(from + i), min(kLanes, n - i));
        continue;
      }
      // Whole vectors, in part of the next pixel: there is room behind the last one.
      each_column(from, g.C, n, max(g.C, kLanes), [&](int64_t c, int64_t i, Vec values, int64_t m) {
        if (c < g.C) put(to + c * map + i, values, m);
      });
    }
  }
};

/** The weight gradient of one group: collected by `add`, written by `write`. */
class SparseWeights {
 public:
  /** `scratch` has room for `weights_scratch` floats. */
  SparseWeights(const Convolution& g, float* scratch) : g_(g), s_(g), image_(scratch), sums_(image_ + s_.image_size()) {
    nonzeros_ = {sums_ + g.OC * s_.window(g), reinterpret_cast<int32_t*>(sums_ + g.OC * s_.window(g) + s_.most(g)), 0};
    starts_ = nonzeros_.places + s_.most(g);
    for (int64_t oh = 0, place = 0; oh < g.OH; oh++)
      for (int64_t ow = 0; ow < g.OW; ow++) starts_[place++] = static_cast<int32_t>((oh * s_.line + ow * g.C) * g.stride);
    tap_starts_ = starts_ + s_.most(g);
    s_.each_tap(g, [&](int64_t tap, int64_t start) { tap_starts_[tap] = static_cast<int32_t>(start); });
    zero_floats(image_, s_.image_size() + g.OC * s_.window(g));
  }

  /** Adds the gradient of an image; find(nonzeros, oc) finds the nonzeros of a map of y_bar. */
  template <class Find>
  LIMBECK_INLINE void add(const float* x, Find&& find) {
    s_.spread(g_, x, image_);
    // Channels are too short and too far apart for the hardware to prefetch the next image.
    const float* next = x + g_.G * g_.x_size();
    for (int64_t i = 0; i < g_.x_size(); i += 16) __builtin_prefetch(next + i);
    for (int64_t oc = 0; oc < g_.OC; oc++) {
      find(nonzeros_, oc);
      float* sums = sums_ + oc * s_.window(g_);
      each_tile(g_.KH, s_.row / kLanes, [&](auto rows, auto vectors, int64_t line, int64_t vector) {
        add_lines<rows, vectors>(image_ + line * s_.line + vector * kLanes, sums + line * s_.row + vector * kLanes);
      });
    }
  }

  /** Writes the gradient, `[OC, C, KH, KW]`. */
  void write(float* total) const {
    for (int64_t oc = 0; oc < g_.OC; oc++, total += g_.C * g_.taps) {
      const float* sums = sums_ + oc * s_.window(g_);
      for (int64_t tap = 0; tap < g_.taps; tap += kLanes) {
        for (int64_t c = 0; c < g_.C; c += kLanes) {
          const int64_t taps = min(kLanes, g_.taps - tap), channels = min(kLanes, g_.C - c);
          Vec v[kLanes];
          LIMBECK_UNROLL
          for (int i = 0; i < kLanes; i++) v[i] = load(sums + tap_starts_[tap + (i < taps ? i : 0)] + c);
          transpose(v);
          LIMBECK_UNROLL
          for (int j = 0; j < kLanes; j++)
            if (j < channels) store_partial(total + (c + j) * g_.taps + tap, v[j], taps);
        }
      }
    }
  }

 private:
  /** to[r][v] += sum over the nonzeros of value * from[start + r lines + v]; small tiles in two sets, as sums take time. */
  template <int Rows, int Vectors>
  LIMBECK_INLINE void add_lines(const float* from, float* to) {
    constexpr int sets = 2 * Rows * Vectors <= kAccumulators ? 2 : 1;
    const int32_t* const starts = starts_;
    const float* lines[Rows];
    Vec sums[sets][Rows][Vectors];
    LIMBECK_UNROLL
    for (int r = 0; r < Rows; r++) {
      lines[r] = from + r * s_.line;
      LIMBECK_UNROLL
      for (int v = 0; v < Vectors; v++) {
        sums[sets - 1][r][v] = zero();
        sums[0][r][v] = load(to + r * s_.row + v * kLanes);
      }
    }
    const auto add = [&](int64_t i, Vec(&set)[Rows][Vectors]) {
      const Vec value = broadcast(nonzeros_.values[i]);
      const int64_t start = starts[nonzeros_.places[i]];
      LIMBECK_UNROLL
      for (int r = 0; r < Rows; r++) {
        LIMBECK_UNROLL
        for (int v = 0; v < Vectors; v++) set[r][v] = fma(value, load(lines[r] + start + v * kLanes), set[r][v]);
      }
    };
    int64_t i = 0;
    for (; i + sets <= nonzeros_.count; i += sets) {
      add(i, sums[0]);
      if constexpr (sets == 2) add(i + 1, sums[1]);
    }
    if (i < nonzeros_.count) add(i, sums[0]);
    LIMBECK_UNROLL
    for (int r = 0; r < Rows; r++) {
      LIMBECK_UNROLL
      for (int v = 0; v < Vectors; v++)
        store(to + r * s_.row + v * kLanes, sets == 2 ? sums[0][r][v] + sums[1][r][v] : sums[0][r][v]);
    }
  }

  const Convolution& g_;
  const Sparse s_;
  float* image_;
  float* sums_;
  Nonzeros nonzeros_;
  int32_t* starts_;      // where the window of each place is in the image
  int32_t* tap_starts_;  // and each tap in a window
};

/** The gradient to the input of one group, from one pair of y_bar and weights or two. */
class SparseInput {
 public:
  /** `scratch` has room for `input_scratch` floats. */
  SparseInput(const Convolution& g, int64_t pairs, float* scratch)
      : g_(g), s_(g), image_(scratch), columns_(image_ + s_.image_size()), lines_(columns_ + s_.columns_size(g)) {
    float* values = lines_ + pairs * g.OC * s_.window(g);
    nonzeros_ = {values, reinterpret_cast<int32_t*>(values + s_.most(g)), 0};
    starts_ = nonzeros_.places + s_.most(g);
    for (int64_t oh = 0, place = 0; oh < g.OH; oh++)
      for (int64_t ow = 0; ow < g.OW; ow++) starts_[place++] = static_cast<int32_t>((oh * g.stride * g.OW + ow) * s_.row);
    tap_starts_ = starts_ + s_.most(g);
    s_.each_tap(g, [&](int64_t tap, int64_t start) { tap_starts_[tap] = static_cast<int32_t>(start); });
  }

  /** Takes the weights `[OC, C, KH, KW]` of a pair. */
  void weights(int64_t pair, const float* w) {
    float* to = lines_ + pair * g_.OC * s_.window(g_);
    zero_floats(to, g_.OC * s_.window(g_));
    for (int64_t oc = 0; oc < g_.OC; oc++, w += g_.C * g_.taps, to += s_.window(g_))
      each_column(w, g_.taps, g_.C, g_.taps, [&](int64_t tap, int64_t c, Vec values, int64_t channels) {
        store_partial(to + tap_starts_[tap] + c, values, channels);
      });
  }

  LIMBECK_INLINE void begin() { zero_floats(columns_, s_.columns_size(g_)); }

  /** Adds the gradient of an image from one pair; find(nonzeros, oc) finds the nonzeros of a map of y_bar. */
  template <class Find>
  LIMBECK_INLINE void add(int64_t pair, Find&& find) {
    for (int64_t oc = 0; oc < g_.OC; oc++) {
      find(nonzeros_, oc);
      const float* lines = lines_ + (pair * g_.OC + oc) * s_.window(g_);
      each_tile(g_.KH, s_.row / kLanes, [&](auto rows, auto vectors, int64_t line, int64_t vector) {
        add_lines<rows, vectors>(lines + line * s_.row + vector * kLanes, columns_ + line * g_.OW * s_.row + vector * kLanes);
      });
    }
  }

  /** x_bar (+)= what was added since `begin`. */
  void write(bool accumulate, float* x_bar) {
    zero_floats(image_, s_.image_size());
    // Line after line of one column, so that no load reads a vector of which a part has just been written.
    for (int64_t ow = 0; ow < g_.OW; ow++) {
      each_part(s_.row / kLanes, [&](auto vectors, int64_t vector) {
        const float* from = columns_ + ow * s_.row + vector * kLanes;
        float* to = image_ + ow * g_.stride * g_.C + vector * kLanes;
        for (int64_t line = 0; line < s_.height; line++, from += g_.OW * s_.row, to += s_.line) {
          for (int v = 0; v < vectors; v++) store(to + v * kLanes, load(to + v * kLanes) + load(from + v * kLanes));
        }
      });
    }
    s_.collect(g_, image_, accumulate, x_bar);
  }

 private:
  /** to[start + r lines + v] += value * from[r][v] for all nonzeros. */
  template <int Rows, int Vectors>
  LIMBECK_INLINE void add_lines(const float* from, float* to) {
    const Nonzeros nonzeros = nonzeros_;
    const int32_t* const starts = starts_;
    float* lines[Rows];
    Vec weights[Rows][Vectors];
    LIMBECK_UNROLL
    for (int r = 0; r < Rows; r++) {
      lines[r] = to + r * g_.OW * s_.row;
      LIMBECK_UNROLL
      for (int v = 0; v < Vectors; v++) weights[r][v] = keep(load(from + r * s_.row + v * kLanes));
    }
    for (int64_t i = 0; i < nonzeros.count; i++) {
      const Vec value = broadcast(nonzeros.values[i]);
      const int64_t start = starts[nonzeros.places[i]];
      LIMBECK_UNROLL
      for (int r = 0; r < Rows; r++) {
        LIMBECK_UNROLL
        for (int v = 0; v < Vectors; v++) {
          float* at = lines[r] + start + v * kLanes;
          store(at, fma(value, weights[r][v], load(at)));
        }
      }
    }
  }

  const Convolution& g_;
  const Sparse s_;
  float* image_;
  float* columns_;
  float* lines_;
  Nonzeros nonzeros_;
  int32_t* starts_;      // where the first line of each place is among the columns
  int32_t* tap_starts_;  // and each tap in a window of weights
};

}  // namespace LIMBECK_ISA
}  // namespace limbeck
