#include "../convolution.h"

/**
 * Two-dimensional convolution on the layout of convolution.h, image by image in scratch that stays in cache.
 *
 *   forward         outer tiles: rows are output channels, columns flat positions, the depth is all taps.
 *   backwardInput   the same with the roles of x and y exchanged: rows are input channels, columns the positions of a
 *                   phase plane, the depth all output channels times the taps of that phase.
 *   backwardWeight  inner tiles: rows are output channels, columns taps, the reduction runs over positions.
 *
 * Cut by members and images. The weight gradient of each piece of the batch goes to its own partial sum, and the
 * partial sums are added in order.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kMaxDepth = 512;

/** Columns (flat positions) 0 .. positions - 1 of `rows` results, each `flat_row` floats, from operands under `offsets`. */
inline void correlate(const float* weights, int64_t depth, int64_t rows, const float* operand, const int32_t* offsets,
                      int64_t positions, float* flat, int64_t flat_row) {
  const int64_t vectors = ceil_div(positions, kLanes);
  const int64_t row_parts = ceil_div(rows, kOuterRows);
  const int64_t panels = ceil_div(vectors, outer_vectors(static_cast<int>(ceil_div(rows, row_parts))));
  for (int64_t k0 = 0; k0 < max(depth, 1); k0 += kMaxDepth) {
    for (int64_t panel = 0; panel < panels; panel++) {
      const int64_t v0 = part_start(vectors, panels, panel), v1 = part_start(vectors, panels, panel + 1);
      for (int64_t part = 0; part < row_parts; part++) {
        const int64_t i0 = part_start(rows, row_parts, part), i1 = part_start(rows, row_parts, part + 1);
        outer<true>({weights + i0 * depth + k0, depth, 1, operand + v0 * kLanes, 0, offsets + k0,
                     min(kMaxDepth, depth - k0), flat + i0 * flat_row + v0 * kLanes, flat_row, (v1 - v0) * kLanes,
                     nullptr, k0 > 0},
                    i1 - i0, v1 - v0);
      }
    }
  }
}

/** Calls body(member, first image, last image + 1, worker). */
template <class F>
LIMBECK_INLINE void each_images(const Convolution& g, const Context& context, F&& body) {
  if (g.P * g.work() < 2 * kGrain) {
    for (int64_t p = 0; p < g.P; p++) body(p, int64_t{0}, g.N, 0);
    return;
  }
  const int64_t pieces = chunks_of(g.work(), min(g.N, 128));
  context.pool.each(g.P * pieces, [&](int64_t chunk, int worker) {
    const int64_t piece = chunk % pieces;
    body(chunk / pieces, part_start(g.N, pieces, piece), part_start(g.N, pieces, piece + 1), worker);
  });
}

LIMBECK_INLINE int64_t flat_size(int64_t positions) { return round_up(positions, kLanes); }

LIMBECK_INLINE void zero_floats(float* p, int64_t n) { memset(p, 0, static_cast<size_t>(n) * sizeof(float)); }

// ---------------------------------------------------------------- forward

void forward(const Step& step, const Context& context) {
  enum { X, W, B, Y };
  const Convolution g(step);
  const int64_t flat_row = flat_size(g.positions);
  int32_t* offsets = context.shared_as<int32_t>();
  for (int64_t c = 0, k = 0; c < g.C; c++)
    for (int64_t kh = 0; kh < g.KH; kh++)
      for (int64_t kw = 0; kw < g.KW; kw++) offsets[k++] = static_cast<int32_t>(g.tap(c, kh, kw));

  each_images(g, context, [&](int64_t p, int64_t first, int64_t end, int worker) {
    float* padded = context.worker_as<float>(worker);
    float* flat = padded + g.padded_size();
    const float* w = step.f32(W, p);
    const float* b = step.has(B) ? step.f32(B, p) : nullptr;
    zero_floats(padded, g.padded_size());
    for (int64_t n = first; n < end; n++) {
      pad_image(g, step.f32(X, p) + n * g.C * g.H * g.W, padded);
      correlate(w, g.C * g.taps, g.OC, padded, offsets, g.positions, flat, flat_row);
      float* y = step.f32(Y, p) + n * g.OC * g.OH * g.OW;
      for (int64_t oc = 0; oc < g.OC; oc++) {
        const Vec bias = broadcast(b ? b[oc] : 0);
        for (int64_t oh = 0; oh < g.OH; oh++) {
          const float* from = flat + oc * flat_row + oh * g.width;
          float* to = y + (oc * g.OH + oh) * g.OW;
          for (int64_t i = 0; i < g.OW; i += kLanes) {
            const int64_t lanes = min(kLanes, g.OW - i);
            if (lanes == kLanes) {
              store(to + i, load(from + i) + (step.accumulate ? load(to + i) + bias : bias));
            } else {
              const Vec base = step.accumulate ? load_partial(to + i, lanes) + bias : bias;
              store_partial(to + i, load_partial(from + i, lanes) + base, lanes);
            }
          }
        }
      }
    }
  });
}

