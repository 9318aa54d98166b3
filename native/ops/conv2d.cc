#include "../convolution.h"
#include "../pairs.h"

/**
 * Two-dimensional convolution on the layout of convolution.h, image by image in scratch that stays in cache.
 *
 *   forward         outer tiles: rows are output channels, columns flat positions, the depth is all taps.
 *   backwardInput   the same with the roles of x and y exchanged: rows are input channels, columns the positions of a
 *                   phase plane, the depth all output channels times the taps of that phase.
 *   backwardWeight  few output channels: inner tiles, rows are output channels, columns taps, the reduction runs over
 *                   positions. Many: window tiles, rows are taps, columns output channels.
 *
 * All of them group by group. Cut by members and images. The weight gradient of each piece of the batch goes to its own partial sum, and the
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
        outer({weights + i0 * depth + k0, depth, 1, operand + v0 * kLanes, 0, offsets + k0,
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

/** to = from + bias, on top of what `to` holds when accumulating. */
LIMBECK_INLINE void add_row(float* to, const float* from, int64_t n, bool accumulate, Vec bias) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i) + (accumulate ? load(to + i) + bias : bias));
  if (i == n) return;
  const Vec base = accumulate ? load_partial(to + i, n - i) + bias : bias;
  store_partial(to + i, load_partial(from + i, n - i) + base, n - i);
}

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
    for (int64_t i = first * g.G; i < end * g.G; i++) {
      const int64_t channel = i % g.G * g.OC;
      pad_image(g, step.f32(X, p) + i * g.x_size(), padded);
      correlate(w + channel * g.C * g.taps, g.C * g.taps, g.OC, padded, offsets, g.positions, flat, flat_row);
      float* y = step.f32(Y, p) + i * g.y_size();
      for (int64_t oc = 0; oc < g.OC; oc++) {
        const Vec bias = broadcast(b ? b[channel + oc] : 0);
        for (int64_t oh = 0; oh < g.OH; oh++)
          add_row(y + (oc * g.OH + oh) * g.OW, flat + oc * flat_row + oh * g.width, g.OW, step.accumulate, bias);
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

/** w `[G][OC, C, taps]` as `[G][phase][C][OC, taps of the phase]`. */
inline void turn_weights(const Convolution& g, const float* w, float* turned) {
  const int64_t next = g.tap_step();
  for (int64_t group = 0; group < g.G; group++, w += g.OC * g.C * g.taps) {
    for (int64_t ph = 0; ph < g.stride; ph++) {
      for (int64_t pw = 0; pw < g.stride; pw++) {
        const int64_t kh0 = g.first_tap(ph, g.KH), kw0 = g.first_tap(pw, g.KW);
        for (int64_t c = 0; c < g.C; c++)
          for (int64_t oc = 0; oc < g.OC; oc++)
            for (int64_t kh = kh0; kh < g.KH; kh += next)
              for (int64_t kw = kw0; kw < g.KW; kw += next) *turned++ = w[((oc * g.C + c) * g.KH + kh) * g.KW + kw];
      }
    }
  }
}

/** Writes one phase plane of a map to the pixels it holds. */
inline void collect_plane(const Convolution& g, const PlaneRows& rows, const float* flat, int64_t ph, int64_t pw,
                          bool accumulate, float* x_bar) {
  for (int64_t h = 0; h < g.H; h++) {
    if (g.stride > 1 && (h + g.padding) % g.stride != ph) continue;
    const int64_t row = g.stride > 1 ? (h + g.padding) / g.stride : h + g.padding;
    const float* from = flat + (row - rows.first) * g.width;
    float* to = x_bar + h * g.W;
    if (g.stride == 1) {
      add_row(to, from + g.padding, g.W, accumulate, zero());
      continue;
    }
    for (int64_t w = 0; w < g.W; w++) {
      const int64_t column = (w + g.padding) / g.stride;
      if ((w + g.padding) % g.stride != pw) continue;
      // Pixels below or to the right of the last window have no gradient.
      const float value = row < rows.end && column < g.width ? from[column] : 0;
      to[w] = accumulate ? to[w] + value : value;
    }
  }
}

void backward_input(const Step& step, const Context& context) {
  enum { YBar, W, XBar };
  const Convolution g(step);
  const PlaneRows rows(g);
  const int64_t positions = rows.positions(g), flat_row = flat_size(positions), size = spread_size(g);
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  const int64_t weights = g.G * g.OC * g.C * g.taps, step_taps = g.tap_step();
  float* turned = context.shared_as<float>();
  int32_t* offsets = reinterpret_cast<int32_t*>(turned + matrices * weights);
  if (matrices == 1) {
    turn_weights(g, step.f32(W, 0), turned);
  } else {
    context.pool.each(matrices, [&](int64_t p, int) { turn_weights(g, step.f32(W, p), turned + p * weights); });
  }
  int32_t* next = offsets;  // for each turned weight of a group where its operand is
  for (int64_t ph = 0; ph < g.stride; ph++)
    for (int64_t pw = 0; pw < g.stride; pw++)
      for (int64_t oc = 0; oc < g.OC; oc++)
        for (int64_t kh = g.first_tap(ph, g.KH); kh < g.KH; kh += step_taps)
          for (int64_t kw = g.first_tap(pw, g.KW); kw < g.KW; kw += step_taps)
            *next++ = static_cast<int32_t>(oc * size + margin(g) - g.shift(kh, kw));

  each_images(g, context, [&](int64_t p, int64_t first, int64_t end, int worker) {
    float* spread = context.worker_as<float>(worker);
    float* flat = spread + g.OC * size;
    zero_floats(spread, g.OC * size);
    for (int64_t i = first * g.G; i < end * g.G; i++) {
      spread_maps(g, step.f32(YBar, p) + i * g.y_size(), spread + margin(g), size);
      float* x_bar = step.f32(XBar, p) + i * g.x_size();
      const float* w = turned + (matrices == 1 ? 0 : p) * weights + i % g.G * (weights / g.G);
      const int32_t* at = offsets;
      for (int64_t ph = 0; ph < g.stride; ph++) {
        for (int64_t pw = 0; pw < g.stride; pw++) {
          const int64_t taps = ceil_div(g.KH - g.first_tap(ph, g.KH), step_taps) *
                               ceil_div(g.KW - g.first_tap(pw, g.KW), step_taps);
          correlate(w, g.OC * taps, g.C, spread + rows.first * g.width, at, positions, flat, flat_row);
          w += g.C * g.OC * taps;
          at += g.OC * taps;
          for (int64_t c = 0; c < g.C; c++)
            collect_plane(g, rows, flat + c * flat_row, ph, pw, step.accumulate, x_bar + c * g.H * g.W);
        }
      }
    }
  });
}

Workspace backward_input_workspace(const Step& step) {
  const Convolution g(step);
  const int64_t weights = g.G * g.OC * g.C * g.taps;
  const int64_t matrices = step.operands[1].stride == 0 ? 1 : g.P;
  return {(matrices * weights + g.OC * g.taps) * 4,
          (g.OC * spread_size(g) + g.C * flat_size(PlaneRows(g).positions(g))) * 4};
}

// ---------------------------------------------------------------- backward to the weights

/** How the weight gradient of a convolution is computed and cut. */
struct WeightPlan {
  int64_t columns;   // taps of all input channels of a group
  int64_t weights;   // of a group
  int64_t pieces;    // of the batch of one member
  int64_t together;  // images whose operands are in the second-level cache together, for inner products
  int64_t flat_row;
  int64_t lanes;     // output channels, rounded up to vectors
  bool inner;

  explicit WeightPlan(const Convolution& g)
      : columns(g.C * g.taps),
        weights(g.OC * columns),
        pieces(g.P * g.work() < 2 * kGrain ? 1 : chunks_of(g.work(), min(g.N, 32))),
        together(max(1, min(16, 32 * 1024 / (4 * (g.padded_size() + g.OC * flat_size(g.positions)))))),
        flat_row(flat_size(g.positions)),
        lanes(round_up(g.OC, kLanes)) {
    // Vector operations per tap; adding up the lanes of an inner product costs about a dozen.
    const int64_t by_inner = g.OC * (flat_row / kLanes + 12 / together);
    const int64_t by_windows = g.OH * g.OW * lanes / kLanes;
    inner = by_inner <= by_windows;
  }

  /** Floats of scratch for each worker. */
  int64_t scratch(const Convolution& g) const {
    return inner ? together * (g.padded_size() + g.OC * flat_row)
                 : g.padded_size() + round_up(g.OH * g.OW * lanes, 16) + columns * lanes;
  }
};

/** Few output channels: vectors along the positions of the map, several images at a time. */
LIMBECK_INLINE void weights_by_inner(const Convolution& g, const WeightPlan& plan, const float* x, const float* y_bar,
                                     int64_t images, const int64_t* offsets, float* scratch, float* total) {
  const int64_t padded_size = g.padded_size(), spread_size = g.OC * plan.flat_row;
  float* padded = scratch;
  float* spread = padded + plan.together * padded_size;
  zero_floats(padded, plan.together * (padded_size + spread_size));
  for (int64_t n = 0; n < images; n += plan.together) {
    const int64_t count = min(plan.together, images - n);
    for (int64_t i = 0; i < count; i++) {
      pad_image(g, x + (n + i) * g.G * g.x_size(), padded + i * padded_size);
      spread_maps(g, y_bar + (n + i) * g.G * g.y_size(), spread + i * spread_size, plan.flat_row);
    }
    inner_all({spread, plan.flat_row, padded, offsets, plan.flat_row, count, spread_size, padded_size, total,
               plan.columns, nullptr, n > 0},
              g.OC, plan.columns);
  }
}

/** Many output channels: vectors along them, the map turned so that they lie side by side. */
LIMBECK_INLINE void weights_by_windows(const Convolution& g, const WeightPlan& plan, const float* x, const float* y_bar,
                                       int64_t images, const int64_t* offsets, float* scratch, float* total) {
  const int64_t map = g.OH * g.OW, lanes = plan.lanes;
  float* padded = scratch;
  float* turned = padded + g.padded_size();
  float* sums = turned + round_up(map * lanes, 16);
  const int64_t row_parts = ceil_div(plan.columns, kOuterRows);
  const int64_t vectors = lanes / kLanes;
  const int64_t panels = ceil_div(vectors, outer_vectors(static_cast<int>(ceil_div(plan.columns, row_parts))));
  zero_floats(padded, g.padded_size());
  zero_floats(turned, map * lanes);
  for (int64_t n = 0; n < images; n++) {
    pad_image(g, x + n * g.G * g.x_size(), padded);
    const float* y = y_bar + n * g.G * g.y_size();
    for (int64_t oc = 0; oc < g.OC; oc++)
      for (int64_t i = 0; i < map; i++) turned[i * lanes + oc] = y[oc * map + i];
    for (int64_t panel = 0; panel < panels; panel++) {
      const int64_t v0 = part_start(vectors, panels, panel), v1 = part_start(vectors, panels, panel + 1);
      for (int64_t part = 0; part < row_parts; part++) {
        const int64_t k0 = part_start(plan.columns, row_parts, part), k1 = part_start(plan.columns, row_parts, part + 1);
        windows({padded, offsets + k0, g.OH, g.OW, g.width, turned + v0 * kLanes, lanes,
                 sums + k0 * lanes + v0 * kLanes, lanes, n > 0},
                k1 - k0, v1 - v0);
      }
    }
  }
  for (int64_t oc = 0; oc < g.OC; oc++)
    for (int64_t k = 0; k < plan.columns; k++) total[oc * plan.columns + k] = sums[k * lanes + oc];
}

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, WBar };
  const Convolution g(step);
  const WeightPlan plan(g);
  const int64_t pieces = plan.pieces, weights = g.G * plan.weights;
  int64_t* offsets = context.shared_as<int64_t>();
  float* partial = reinterpret_cast<float*>(offsets + round_up(plan.columns, 8));
  for (int64_t c = 0, k = 0; c < g.C; c++)
    for (int64_t kh = 0; kh < g.KH; kh++)
      for (int64_t kw = 0; kw < g.KW; kw++) offsets[k++] = g.tap(c, kh, kw);

  const auto one = [&](int64_t chunk, int worker) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    const int64_t first = part_start(g.N, pieces, piece), images = part_start(g.N, pieces, piece + 1) - first;
    float* scratch = context.worker_as<float>(worker);
    for (int64_t group = 0; group < g.G; group++) {
      const float* x = step.f32(X, p) + (first * g.G + group) * g.x_size();
      const float* y_bar = step.f32(YBar, p) + (first * g.G + group) * g.y_size();
      float* total = partial + chunk * weights + group * plan.weights;
      if (plan.inner) {
        weights_by_inner(g, plan, x, y_bar, images, offsets, scratch, total);
      } else {
        weights_by_windows(g, plan, x, y_bar, images, offsets, scratch, total);
      }
    }
  };
  const bool alone = g.P * g.work() < 2 * kGrain;
  if (alone) {
    for (int64_t p = 0; p < g.P; p++) one(p, 0);
  } else {
    context.pool.each(g.P * pieces, one);
  }

  // Piece after piece, whoever does it: an element is one sum in a fixed order.
  const auto add_up = [&](int64_t p, int64_t from, int64_t to) {
    float* w_bar = step.f32(WBar, p);
    for (int64_t piece = 0; piece < pieces; piece++) {
      const float* part = partial + (p * pieces + piece) * weights;
      if (piece == 0 && !step.accumulate) {
        for (int64_t i = from; i < to; i++) w_bar[i] = part[i];
      } else {
        for (int64_t i = from; i < to; i++) w_bar[i] += part[i];
      }
    }
  };
  const int64_t range = max(1024, 2 * kElements / pieces);
  const int64_t ranges = ceil_div(weights, range);
  if (alone || g.P * ranges == 1) {
    for (int64_t p = 0; p < g.P; p++) add_up(p, 0, weights);
  } else {
    context.pool.each(g.P * ranges, [&](int64_t chunk, int) {
      const int64_t from = chunk % ranges * range;
      add_up(chunk / ranges, from, min(from + range, weights));
    });
  }
}

Workspace backward_weight_workspace(const Step& step) {
  const Convolution g(step);
  const WeightPlan plan(g);
  return {round_up(plan.columns, 8) * 8 + g.P * plan.pieces * g.G * plan.weights * 4, plan.scratch(g) * 4};
}

#define SIZES {"P", "N", "C", "H", "W", "OC", "KH", "KW", "OH", "OW", "stride", "padding", "G", "dilation"}

const Kernel kernels[] = {
    {"conv2d.forward", {"x", "w", "x2", "w2", "b", "y"}, SIZES, {}, in_pairs<forward, 2>,
     pairs_workspace<forward_workspace>},
    {"conv2d.backwardInput", {"yBar", "w", "yBar2", "w2", "xBar"}, SIZES, {}, in_pairs<backward_input>,
     pairs_workspace<backward_input_workspace>},
    {"conv2d.backwardWeight", {"x", "yBar", "x2", "yBar2", "wBar"}, SIZES, {}, in_pairs<backward_weight>,
     pairs_workspace<backward_weight_workspace>},
};

}  // namespace

LIMBECK_KERNELS(conv2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
