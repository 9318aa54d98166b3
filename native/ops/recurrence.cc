#include <cstring>

#include "../cells.h"
#include "../product.h"

/**
 * Recurrent layers, all steps of one direction. Samples do not depend on each other, so a worker takes some rows of the batch through all
 * steps and threads meet once a layer. For its rows a step is one product with the weights, which are put into panels once and stay in
 * the second-level cache, and one loop over units with all gates together.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Rows of the batch that go together: two tiles high. */
constexpr int64_t kRows = 16;

struct Geometry {
  int64_t P, N, T, H, G, given;
  bool reverse;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        T(step.sizes[2]),
        H(step.sizes[3]),
        G(step.sizes[4]),
        given(step.sizes[5]),
        reverse(step.sizes[6] != 0) {}
  LIMBECK_INLINE int64_t width() const { return G * H; }
  LIMBECK_INLINE int64_t blocks() const { return ceil_div(N, kRows); }
  LIMBECK_INLINE int64_t rows() const { return ceil_div(N, blocks()); }
  /** The place in time of step k of the walk. */
  LIMBECK_INLINE int64_t time(int64_t k) const { return reverse ? T - 1 - k : k; }
};

/** Weights `[depth, columns]` as panels for the rows of a block, of which the last is filled up with zeros. */
struct Weights {
  int64_t depth, columns;
  Panels panels;
  Weights(const Geometry& g, int64_t depth, int64_t columns)
      : depth(depth), columns(columns), panels(g.rows(), columns) {}
  LIMBECK_INLINE int64_t size() const { return panels.vectors * kLanes * depth; }

  inline void pack(const float* w, float* packed) const {
    for (int64_t panel = 0; panel < panels.count; panel++) {
      const int64_t column = panels.start(panel) * kLanes, width = panels.start(panel + 1) * kLanes - column;
      const int64_t there = min(width, columns - column);
      float* to = packed + column * depth;
      for (int64_t k = 0; k < depth; k++, to += width) {
        memcpy(to, w + k * columns + column, static_cast<size_t>(there) * sizeof(float));
        for (int64_t j = there; j < width; j++) to[j] = 0;
      }
    }
  }

  /** c = a w + bias for so many rows of a `[rows, depth]`. */
  LIMBECK_INLINE void multiply(const float* a, const float* packed, int64_t rows, const float* bias, float* c) const {
    const Product product{rows, columns, depth, a, depth, 1, packed, 0, true, c, columns, bias, false};
    limbeck::LIMBECK_ISA::multiply(product, panels, 0, rows, 0, panels.count, nullptr);
  }
};

/** Calls body(member, first row, rows, packed weights, scratch of `width` floats a row) for every block of rows. */
template <class F>
LIMBECK_INLINE void each_block(const Geometry& g, const Step& step, const Context& context, int operand,
                               const Weights& weights, F&& body) {
  const int64_t matrices = step.operands[operand].stride == 0 ? 1 : g.P;
  float* packed = context.shared_as<float>();
  context.pool.each(matrices, [&](int64_t p, int) { weights.pack(step.f32(operand, p), packed + p * weights.size()); });
  const int64_t blocks = g.blocks(), work = g.N * g.T * g.width() * g.H;
  each_chunk(context, g.P * work < 2 * kGrain, g.P * blocks, [&](int64_t chunk, int worker) {
    const int64_t p = chunk / blocks, n0 = part_start(g.N, blocks, chunk % blocks);
    body(p, n0, part_start(g.N, blocks, chunk % blocks + 1) - n0, packed + (matrices == 1 ? 0 : p) * weights.size(),
         context.worker_as<float>(worker));
  });
}

/** Calls body(row of the block, unit, units) for vectors of units. */
template <class F>
LIMBECK_INLINE void each_units(int64_t rows, int64_t H, F&& body) {
  for (int64_t row = 0; row < rows; row++) {
    int64_t u = 0;
    for (; u + kLanes <= H; u += kLanes) body(row, u, int64_t{kLanes});
    if (u < H) body(row, u, H - u);
  }
}

/** Tensors `[T, N, count * H]` of one member: the units from u on of a sample at step k of the walk, null beyond its ends. */
struct Steps {
  const Geometry& g;
  float* base;
  int64_t count;
  LIMBECK_INLINE float* row(int64_t k, int64_t n) const {
    return k < 0 || k >= g.T ? nullptr : base + (g.time(k) * g.N + n) * count * g.H;
  }
  LIMBECK_INLINE Units at(int64_t k, int64_t n, int64_t u, int64_t units) const {
    float* const first = row(k, n);
    return {first ? first + u : nullptr, g.H, units};
  }
};

