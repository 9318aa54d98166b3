#include "../chunks.h"
#include "../winograd_layout.h"

/**
 * 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): see winograd.h for the transforms, winograd_layout.h for the layout.
 *
 * In between there are 36 matrix products, one for each point, with tiles of all images of a block as rows:
 *
 *   forward         M[t][oc] = sum over c of V[t][c] U[c][oc]          V of x, M to y
 *   backwardInput   V[t][c] = sum over oc of M[t][oc] U'[oc][c]        M of yBar, V to xBar
 *   backwardWeight  U[oc][c] = sum over t of M[t][oc] V[t][c]          M of yBar, V of x, U to wBar
 *
 * U is computed for each member, in the order in which the products read it; backwardInput needs it transposed. It is not kept
 * for other steps: recomputing it takes no more time, and no memory between steps. Vectors run along channels everywhere: maps are
 * transposed on the way to the transforms and back. A worker computes whole blocks where there are enough; where the pool shares a
 * block, its phases are cut by images and vectors of channels, by points and panels, and again by images and channels.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Who does the chunks of a loop: the whole pool, or one worker alone. */
struct Loop {
  const Context& context;
  bool alone;
  int worker;
  template <class F>
  LIMBECK_INLINE void each(int64_t chunks, F&& body) const {
    if (!alone) return context.pool.each(chunks, body);
    for (int64_t chunk = 0; chunk < chunks; chunk++) body(chunk, worker);
  }
};

/**
 * Calls begin(loop, member, whether it is the first in this memory, kept), run(loop, member, piece, kept, scratch) for all pieces, then
 * end(loop, member, kept), for every member; `scratch` has `block` floats, and what is kept of a member lies behind them.
 */
template <class Begin, class Run, class End>
inline void each_member(const Winograd& g, const Context& context, int64_t pieces, int64_t block, Begin&& begin, Run&& run,
                        End&& end) {
  const Sharing sharing = g.sharing(context.pool.threads(), pieces);
  const auto own = [&](int worker) { return context.worker_as<float>(worker) + g.turned(); };
  if (sharing == Sharing::kMembers) {
    context.pool.each(g.P, [&](int64_t p, int worker) {
      const Loop alone{context, true, worker};
      float *scratch = own(worker), *kept = scratch + block;
      begin(alone, p, true, kept);
      for (int64_t piece = 0; piece < pieces; piece++) run(alone, p, piece, kept, scratch);
      end(alone, p, kept);
    });
    return;
  }
  const Loop loop{context, sharing == Sharing::kNothing, 0};
  float *shared = context.shared_as<float>(), *kept = shared + block;
  for (int64_t p = 0; p < g.P; p++) {
    begin(loop, p, p == 0, kept);
    if (sharing == Sharing::kBlocks) {
      context.pool.each(pieces, [&](int64_t piece, int worker) {
        run({context, true, worker}, p, piece, kept, own(worker));
      });
    } else {
      for (int64_t piece = 0; piece < pieces; piece++) run(loop, p, piece, kept, shared);
    }
    end(loop, p, kept);
  }
}

// ---------------------------------------------------------------- maps and points

/** Every tile of some images from maps to points. */
template <class Transform>
inline void to_points(const Winograd& g, const Loop& loop, const WinogradMaps& maps, const float* x,
                      int64_t images, const Points& to) {
  constexpr int64_t kOverlap = Transform::kFrom - 4;
  const int64_t groups = maps.groups();
  loop.each(images * groups, [&](int64_t chunk, int worker) {
    const int64_t image = chunk / groups, c0 = chunk % groups * kGroup;
    float* turned = loop.context.worker_as<float>(worker);
    for (int64_t v = 0; v < kGroup; v += kLanes)
      turn_in(maps, x + image * maps.size(), c0 + v, 4 * g.rows + kOverlap, 4 * g.columns + kOverlap, turned + v);
    float* at = to.data + image * g.tiles * to.row + c0;
    tiles_to_points<Transform>(turned, g.rows, g.columns, at, to.row, to.point);
  });
}

/** Every tile of some images from points to maps, with a bias. */
template <class Transform>
inline void from_points(const Winograd& g, const Loop& loop, const Points& from, int64_t images,
                        const WinogradMaps& maps, const float* bias, bool add, float* y) {
  const int64_t groups = maps.groups();
  loop.each(images * groups, [&](int64_t chunk, int worker) {
    const int64_t image = chunk / groups, c0 = chunk % groups * kGroup;
    float* turned = loop.context.worker_as<float>(worker);
    const float* at = from.data + image * g.tiles * from.row + c0;
    tiles_from_points<Transform>(at, from.row, from.point, g.rows, g.columns, turned);
    for (int64_t v = 0; v < kGroup; v += kLanes)
      turn_out(maps, turned + v, 4 * g.columns + Transform::kTo - 4, c0 + v, bias, add, y + image * maps.size());
  });
}

