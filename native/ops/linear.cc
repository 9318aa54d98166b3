#include "../pairs.h"
#include "../product.h"

/**
 * Fully connected layer: three matrix products.
 *
 *   forward         y = x wᵀ + b. Few rows: inner products along i, as both operands lie in memory. Many rows: outer
 *                   products on panels of wᵀ, transposed once per call.
 *   backwardInput   x_bar = y_bar w: outer products on the rows of w.
 *   backwardWeight  w_bar = y_barᵀ x: outer products on panels of both; the batch is the depth, walked in order.
 *
 * Cut by members, rows and panels of the result; nothing is added up across chunks.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Geometry {
  int64_t P, N, I, O;
  explicit Geometry(const Step& step) : P(step.sizes[0]), N(step.sizes[1]), I(step.sizes[2]), O(step.sizes[3]) {}
  LIMBECK_INLINE int64_t work() const { return N * I * O; }
  /** From how many rows on a transposed copy of w pays for itself. */
  LIMBECK_INLINE bool transpose() const { return N >= 48; }
};

/** Calls body(member, piece, pieces, worker): each member in so many pieces, one when there is little to do. */
template <class F>
LIMBECK_INLINE void each_piece(const Context& context, int64_t P, int64_t work, int64_t limit, F&& body) {
  const int64_t pieces = chunks_of(work, limit);
  each_chunk(context, P * work < 2 * kGrain, P * pieces,
             [&](int64_t chunk, int worker) { body(chunk / pieces, chunk % pieces, pieces, worker); });
}

void forward_inner(const Step& step, const Context& context, const Geometry& g) {
  enum { X, W, B, Y };
  const int64_t column_parts = ceil_div(g.O, kInnerColumns), row_parts = ceil_div(g.N, kInnerRows);
  each_piece(context, g.P, g.work(), column_parts, [&](int64_t p, int64_t piece, int64_t pieces, int) {
    const float* x = step.f32(X, p);
    const float* w = step.f32(W, p);
    const float* b = step.has(B) ? step.f32(B, p) : nullptr;
    float* y = step.f32(Y, p);
    for (int64_t cp = part_start(column_parts, pieces, piece); cp < part_start(column_parts, pieces, piece + 1); cp++) {
      const int64_t j0 = part_start(g.O, column_parts, cp), j1 = part_start(g.O, column_parts, cp + 1);
      int32_t offsets[kInnerColumns];
      for (int64_t j = j0; j < j1; j++) offsets[j - j0] = static_cast<int32_t>((j - j0) * g.I);
      for (int64_t rp = 0; rp < row_parts; rp++) {
        const int64_t i0 = part_start(g.N, row_parts, rp), i1 = part_start(g.N, row_parts, rp + 1);
        inner({x + i0 * g.I, g.I, w + j0 * g.I, offsets, g.I, 1, 0, 0, y + i0 * g.O + j0, g.O, b ? b + j0 : nullptr,
               step.accumulate},
              i1 - i0, j1 - j0);
      }
    }
  });
}

void forward_outer(const Step& step, const Context& context, const Geometry& g) {
  enum { X, W, B, Y };
  const Panels panels(g.N, g.O);
  const int64_t size = panels.vectors * kLanes * g.I;
  float* packed = context.shared_as<float>();
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  context.pool.each(matrices * panels.count, [&](int64_t chunk, int) {
    const int64_t p = chunk / panels.count;
    pack_transposed(step.f32(W, p), g.O, g.I, panels, chunk % panels.count, packed + p * size);
  });
  each_piece(context, g.P, g.work(), ceil_div(g.N, 4 * kOuterRows), [&](int64_t p, int64_t piece, int64_t pieces, int worker) {
    const Product product{g.N,
                          g.O,
                          g.I,
                          step.f32(X, p),
                          g.I,
                          1,
                          packed + (matrices == 1 ? 0 : p) * size,
                          0,
                          true,
                          step.f32(Y, p),
                          g.O,
                          step.has(B) ? step.f32(B, p) : nullptr,
                          step.accumulate};
    multiply(product, panels, part_start(g.N, pieces, piece), part_start(g.N, pieces, piece + 1), 0, panels.count,
             context.worker_as<float>(worker));
  });
}

void forward(const Step& step, const Context& context) {
  const Geometry g(step);
  if (g.transpose()) {
    forward_outer(step, context, g);
  } else {
    forward_inner(step, context, g);
  }
}

