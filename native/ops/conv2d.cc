#include "../correlate.h"
#include "../pairs.h"
#include "../sparse.h"
#include "../weight_gradient.h"
#include "../windows.h"

/**
 * Two-dimensional convolution on the layout of convolution.h, image by image in scratch that stays in cache.
 *
 *   forward         correlate.h: rows are output channels, positions those of y, the terms all taps.
 *   backwardInput   the same with the roles of x and y exchanged: rows are input channels, positions the pixels (with
 *                   strides those of a phase plane), the terms all output channels times the taps (of that phase).
 *   backwardWeight  few output channels: inner tiles, rows are output channels, columns taps, the reduction runs over
 *                   positions. Many: window tiles, rows are taps, columns output channels (weight_gradient.h).
 *
 * Both gradients visit nonzeros alone where most of y_bar is zero (sparse.h). All go group by group and are cut by members
 * and images. The weight gradient of each piece of the batch goes to its own partial sum, and these are added in order.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Calls body(member, first image, last image + 1, worker). */
template <class F>
LIMBECK_INLINE void each_images(const Convolution& g, const Context& context, F&& body) {
  const int64_t pieces = chunks_of(g.work(), min(g.N, 128));
  each_chunk(context, g.P * g.work() < 2 * kGrain, g.P * pieces, [&](int64_t chunk, int worker) {
    const int64_t piece = chunk % pieces;
    body(chunk / pieces, part_start(g.N, pieces, piece), part_start(g.N, pieces, piece + 1), worker);
  });
}

/** Finds the nonzeros of the maps y_bar of a group of an image, for SparseWeights and SparseInput. */
LIMBECK_INLINE auto map_finder(const Convolution& g, const float* y_bar) {
  return [y_bar, map = g.OH * g.OW](Nonzeros& nonzeros, int64_t oc) { nonzeros.find(y_bar + oc * map, map); };
}

// ---------------------------------------------------------------- forward

Correlation forward_plan(const Convolution& g) {
  return {g.OC, g.OH, g.OW, g.width, {g.KH, g.stride, g.dilation, g.padding, g.H}, g.C * g.taps};
}

void forward(const Step& step, const Context& context) {
  enum { X, W, B, Y };
  const Convolution g(step);
  const Correlation plan = forward_plan(g);
  const int64_t depth = g.C * g.taps, group_size = plan.packed_size(depth);
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  char* table = context.shared;
  float* packed = reinterpret_cast<float*>(table + plan.table_bytes());
  int32_t* weights = reinterpret_cast<int32_t*>(packed + matrices * g.G * group_size);
  int32_t* offsets = weights + depth;
  plan.fill_table(table);
  // In the order of w, or by segments line after line of the taps.
  const int64_t lines = plan.by_channels() ? 1 : g.KH;
  for (int64_t first = 0, k = 0; first < lines; first++) {
    for (int64_t c = 0; c < g.C; c++) {
      for (int64_t kh = first; kh < g.KH; kh += lines) {
        for (int64_t kw = 0; kw < g.KW; kw++, k++) {
          weights[k] = static_cast<int32_t>((c * g.KH + kh) * g.KW + kw);
          offsets[k] = static_cast<int32_t>(g.tap(c, kh, kw));
        }
      }
    }
  }
  const Terms terms{weights, offsets, depth, true};
  if (plan.by_channels()) {
    context.pool.each(matrices * g.G, [&](int64_t i, int) {
      plan.pack(step.f32(W, i / g.G) + i % g.G * g.OC * depth, depth, terms, packed + i * group_size);
    });
  }

  // Vectors along segments read beyond an image.
  const bool as_is = g.as_is() && plan.by_channels();
  each_images(g, context, [&](int64_t p, int64_t first, int64_t end, int worker) {
    float* padded = context.worker_as<float>(worker);
    float* sums = padded + g.padded_size();
    const float* b = step.has(B) ? step.f32(B, p) : nullptr;
    if (!as_is) zero_floats(padded, g.padded_size());
    for (int64_t i = first * g.G; i < end * g.G; i++) {
      const int64_t group = i % g.G;
      const float* x = step.f32(X, p) + i * g.x_size();
      const float* w = plan.by_channels() ? packed + ((matrices == 1 ? 0 : p) * g.G + group) * group_size
                                          : step.f32(W, p) + group * g.OC * depth;
      if (!as_is) pad_image(g, x, padded);
      plan.run(table, w, depth, terms, as_is ? x : padded, b ? b + group * g.OC : nullptr, step.accumulate, sums,
               step.f32(Y, p) + i * g.y_size());
    }
  });
}