// ---------------------------------------------------------------- weights to points

/** Nine taps of kLanes filters that are `stride` floats apart. */
LIMBECK_INLINE void load_taps(const float* w, int64_t stride, int64_t filters, Vec* taps) {
  for (int64_t t0 = 0; t0 < 9; t0 += kLanes) {
    Vec square[kLanes];
    for (int64_t f = 0; f < kLanes; f++)
      square[f] = f < filters ? load_partial(w + f * stride + t0, min(kLanes, 9 - t0)) : zero();
    transpose(square);
    for (int64_t t = t0; t < min(9, t0 + kLanes); t++) taps[t] = square[t - t0];
  }
}

/** Weights `[OC, C, 3, 3]` at the points: columns are output channels and rows input channels, or the other way round when turned. */
struct WeightsAtPoints {
  int64_t depth, columns;
  int64_t depth_stride, column_stride;  // floats from one filter to the next

  WeightsAtPoints(const Winograd& g, bool turned)
      : depth(turned ? g.OC : g.C),
        columns(turned ? g.C : g.OC),
        depth_stride(turned ? 9 * g.C : 9),
        column_stride(turned ? 9 : 9 * g.C) {}

  /** Floats of one point: `depth` rows of all columns in panels, and a line of zeros. */
  LIMBECK_INLINE int64_t point() const { return ceil_div(columns, kPanel) * kPanel * depth + 16; }
  LIMBECK_INLINE int64_t size() const { return kPoints * point(); }

  void make(const Loop& loop, const float* weights, float* to) const {
    const int64_t panels = ceil_div(columns, kPanel), pieces = ceil_div(depth, 16), size = point();
    loop.each(panels * pieces, [&](int64_t chunk, int) {
      const int64_t panel = chunk / pieces, piece = chunk % pieces;
      const float* w = weights + panel * kPanel * column_stride;
      float* u = to + panel * kPanel * depth;
      for (int64_t k = part_start(depth, pieces, piece); k < part_start(depth, pieces, piece + 1); k++) {
        for (int64_t j = 0; j < kPanel; j += kLanes) {
          Vec taps[9];
          const int64_t filters = max(0, min(kLanes, columns - panel * kPanel - j));
          load_taps(w + k * depth_stride + j * column_stride, column_stride, filters, taps);
          float* next = u + k * kPanel + j;
          transform<Weights>([&](int a, int b) { return taps[a * 3 + b]; },
                             [&](int a, int b, Vec value) { store(next + (a * 6 + b) * size, value); });
        }
      }
      if (chunk == 0)
        for (int64_t at = 1; at <= kPoints; at++)
          for (int64_t j = 0; j < 16; j += kLanes) store(to + at * size - 16 + j, zero());
    });
  }
};

// ---------------------------------------------------------------- products

/** c[rows][columns] (+)= a b at one point, for `count` columns from `first`; b has rows of `b_row` floats. */
LIMBECK_INLINE void multiply(const float* a, int64_t a_row, int64_t a_column, int64_t rows, const float* b, int64_t b_row,
                             int64_t depth, int64_t count, float* c, int64_t c_row, bool add) {
  const int64_t vectors = ceil_div(count, kLanes);
  const int64_t panels = ceil_div(vectors, kVectors);
  for (int64_t k0 = 0; k0 < depth; k0 += kDepth) {
    for (int64_t panel = 0; panel < panels; panel++) {
      const int64_t v0 = part_start(vectors, panels, panel), v1 = part_start(vectors, panels, panel + 1);
      outer_rows({a + k0 * a_column, a_row, a_column, b + k0 * b_row + v0 * kLanes, b_row, min(kDepth, depth - k0),
                  c + v0 * kLanes, c_row, (v1 - v0) * kLanes, nullptr, add || k0 > 0},
                 rows, v1 - v0);
    }
  }
}

/** Products of V `[tiles, depth]` and U at every point, all panels of U. */
inline void multiply_weights(const Loop& loop, const Points& from, int64_t tiles, const WeightsAtPoints& weights, const float* u,
                             const Points& to, bool add) {
  const int64_t depth = weights.depth, columns = weights.columns;
  const int64_t panels = ceil_div(columns, kPanel), size = weights.point();
  const int64_t pieces = chunks_of(tiles * depth * columns, panels);
  loop.each(kPoints * pieces, [&](int64_t chunk, int) {
    const int64_t point = chunk / pieces, piece = chunk % pieces;
    for (int64_t panel = part_start(panels, pieces, piece); panel < part_start(panels, pieces, piece + 1); panel++) {
      const int64_t column = panel * kPanel;
      multiply(from.data + point * from.point, from.row, 1, tiles, u + point * size + column * depth, kPanel, depth,
               min(kPanel, columns - column), to.data + point * to.point + column, to.row, add);
    }
  });
}