Workspace forward_workspace(const Step& step) {
  const Convolution g(step);
  return {g.C * g.taps * 4, (g.padded_size() + g.OC * flat_size(g.positions)) * 4};
}

// ---------------------------------------------------------------- backward to the input

/** The rows of a phase plane that hold pixels. */
struct PlaneRows {
  int64_t first, end;
  explicit PlaneRows(const Convolution& g)
      : first(g.padding / g.stride), end(min(g.height, (g.H - 1 + g.padding) / g.stride + 1)) {}
  LIMBECK_INLINE int64_t positions(const Convolution& g) const { return max(0, end - first) * g.width; }
};

/** Zeros before the first row of a spread map: taps reach back that far. */
LIMBECK_INLINE int64_t margin(const Convolution& g) { return g.reach_h * g.width + g.reach_w; }
LIMBECK_INLINE int64_t spread_size(const Convolution& g) { return round_up(margin(g) + g.plane + kLanes, 16); }

/** w `[OC, C, taps]` as `[phase][C][OC, taps of the phase]`, and for each of those where its operand is. */
inline void turn_weights(const Convolution& g, const float* w, float* turned) {
  for (int64_t ph = 0; ph < g.stride; ph++)
    for (int64_t pw = 0; pw < g.stride; pw++)
      for (int64_t c = 0; c < g.C; c++)
        for (int64_t oc = 0; oc < g.OC; oc++)
          for (int64_t kh = ph; kh < g.KH; kh += g.stride)
            for (int64_t kw = pw; kw < g.KW; kw += g.stride) *turned++ = w[((oc * g.C + c) * g.KH + kh) * g.KW + kw];
}

void backward_input(const Step& step, const Context& context) {
  enum { YBar, W, XBar };
  const Convolution g(step);
  const PlaneRows rows(g);
  const int64_t positions = rows.positions(g), flat_row = flat_size(positions), size = spread_size(g);
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  const int64_t weights = g.OC * g.C * g.taps;
  float* turned = context.shared_as<float>();
  int32_t* offsets = reinterpret_cast<int32_t*>(turned + matrices * weights);
  if (matrices == 1) {
    turn_weights(g, step.f32(W, 0), turned);
  } else {
    context.pool.each(matrices, [&](int64_t p, int) { turn_weights(g, step.f32(W, p), turned + p * weights); });
  }
  int32_t* next = offsets;
  for (int64_t ph = 0; ph < g.stride; ph++)
    for (int64_t pw = 0; pw < g.stride; pw++)
      for (int64_t oc = 0; oc < g.OC; oc++)
        for (int64_t kh = ph; kh < g.KH; kh += g.stride)
          for (int64_t kw = pw; kw < g.KW; kw += g.stride)
            *next++ = static_cast<int32_t>(oc * size + margin(g) - g.shift(kh, kw));

  each_images(g, context, [&](int64_t p, int64_t first, int64_t end, int worker) {
    float* spread = context.worker_as<float>(worker);
    float* flat = spread + g.OC * size;
    zero_floats(spread, g.OC * size);
    for (int64_t n = first; n < end; n++) {
      spread_maps(g, step.f32(YBar, p) + n * g.OC * g.OH * g.OW, spread + margin(g), size);
      float* x_bar = step.f32(XBar, p) + n * g.C * g.H * g.W;
      const float* w = turned + (matrices == 1 ? 0 : p) * weights;
      const int32_t* at = offsets;
      for (int64_t ph = 0; ph < g.stride; ph++) {
        for (int64_t pw = 0; pw < g.stride; pw++) {
          const int64_t taps = (ph < g.KH ? (g.KH - 1 - ph) / g.stride + 1 : 0) *
                               (pw < g.KW ? (g.KW - 1 - pw) / g.stride + 1 : 0);
          correlate(w, g.OC * taps, g.C, spread + rows.first * g.width, at, positions, flat, flat_row);
          w += g.C * g.OC * taps;
          at += g.OC * taps;
          for (int64_t c = 0; c < g.C; c++) {
            for (int64_t h = 0; h < g.H; h++) {
              const int64_t h_padded = h + g.padding;
              if (h_padded % g.stride != ph) continue;
              const int64_t row = h_padded / g.stride;
              const float* from = flat + c * flat_row + (row - rows.first) * g.width;
              float* to = x_bar + (c * g.H + h) * g.W;
              for (int64_t x = 0; x < g.W; x++) {
                const int64_t w_padded = x + g.padding;
                if (w_padded % g.stride != pw) continue;
                const int64_t column = w_padded / g.stride;
                const float value = row < rows.end && column < g.width ? from[column] : 0;
                to[x] = step.accumulate ? to[x] + value : value;
              }
            }
          }
        }
      }
    }
  });
}