Workspace forward_workspace(const Step& step) {
  const Convolution g(step);
  const Correlation plan = forward_plan(g);
  const int64_t depth = g.C * g.taps, matrices = step.operands[1].stride == 0 ? 1 : g.P;
  return {plan.table_bytes() + (matrices * g.G * plan.packed_size(depth) + 2 * depth) * 4,
          (g.padded_size() + plan.scratch()) * 4};
}

// ---------------------------------------------------------------- backward to the input

/** The rows of a phase plane that hold pixels. */
struct PlaneRows {
  int64_t first, end;
  explicit PlaneRows(const Convolution& g)
      : first(g.padding / g.stride), end(min(g.height, (g.H - 1 + g.padding) / g.stride + 1)) {}
};

/** The pixels themselves where there are no strides, otherwise those rows of a phase plane. */
Correlation backward_plan(const Convolution& g) {
  const PlaneRows rows(g);
  const int64_t lines = max(0, rows.end - rows.first), depth = g.OC * ceil_div(g.taps, g.phases);
  if (g.stride > 1) return {g.C, lines, g.width, g.width, {1, 1, 1, 0, lines}, depth};
  // The taps from the last to the first are those of a convolution with the rest of the padding.
  return {g.C, lines, g.W, g.width, {g.KH, 1, g.dilation, g.reach_h - g.padding, g.OH}, depth};
}

/** Zeros before the first row of a spread map: taps reach back that far. */
LIMBECK_INLINE int64_t margin(const Convolution& g) { return g.reach_h * g.width + g.reach_w; }
LIMBECK_INLINE int64_t spread_size(const Convolution& g) { return round_up(margin(g) + g.plane + kLanes, 16); }

/** Writes one phase plane of a map to the pixels it holds. */
inline void collect_plane(const Convolution& g, const PlaneRows& rows, const float* flat, int64_t ph, int64_t pw,
                          bool accumulate, float* x_bar) {
  for (int64_t h = 0; h < g.H; h++) {
    if ((h + g.padding) % g.stride != ph) continue;
    const int64_t row = (h + g.padding) / g.stride;
    const float* from = flat + (row - rows.first) * g.width;
    float* to = x_bar + h * g.W;
    for (int64_t w = 0; w < g.W; w++) {
      const int64_t column = (w + g.padding) / g.stride;
      if ((w + g.padding) % g.stride != pw) continue;
      // Pixels below or to the right of the last window have no gradient.
      const float value = row < rows.end && column < g.width ? from[column] : 0;
      to[w] = accumulate ? to[w] + value : value;
    }
  }
}

/** Calls body(ph, pw, terms) for every phase, with its terms: where they are in w `[OC, C, taps]` and in spread maps. */
template <class F>
LIMBECK_INLINE void each_phase(const Convolution& g, const int32_t* weights, const int32_t* offsets, F&& body) {
  const int64_t step = g.tap_step();
  for (int64_t ph = 0; ph < g.stride; ph++) {
    for (int64_t pw = 0; pw < g.stride; pw++) {
      const int64_t depth =
          g.OC * ceil_div(g.KH - g.first_tap(ph, g.KH), step) * ceil_div(g.KW - g.first_tap(pw, g.KW), step);
      body(ph, pw, Terms{weights, offsets, depth, false});
      weights += depth;
      offsets += depth;
    }
  }
}