// ---------------------------------------------------------------- forward and backward to the input

/** to (+)= from * w (+ from2 * w2) (+ b): the operands are from, w, from2, w2 and what follows. */
template <class In, class Out>
struct Correlate {
  const Step& step;
  const Winograd g;
  WinogradMaps from, to;
  WeightsAtPoints weights;
  int bias, result;

  LIMBECK_INLINE int64_t block_size() const { return g.block(from) + g.block(to); }
  LIMBECK_INLINE int64_t weights_size() const { return (step.has(2) ? 2 : 1) * weights.size(); }

  /** The weights of member p; those that members share are made for the first one. */
  void make_weights(const Loop& loop, int64_t p, bool first, float* u) const {
    for (int pair = 0; pair < 2; pair++, u += weights.size())
      if (step.has(2 * pair) && (first || step.operands[2 * pair + 1].stride != 0))
        weights.make(loop, step.f32(2 * pair + 1, p), u);
  }

  /** One block of the images of member p. */
  void run_block(const Loop& loop, int64_t p, int64_t block, const float* u, float* scratch) const {
    const Points in = g.points(from, scratch), out = g.points(to, scratch + g.block(from));
    const int64_t n = block * g.images, images = min(g.images, g.N - n);
    for (int pair = 0; pair < 2; pair++, u += weights.size()) {
      if (!step.has(2 * pair)) continue;
      to_points<In>(g, loop, from, step.f32(2 * pair, p) + n * from.size(), images, in);
      multiply_weights(loop, in, images * g.tiles, weights, u, out, pair > 0);
    }
    const float* b = bias >= 0 && step.has(bias) ? step.f32(bias, p) : nullptr;
    from_points<Out>(g, loop, out, images, to, b, step.accumulate, step.f32(result, p) + n * to.size());
  }

  void run(const Context& context) const {
    each_member(
        g, context, g.blocks, block_size(),
        [&](const Loop& loop, int64_t p, bool first, float* u) { make_weights(loop, p, first, u); },
        [&](const Loop& loop, int64_t p, int64_t block, float* u, float* scratch) { run_block(loop, p, block, u, scratch); },
        [](const Loop&, int64_t, float*) {});
  }

  Workspace workspace() const {
    const int64_t size = block_size() + weights_size();
    return {size * 4, (g.turned() + size) * 4};
  }
};

Correlate<Input, Output> forward_of(const Step& step, const Winograd& g) {
  return {step, g, g.x(), g.y(), {g, false}, 4, 5};
}
Correlate<OutputAdjoint, InputAdjoint> backward_input_of(const Step& step, const Winograd& g) {
  return {step, g, g.y(), g.x(), {g, true}, -1, 4};
}

void forward(const Step& step, const Context& context) { forward_of(step, Winograd(step)).run(context); }
Workspace forward_workspace(const Step& step) { return forward_of(step, Winograd(step)).workspace(); }

void backward_input(const Step& step, const Context& context) { backward_input_of(step, Winograd(step)).run(context); }
Workspace backward_input_workspace(const Step& step) { return backward_input_of(step, Winograd(step)).workspace(); }

// ---------------------------------------------------------------- backward to the weights

LIMBECK_INLINE void store_taps(const Vec* taps, float* w, int64_t stride, int64_t filters, bool add) {
  for (int64_t t0 = 0; t0 < 9; t0 += kLanes) {
    const int64_t n = min(kLanes, 9 - t0);
    Vec square[kLanes];
    for (int64_t t = 0; t < kLanes; t++) square[t] = t < n ? taps[t0 + t] : zero();
    transpose(square);
    for (int64_t f = 0; f < filters; f++) {
      float* p = w + f * stride + t0;
      store_partial(p, add ? load_partial(p, n) + square[f] : square[f], n);
    }
  }
}

/** wBar (+)= xᵀ yBar (+ x2ᵀ yBar2): the batch in parts, each with partial sums at the points. */
struct BackwardWeight {
  enum { X, YBar, X2, YBar2, WBar };
  const Step& step;
  const Winograd g;
  WinogradMaps x = g.x(), y = g.y();
  int64_t parts = g.blocks >= 2 * kParts ? kParts : 1;
  int64_t row = g.row(x), point = odd_lines(g.OC * row);

