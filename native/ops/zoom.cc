#include "../chunks.h"

/** Zoomed sub-pictures: whole weights in sums of four, one multiplication at the end; cut by maps. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Between which two pixels of a picture a pixel of an item lies, and what each counts, in parts of twice the size. */
struct Pair {
  int64_t at[2];
  float weight[2];
};

/** One axis: F sub-pictures of `size` pixels in `whole`. */
struct Axis {
  int64_t whole, F, size;
  Axis(int64_t whole, int64_t F) : whole(whole), F(F), size(ceil_div(whole, F)) {}
  /** Pixel `to` of the item of sub-picture `part`; past the end of the picture its last pixel is repeated. */
  LIMBECK_INLINE Pair pair(int64_t part, int64_t to) const {
    const int64_t unit = 2 * whole;
    const int64_t place = max(0, min((2 * to + 1) * size - whole, unit * (size - 1)));
    const int64_t low = place / unit, rest = place % unit;
    return {{min(part * size + low, whole - 1), min(part * size + low + 1, whole - 1)},
            {static_cast<float>(unit - rest), static_cast<float>(rest)}};
  }
};

struct Geometry {
  int64_t P, maps, C, F;
  Axis rows, columns;
  float share;
  explicit Geometry(const Step& step)
      : P(step.sizes[0]),
        maps(step.sizes[1] * step.sizes[2]),
        C(step.sizes[2]),
        F(step.sizes[5]),
        rows(step.sizes[3], F),
        columns(step.sizes[4], F),
        share(static_cast<float>(1.0 / static_cast<double>(4 * rows.whole * columns.whole))) {}
  LIMBECK_INLINE int64_t map_size() const { return rows.whole * columns.whole; }
  /** First element of channel c of item `part` of picture n, where map = n C + c. */
  LIMBECK_INLINE int64_t item(int64_t map, int64_t part) const {
    return ((map / C * F * F + part) * C + map % C) * map_size();
  }
};

/** Calls body(member, map, pairs of the columns) for every map of the pictures; `pairs` [F, W] is made anew by every chunk. */
template <class T>
LIMBECK_INLINE void each_picture_map(const Geometry& g, const Context& context, T&& body) {
  const int64_t work = g.maps * g.F * g.F * g.map_size();
  const int64_t pieces = min(g.maps, max(1, work / kElements));
  context.pool.each(g.P * pieces, [&](int64_t chunk, int worker) {
    Pair* pairs = context.worker_as<Pair>(worker);
    for (int64_t part = 0; part < g.F; part++)
      for (int64_t w = 0; w < g.columns.whole; w++) pairs[part * g.columns.whole + w] = g.columns.pair(part, w);
    const int64_t piece = chunk % pieces;
    for (int64_t map = g.maps * piece / pieces; map < g.maps * (piece + 1) / pieces; map++)
      body(chunk / pieces, map, pairs);
  });
}

Workspace pairs_workspace(const Step& step) {
  const Geometry g(step);
  return {0, g.F * g.columns.whole * static_cast<int64_t>(sizeof(Pair))};
}

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const Geometry g(step);
  const int64_t H = g.rows.whole, W = g.columns.whole;
  each_picture_map(g, context, [&](int64_t p, int64_t map, const Pair* pairs) {
    const float* x = step.f32(X, p) + map * g.map_size();
    for (int64_t part = 0; part < g.F * g.F; part++) {
      float* y = step.f32(Y, p) + g.item(map, part);
      const Pair* columns = pairs + part % g.F * W;
      for (int64_t h = 0; h < H; h++) {
        const Pair row = g.rows.pair(part / g.F, h);
        const float *upper = x + row.at[0] * W, *lower = x + row.at[1] * W;
        for (int64_t w = 0; w < W; w++) {
          const Pair& c = columns[w];
          const float above = c.weight[0] * upper[c.at[0]] + c.weight[1] * upper[c.at[1]];
          const float below = c.weight[0] * lower[c.at[0]] + c.weight[1] * lower[c.at[1]];
          y[h * W + w] = g.share * (row.weight[0] * above + row.weight[1] * below);
        }
      }
    }
  });
}

void backward(const Step& step, const Context& context) {
  enum { YBar, XBar };
  const Geometry g(step);
  const int64_t H = g.rows.whole, W = g.columns.whole;
  each_picture_map(g, context, [&](int64_t p, int64_t map, const Pair* pairs) {
    float* x_bar = step.f32(XBar, p) + map * g.map_size();
    for (int64_t i = 0; i < g.map_size(); i++) x_bar[i] = 0;
    for (int64_t part = 0; part < g.F * g.F; part++) {
      const float* y_bar = step.f32(YBar, p) + g.item(map, part);
      const Pair* columns = pairs + part % g.F * W;
      for (int64_t h = 0; h < H; h++) {
        const Pair row = g.rows.pair(part / g.F, h);
        for (int side = 0; side < 2; side++) {
          float* to = x_bar + row.at[side] * W;
          for (int64_t w = 0; w < W; w++) {
            const Pair& c = columns[w];
            const float value = row.weight[side] * y_bar[h * W + w];
            to[c.at[0]] += c.weight[0] * value;
            to[c.at[1]] += c.weight[1] * value;
          }
        }
      }
    }
    for (int64_t i = 0; i < g.map_size(); i++) x_bar[i] *= g.share;
  });
}

#define SIZES {"P", "N", "C", "H", "W", "F"}

const Kernel kernels[] = {
    {"zoom.forward", {"x[N C H W]", "y[N F F C H W]"}, SIZES, {}, forward, pairs_workspace},
    {"zoom.backward", {"yBar[N F F C H W]", "xBar[N C H W]"}, SIZES, {}, backward, pairs_workspace},
};

}  // namespace

LIMBECK_KERNELS(zoom, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