/** Sums of all gates of step k: what is given, the bias, and the step before (where there is one) times the weights. */
template <class Cell, class Put>
LIMBECK_INLINE void walk(const Geometry& g, const Weights& weights, const float* packed, const float* bias, Steps given,
                         Steps h, int64_t n0, int64_t rows, float* sums, Put&& put_step) {
  for (int64_t k = 0; k < g.T; k++) {
    if (k > 0) {
      weights.multiply(h.row(k - 1, n0), packed, rows, bias, sums);
    } else {
      for (int64_t row = 0; row < rows; row++)
        memcpy(sums + row * g.width(), bias, static_cast<size_t>(g.width()) * sizeof(float));
    }
    each_units(rows, g.H, [&](int64_t row, int64_t u, int64_t n) {
      const Units sum{sums + row * g.width() + u, g.H, n}, own = given.at(k, n0 + row, u, n);
      Vec z[Cell::gates];
      LIMBECK_UNROLL
      for (int gate = 0; gate < Cell::gates; gate++) z[gate] = sum[gate] + own[gate];
      put_step(z, k, n0 + row, u, n);
    });
  }
}

/** Whole gradients of h against the walk: what is given (for all steps or the last) and the step behind times the weights. */
template <class Put>
LIMBECK_INLINE void walk_back(const Geometry& g, const Weights& weights, const float* packed, const float* given,
                              Steps z_bar, int64_t n0, int64_t rows, float* sums, Put&& put_step) {
  for (int64_t k = g.T - 1; k >= 0; k--) {
    const bool behind = k + 1 < g.T, here = g.given == g.T || !behind;
    const float* own = given + (g.given == g.T ? g.time(k) * g.N * g.H : 0);
    if (behind) weights.multiply(z_bar.row(k + 1, n0), packed, rows, nullptr, sums);
    each_units(rows, g.H, [&](int64_t row, int64_t u, int64_t n) {
      Vec h_bar = behind ? get(sums + row * g.H + u, n) : zero();
      if (here) h_bar += get(own + (n0 + row) * g.H + u, n);
      put_step(h_bar, k, n0 + row, u, n);
    });
  }
}

template <class Cell>
void forward_of(const Step& step, const Context& context) {
  enum { A, WT, B, HOut, Kept };
  const Geometry g(step);
  const Weights weights(g, g.H, g.width());
  each_block(g, step, context, WT, weights,
             [&](int64_t p, int64_t n0, int64_t rows, const float* packed, float* sums) {
               const Steps a{g, step.f32(A, p), Cell::gates}, h{g, step.f32(HOut, p), 1};
               const Steps kept{g, step.f32(Kept, p), Cell::kept};
               walk<Cell>(g, weights, packed, step.f32(B, p), a, h, n0, rows, sums,
                          [&](const Vec* z, int64_t k, int64_t n, int64_t u, int64_t units) {
                            Cell::forward(z, kept.at(k - 1, n, u, units), h.at(k, n, u, units), kept.at(k, n, u, units));
                          });
             });
}

template <class Cell>
void tangent_of(const Step& step, const Context& context) {
  enum { ADot, WT, BDot, Kept, HDot, KeptDot };
  const Geometry g(step);
  const Weights weights(g, g.H, g.width());
  each_block(g, step, context, WT, weights,
             [&](int64_t p, int64_t n0, int64_t rows, const float* packed, float* sums) {
               const Steps a{g, step.f32(ADot, p), Cell::gates}, h{g, step.f32(HDot, p), 1};
               const Steps kept{g, step.f32(Kept, p), Cell::kept}, kept_dot{g, step.f32(KeptDot, p), Cell::kept};
               walk<Cell>(g, weights, packed, step.f32(BDot, p), a, h, n0, rows, sums,
                          [&](const Vec* z, int64_t k, int64_t n, int64_t u, int64_t units) {
                            Cell::tangent(z, kept.at(k, n, u, units), kept.at(k - 1, n, u, units),
                                          kept_dot.at(k - 1, n, u, units), h.at(k, n, u, units),
                                          kept_dot.at(k, n, u, units));
                          });
             });
}

template <class Cell>
void backward_of(const Step& step, const Context& context) {
  enum { HBar, W, Kept, ZBar, Bars };
  const Geometry g(step);
  const Weights weights(g, g.width(), g.H);
  each_block(g, step, context, W, weights,
             [&](int64_t p, int64_t n0, int64_t rows, const float* packed, float* sums) {
               const Steps kept{g, step.f32(Kept, p), Cell::kept}, z_bar{g, step.f32(ZBar, p), Cell::gates};
               const Steps bars{g, step.f32(Bars, p), Cell::bars};
               walk_back(g, weights, packed, step.f32(HBar, p), z_bar, n0, rows, sums,
                         [&](Vec h_bar, int64_t k, int64_t n, int64_t u, int64_t units) {
                           Cell::backward(h_bar, kept.at(k, n, u, units), kept.at(k - 1, n, u, units),
                                          kept.at(k + 1, n, u, units), bars.at(k + 1, n, u, units),
                                          z_bar.at(k, n, u, units), bars.at(k, n, u, units));
                         });
             });
}