Workspace backward_input_workspace(const Step& step) {
  const Convolution g(step);
  const int64_t weights = g.OC * g.C * g.taps;
  const int64_t matrices = step.operands[1].stride == 0 ? 1 : g.P;
  return {(matrices * weights + g.OC * g.taps) * 4,
          (g.OC * spread_size(g) + g.C * flat_size(PlaneRows(g).positions(g))) * 4};
}

// ---------------------------------------------------------------- backward to the weights

LIMBECK_INLINE int64_t weight_pieces(const Convolution& g) {
  return g.P * g.work() < 2 * kGrain ? 1 : chunks_of(g.work(), min(g.N, 32));
}

/** Images whose operands are in the second-level cache together. */
LIMBECK_INLINE int64_t images_together(const Convolution& g) {
  const int64_t image = (g.padded_size() + g.OC * flat_size(g.positions)) * 4;
  return max(1, min(16, 128 * 1024 / image));
}

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, WBar };
  const Convolution g(step);
  const int64_t weights = g.OC * g.C * g.taps, columns = g.C * g.taps;
  const int64_t flat_row = flat_size(g.positions), padded_size = g.padded_size();
  const int64_t pieces = weight_pieces(g), together = images_together(g);
  int64_t* offsets = context.shared_as<int64_t>();
  float* partial = reinterpret_cast<float*>(offsets + round_up(columns, 8));
  for (int64_t c = 0, k = 0; c < g.C; c++)
    for (int64_t kh = 0; kh < g.KH; kh++)
      for (int64_t kw = 0; kw < g.KW; kw++) offsets[k++] = g.tap(c, kh, kw);

  const auto one = [&](int64_t chunk, int worker) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    float* padded = context.worker_as<float>(worker);
    float* spread = padded + together * padded_size;
    const int64_t first = part_start(g.N, pieces, piece), end = part_start(g.N, pieces, piece + 1);
    zero_floats(padded, together * (padded_size + g.OC * flat_row));
    for (int64_t n = first; n < end; n += together) {
      const int64_t images = min(together, end - n);
      for (int64_t i = 0; i < images; i++) {
        pad_image(g, step.f32(X, p) + (n + i) * g.C * g.H * g.W, padded + i * padded_size);
        spread_maps(g, step.f32(YBar, p) + (n + i) * g.OC * g.OH * g.OW, spread + i * g.OC * flat_row, flat_row);
      }
      inner_all({spread, flat_row, padded, offsets, flat_row, images, g.OC * flat_row, padded_size,
                 partial + chunk * weights, columns, nullptr, n > first},
                g.OC, columns);
    }
  };
  if (g.P * g.work() < 2 * kGrain) {
    for (int64_t p = 0; p < g.P; p++) one(p, 0);
  } else {
    context.pool.each(g.P * pieces, one);
  }

  for (int64_t p = 0; p < g.P; p++) {
    float* w_bar = step.f32(WBar, p);
    for (int64_t piece = 0; piece < pieces; piece++) {
      const float* from = partial + (p * pieces + piece) * weights;
      if (piece == 0 && !step.accumulate) {
        for (int64_t i = 0; i < weights; i++) w_bar[i] = from[i];
      } else {
        for (int64_t i = 0; i < weights; i++) w_bar[i] += from[i];
      }
    }
  }
}

Workspace backward_weight_workspace(const Step& step) {
  const Convolution g(step);
  const int64_t columns = g.C * g.taps;
  return {round_up(columns, 8) * 8 + g.P * weight_pieces(g) * g.OC * columns * 4,
          images_together(g) * (g.padded_size() + g.OC * flat_size(g.positions)) * 4};
}

#define SIZES {"P", "N", "C", "H", "W", "OC", "KH", "KW", "OH", "OW", "stride", "padding"}

const Kernel kernels[] = {
    {"conv2d.forward", {"x", "w", "b", "y"}, SIZES, {}, forward, forward_workspace},
    {"conv2d.backwardInput", {"yBar", "w", "xBar"}, SIZES, {}, backward_input, backward_input_workspace},
    {"conv2d.backwardWeight", {"x", "yBar", "wBar"}, SIZES, {}, backward_weight, backward_weight_workspace},
};

}  // namespace

LIMBECK_KERNELS(conv2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