void backward_input(const Step& step, const Context& context) {
  enum { YBar, W, XBar };
  const Convolution g(step);
  const PlaneRows rows(g);
  const Correlation plan = backward_plan(g);
  const int64_t depth = g.OC * g.taps, group_size = plan.packed_size(depth), size = spread_size(g);
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  char* table = context.shared;
  float* packed = reinterpret_cast<float*>(table + plan.table_bytes());
  int32_t* weights = reinterpret_cast<int32_t*>(packed + matrices * g.G * group_size);
  int32_t* offsets = weights + depth;
  plan.fill_table(table);
  const int64_t next = g.tap_step();
  for (int64_t ph = 0, k = 0; ph < g.stride; ph++) {
    for (int64_t pw = 0; pw < g.stride; pw++) {
      for (int64_t kh = g.KH - 1; kh >= 0; kh--) {
        if (kh * g.dilation % g.stride != ph) continue;
        for (int64_t oc = 0; oc < g.OC; oc++) {
          for (int64_t kw = g.first_tap(pw, g.KW); kw < g.KW; kw += next, k++) {
            weights[k] = static_cast<int32_t>((oc * g.C * g.KH + kh) * g.KW + kw);
            offsets[k] = static_cast<int32_t>(oc * size + margin(g) - g.shift(kh, kw));
          }
        }
      }
    }
  }
  if (plan.by_channels()) {
    context.pool.each(matrices * g.G, [&](int64_t i, int) {
      float* to = packed + i * group_size;
      each_phase(g, weights, offsets, [&](int64_t, int64_t, const Terms& terms) {
        plan.pack(step.f32(W, i / g.G) + i % g.G * g.C * depth, g.taps, terms, to);
        to += plan.packed_size(terms.depth);
      });
    });
  }

  each_images(g, context, [&](int64_t p, int64_t first, int64_t end, int worker) {
    float* spread = context.worker_as<float>(worker);
    float* sums = spread + g.OC * size;
    float* flat = sums + plan.scratch();
    const float* operand = spread + rows.first * g.width + (g.stride == 1 ? g.padding : 0);
    if (Sparse(g).pays(g, step.f32(YBar, p) + first * g.G * g.y_size())) {
      for (int64_t group = 0; group < g.G; group++) {
        SparseInput input(g, 1, spread);
        input.weights(0, step.f32(W, p) + group * g.C * depth);
        for (int64_t i = first * g.G + group; i < end * g.G; i += g.G) {
          input.begin();
          input.add(0, map_finder(g, step.f32(YBar, p) + i * g.y_size()));
          input.write(step.accumulate, step.f32(XBar, p) + i * g.x_size());
        }
      }
      return;
    }
    zero_floats(spread, g.OC * size);
    for (int64_t i = first * g.G; i < end * g.G; i++) {
      const int64_t group = i % g.G;
      float* x_bar = step.f32(XBar, p) + i * g.x_size();
      const float* w = plan.by_channels() ? packed + ((matrices == 1 ? 0 : p) * g.G + group) * group_size
                                          : step.f32(W, p) + group * g.C * depth;
      spread_maps(g, step.f32(YBar, p) + i * g.y_size(), spread + margin(g), size);
      each_phase(g, weights, offsets, [&](int64_t ph, int64_t pw, const Terms& terms) {
        if (g.stride == 1) {
          plan.run(table, w, g.taps, terms, operand, nullptr, step.accumulate, sums, x_bar);
          return;
        }
        plan.run(table, w, g.taps, terms, operand, nullptr, false, sums, flat);
        w += plan.packed_size(terms.depth);
        for (int64_t c = 0; c < g.C; c++)
          collect_plane(g, rows, flat + c * plan.lines * g.width, ph, pw, step.accumulate, x_bar + c * g.H * g.W);
      });
    }
  });
}

Workspace backward_input_workspace(const Step& step) {
  const Convolution g(step);
  const Correlation plan = backward_plan(g);
  const int64_t depth = g.OC * g.taps, matrices = step.operands[1].stride == 0 ? 1 : g.P;
  const int64_t flat = g.stride == 1 ? 0 : g.C * plan.lines * g.width;
  return {plan.table_bytes() + (matrices * g.G * plan.packed_size(depth) + 2 * depth) * 4,
          max(Sparse(g).fits(g) ? Sparse(g).input_scratch(g, 1) : 0, g.OC * spread_size(g) + plan.scratch() + flat) * 4};
}