template <class Cell>
void tangent_backward_of(const Step& step, const Context& context) {
  enum { HBarDot, W, Kept, KeptDot, Bars, ZBarDot, BarsDot };
  const Geometry g(step);
  const Weights weights(g, g.width(), g.H);
  each_block(g, step, context, W, weights,
             [&](int64_t p, int64_t n0, int64_t rows, const float* packed, float* sums) {
               const Steps kept{g, step.f32(Kept, p), Cell::kept}, kept_dot{g, step.f32(KeptDot, p), Cell::kept};
               const Steps bars{g, step.f32(Bars, p), Cell::bars}, bars_dot{g, step.f32(BarsDot, p), Cell::bars};
               const Steps z_bar_dot{g, step.f32(ZBarDot, p), Cell::gates};
               walk_back(g, weights, packed, step.f32(HBarDot, p), z_bar_dot, n0, rows, sums,
                         [&](Vec h_bar_dot, int64_t k, int64_t n, int64_t u, int64_t units) {
                           const auto at = [&](const Steps& steps, int64_t by) { return steps.at(k + by, n, u, units); };
                           const Around around{at(kept, 0),     at(kept_dot, 0), at(bars, 0),
                                               at(kept, -1),    at(kept_dot, -1), at(kept, 1),
                                               at(kept_dot, 1), at(bars, 1),     at(bars_dot, 1)};
                           Cell::tangent_backward(h_bar_dot, around, at(z_bar_dot, 0), at(bars_dot, 0));
                         });
             });
}

/** The weights of every member in panels, and sums of all gates for the rows of a block (of all units, for the gradients). */
template <int kOperand, bool kBack>
Workspace workspace(const Step& step) {
  const Geometry g(step);
  const Weights weights(g, kBack ? g.width() : g.H, kBack ? g.H : g.width());
  const int64_t matrices = step.operands[kOperand].stride == 0 ? 1 : g.P;
  return {matrices * weights.size() * 4, g.rows() * weights.columns * 4};
}

#define OF_CELL(name)                                   \
  void name(const Step& step, const Context& context) { \
    if (step.sizes[4] == LstmCell::gates) {             \
      name##_of<LstmCell>(step, context);               \
    } else {                                            \
      name##_of<TanhCell>(step, context);               \
    }                                                   \
  }
OF_CELL(forward)
OF_CELL(tangent)
OF_CELL(backward)
OF_CELL(tangent_backward)

const char* wrong_sizes(const Step& step, int64_t) {
  const Geometry g(step);
  if (g.N < 1 || g.T < 1 || g.H < 1) return "at least one sample, step and unit";
  if (g.G != TanhCell::gates && g.G != LstmCell::gates) return "the 1 or 4 gates G of a cell";
  return g.given == 1 || g.given == g.T ? nullptr : "gradients given of all T steps or of 1";
}

#define SIZES {"P", "N", "T", "H", "G", "given", "reverse"}
// Of 1 gate 1 number is kept and 1 gradient, of 4 gates 5 and 2.
#define KEPT "[T N G*H+G/4*H]"
#define BARS "[T N H+G/4*H]"

const Kernel kernels[] = {
    {"recurrence.forward",
     {"a[T N G*H]", "wT[H G*H]", "b[G*H]", "h[T N H]", "kept" KEPT},
     SIZES, {}, forward, workspace<1, false>, wrong_sizes},
    {"recurrence.tangent",
     {"aDot[T N G*H]", "wT[H G*H]", "bDot[G*H]", "kept" KEPT, "hDot[T N H]", "keptDot" KEPT},
     SIZES, {}, tangent, workspace<1, false>, wrong_sizes},
    {"recurrence.backward",
     {"hBar[given N H]", "w[G*H H]", "kept" KEPT, "zBar[T N G*H]", "bars" BARS},
     SIZES, {}, backward, workspace<1, true>, wrong_sizes},
    {"recurrence.tangentBackward",
     {"hBarDot[given N H]", "w[G*H H]", "kept" KEPT, "keptDot" KEPT, "bars" BARS, "zBarDot[T N G*H]", "barsDot" BARS},
     SIZES, {}, tangent_backward, workspace<1, true>, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(recurrence, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