Workspace forward_workspace(const Step& step) {
  const Geometry g(step);
  if (!g.transpose()) return {0, 0};
  const Panels panels(g.N, g.O);
  const int64_t matrices = step.operands[1].stride == 0 ? 1 : g.P;
  return {matrices * panels.vectors * kLanes * g.I * 4, product_scratch() * 4};
}

/** The pieces of a product are whole panels of it, and parts of its rows where there are many. */
LIMBECK_INLINE void multiply_in_pieces(const Context& context, const Geometry& g, const Panels& panels, int64_t rows,
                                       const Product& product, const Step& step, int a, int b, int c) {
  const int64_t row_blocks = ceil_div(rows, 4 * kOuterRows);
  each_piece(context, g.P, g.work(), row_blocks * panels.count, [&](int64_t p, int64_t piece, int64_t pieces, int worker) {
    Product mine = product;
    mine.a = step.f32(a, p);
    mine.b = step.f32(b, p);
    mine.c = step.f32(c, p);
    float* scratch = context.worker_as<float>(worker);
    // The cells of a grid of row blocks and panels, one row block after the other.
    int64_t cell = part_start(row_blocks * panels.count, pieces, piece);
    const int64_t end = part_start(row_blocks * panels.count, pieces, piece + 1);
    while (cell < end) {
      const int64_t block = cell / panels.count, panel = cell % panels.count;
      const int64_t count = min(panels.count - panel, end - cell);
      multiply(mine, panels, part_start(rows, row_blocks, block), part_start(rows, row_blocks, block + 1), panel,
               panel + count, scratch);
      cell += count;
    }
  });
}

void backward_input(const Step& step, const Context& context) {
  enum { YBar, W, XBar };
  const Geometry g(step);
  const Product product{g.N,   g.I, g.O,     nullptr, g.O,     1,
                        nullptr, g.I, false, nullptr, g.I, nullptr, step.accumulate};
  multiply_in_pieces(context, g, Panels(g.N, g.I), g.N, product, step, YBar, W, XBar);
}

/** Into how many groups of panels a result is cut, beside its rows, so that there is work for many threads. */
LIMBECK_INLINE int64_t panel_groups(const Panels& panels, int64_t row_blocks) {
  constexpr int64_t enough = 8;
  return min(panels.count, ceil_div(enough, row_blocks));
}

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, WBar };
  const Geometry g(step);
  const Panels panels(g.O, g.I);
  const int64_t row_blocks = ceil_div(g.O, kTallRows), groups = panel_groups(panels, row_blocks), cells = row_blocks * groups;
  each_piece(context, g.P, g.work(), cells, [&](int64_t p, int64_t piece, int64_t pieces, int worker) {
    const Product product{g.O,   g.I, g.N,   step.f32(YBar, p),  1,   g.O,    step.f32(X, p),
                          g.I, false, step.f32(WBar, p), g.I, nullptr, step.accumulate};
    for (int64_t cell = part_start(cells, pieces, piece); cell < part_start(cells, pieces, piece + 1); cell++) {
      const int64_t block = cell / groups, group = cell % groups;
      multiply_transposed(product, panels, part_start(g.O, row_blocks, block), part_start(g.O, row_blocks, block + 1),
                          part_start(panels.count, groups, group), part_start(panels.count, groups, group + 1),
                          context.worker_as<float>(worker));
    }
  });
}

Workspace backward_input_workspace(const Step&) { return {0, product_scratch() * 4}; }
Workspace backward_weight_workspace(const Step&) { return {0, transposed_scratch() * 4}; }

#define SIZES {"P", "N", "I", "O"}

const Kernel kernels[] = {
    {"linear.forward",
     {"x[N I]", "w[O I]", "x2?[N I]", "w2?[O I]", "b?[O]", "y[N O]"},
     SIZES, {}, in_pairs<forward, 2>, pairs_workspace<forward_workspace>},
    {"linear.backwardInput",
     {"yBar[N O]", "w[O I]", "yBar2?[N O]", "w2?[O I]", "xBar[N I]"},
     SIZES, {}, in_pairs<backward_input>, pairs_workspace<backward_input_workspace>},
    {"linear.backwardWeight",
     {"x[N I]", "yBar[N O]", "x2?[N I]", "yBar2?[N O]", "wBar[O I]"},
     SIZES, {}, in_pairs<backward_weight>, pairs_workspace<backward_weight_workspace>},
};

}  // namespace

LIMBECK_KERNELS(linear, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