// ---------------------------------------------------------------- backward to the weights

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, WBar };
  const Convolution g(step);
  const WeightPlan plan(g);
  const int64_t pieces = plan.pieces, weights = g.G * plan.weights;
  int32_t* taps = context.shared_as<int32_t>();
  float* partial = reinterpret_cast<float*>(taps + round_up(plan.table(g), 16));
  int32_t* next = taps;
  for (int64_t c = 0; c < g.C; c++)
    for (int64_t kh = 0; kh < g.KH; kh++)
      for (int64_t kw = 0; kw < g.KW; kw++) *next++ = static_cast<int32_t>(g.tap(c, kh, kw));
  const int64_t image_size = g.as_is() ? g.G * g.x_size() : g.padded_size();
  for (int64_t i = 0; i < plan.together && !plan.inner; i++)
    for (int64_t oh = 0; oh < g.OH; oh++)
      for (int64_t ow = 0; ow < g.OW; ow++) *next++ = static_cast<int32_t>(i * image_size + oh * g.width + ow);

  const bool alone = WeightPlan::alone(g);
  each_chunk(context, alone, g.P * pieces * plan.parts, [&](int64_t chunk, int worker) {
    const int64_t part = chunk % plan.parts, sum = chunk / plan.parts;
    const int64_t p = sum / pieces, piece = sum % pieces;
    const int64_t first = part_start(g.N, pieces, piece), images = part_start(g.N, pieces, piece + 1) - first;
    float* scratch = context.worker_as<float>(worker);
    for (int64_t group = 0; group < g.G; group++) {
      const float* x = step.f32(X, p) + (first * g.G + group) * g.x_size();
      const float* y_bar = step.f32(YBar, p) + (first * g.G + group) * g.y_size();
      float* total = partial + sum * weights + group * plan.weights;
      if (Sparse(g).pays(g, y_bar)) {
        if (part > 0) continue;  // the first has done all
        SparseWeights sums(g, scratch);
        for (int64_t i = 0; i < images; i++)
          sums.add(x + i * g.G * g.x_size(), map_finder(g, y_bar + i * g.G * g.y_size()));
        sums.write(total);
      } else if (plan.inner) {
        weights_by_inner(g, plan, x, y_bar, images, taps, scratch, total);
      } else {
        weights_by_windows(g, plan, part, x, y_bar, images, taps, scratch, total);
      }
    }
  });

  const auto add_up = [&](int64_t p, int64_t from, int64_t to) {
    add_parts(step.f32(WBar, p), partial + p * pieces * weights, pieces, weights, from, to, step.accumulate);
  };
  if (alone) {
    for (int64_t p = 0; p < g.P; p++) add_up(p, 0, weights);
  } else {
    each_part(context.pool, g.P, weights, max(1024, 2 * kElements / pieces), add_up);
  }
}

Workspace backward_weight_workspace(const Step& step) {
  const Convolution g(step);
  const WeightPlan plan(g);
  return {round_up(plan.table(g), 16) * 4 + g.P * plan.pieces * g.G * plan.weights * 4,
          max(Sparse(g).weights_scratch(g), plan.scratch(g)) * 4};
}

const char* wrong_convolution(const Step& step, int64_t) { return wrong_convolution_sizes(step); }

#define SIZES {"P", "N", "C", "H", "W", "OC", "KH", "KW", "OH", "OW", "stride", "padding", "G", "dilation"}

const Kernel kernels[] = {
    {"conv2d.forward",
     {"x[N C H W]", "w[OC C/G KH KW]", "x2?[N C H W]", "w2?[OC C/G KH KW]", "b?[OC]", "y[N OC OH OW]"},
     SIZES, {}, in_pairs<forward, 2>, pairs_workspace<forward_workspace>, wrong_convolution},
    {"conv2d.backwardInput",
     {"yBar[N OC OH OW]", "w[OC C/G KH KW]", "yBar2?[N OC OH OW]", "w2?[OC C/G KH KW]", "xBar[N C H W]"},
     SIZES, {}, in_pairs<backward_input>, pairs_workspace<backward_input_workspace>, wrong_convolution},
    {"conv2d.backwardWeight",
     {"x[N C H W]", "yBar[N OC OH OW]", "x2?[N C H W]", "yBar2?[N OC OH OW]", "wBar[OC C/G KH KW]"},
     SIZES, {}, in_pairs<backward_weight>, pairs_workspace<backward_weight_workspace>, wrong_convolution},
};

}  // namespace

LIMBECK_KERNELS(conv2d, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