  explicit BackwardWeight(const Step& each) : step(each), g(each) {}

  static constexpr int64_t kParts = 8;
  LIMBECK_INLINE int64_t block_size() const { return g.block(x) + g.block(y); }
  LIMBECK_INLINE int64_t sums_size() const { return kPoints * point; }

  /** The sums of one part of the images of member p. */
  void run_part(const Loop& loop, int64_t p, int64_t part, float* scratch, float* sums) const {
    const Points v = g.points(x, scratch), m = g.points(y, scratch + g.block(x));
    const int64_t first = part_start(g.blocks, parts, part), end = part_start(g.blocks, parts, part + 1);
    const int64_t vectors = ceil_div(g.C, kLanes);
    for (int64_t block = first; block < end; block++) {
      const int64_t n = block * g.images, images = min(g.images, g.N - n), tiles = images * g.tiles;
      for (int pair = 0; pair < 4; pair += 2) {
        if (!step.has(pair)) continue;
        to_points<Input>(g, loop, x, step.f32(pair, p) + n * x.size(), images, v);
        to_points<OutputAdjoint>(g, loop, y, step.f32(pair + 1, p) + n * y.size(), images, m);
        const bool add = block > first || pair > 0;
        const int64_t pieces = chunks_of(tiles * g.C * g.OC, ceil_div(vectors, kVectors));
        loop.each(kPoints * pieces, [&](int64_t chunk, int) {
          const int64_t at = chunk / pieces, piece = chunk % pieces;
          const int64_t v0 = part_start(vectors, pieces, piece), v1 = part_start(vectors, pieces, piece + 1);
          multiply(m.data + at * m.point, 1, m.row, g.OC, v.data + at * v.point + v0 * kLanes, v.row, tiles,
                   (v1 - v0) * kLanes, sums + at * point + v0 * kLanes, row, add);
        });
      }
    }
  }

  /** All parts together, brought from the points to the weights. */
  void finish(const Loop& loop, int64_t p, const float* sums) const {
    loop.each(g.OC, [&](int64_t oc, int) {
      for (int64_t c = 0; c < g.C; c += kLanes) {
        const float* from = sums + oc * row + c;
        Vec taps[9];
        transform<WeightsAdjoint>(
            [&](int i, int j) {
              Vec sum = load(from + (i * 6 + j) * point);
              for (int64_t part = 1; part < parts; part++) sum += load(from + part * sums_size() + (i * 6 + j) * point);
              return sum;
            },
            [&](int i, int j, Vec value) { taps[i * 3 + j] = value; });
        store_taps(taps, step.f32(WBar, p) + (oc * g.C + c) * 9, 9, min(kLanes, g.C - c), step.accumulate);
      }
    });
  }

  void run(const Context& context) const {
    each_member(
        g, context, parts, block_size(), [](const Loop&, int64_t, bool, float*) {},
        [&](const Loop& loop, int64_t p, int64_t part, float* sums, float* scratch) {
          run_part(loop, p, part, scratch, sums + part * sums_size());
        },
        [&](const Loop& loop, int64_t p, float* sums) { finish(loop, p, sums); });
  }

  Workspace workspace() const {
    const int64_t size = block_size() + parts * sums_size();
    return {size * 4, (g.turned() + size) * 4};
  }
};

void backward_weight(const Step& step, const Context& context) { BackwardWeight(step).run(context); }
Workspace backward_weight_workspace(const Step& step) { return BackwardWeight(step).workspace(); }

const Kernel kernels[] = {
    {"winograd.forward",
     {"x[N C H W]", "w[OC C 9]", "x2?[N C H W]", "w2?[OC C 9]", "b?[OC]", "y[N OC OH OW]"},
     LIMBECK_THREE_BY_THREE_SIZES, {}, forward, forward_workspace, wrong_three_by_three},
    {"winograd.backwardInput",
     {"yBar[N OC OH OW]", "w[OC C 9]", "yBar2?[N OC OH OW]", "w2?[OC C 9]", "xBar[N C H W]"},
     LIMBECK_THREE_BY_THREE_SIZES, {}, backward_input, backward_input_workspace, wrong_three_by_three},
    {"winograd.backwardWeight",
     {"x[N C H W]", "yBar[N OC OH OW]", "x2?[N C H W]", "yBar2?[N OC OH OW]", "wBar[OC C 9]"},
     LIMBECK_THREE_BY_THREE_SIZES, {}, backward_weight, backward_weight_workspace, wrong_three_by_three},
};

}  // namespace

LIMBECK_KERNELS(winograd, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
