#include "../chunks.h"
#include "../convolution.h"
#include "../parallel.h"
#include "../three_by_three.h"

/**
 * 3x3 convolutions of stride 1 over few input channels, plane by plane of the output. The nine weights of each plane of a block stay
 * in registers while vectors go along the lines of the map. Each vector of the padded image is loaded once for the whole block.
 *
 *   forward         y += the nine shifted images of an input channel times their weights
 *   backwardWeight  nine sums of yBar times a shifted image, kept in registers over the whole map
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** A block of planes whose nine vectors of weights, or of sums, fit in registers beside those of its lines. */
constexpr int kPlanes = kAccumulators == 24 ? 2 : 1;
constexpr int kTaps = 9;

struct Geometry : ThreeByThree {
  int64_t width;   // of a line of a padded channel: whole cache lines
  int64_t plane;   // floats of a padded channel
  int64_t map;     // floats of an output plane
  int64_t pieces;  // of the batch of one member

  explicit Geometry(const Step& step)
      : ThreeByThree(step),
        width(round_up(OW + 2, 16)),
        plane((OH + 2) * width),
        map(OH * OW),
        pieces(chunks_of(work(), min(N, 64))) {}

  LIMBECK_INLINE int64_t work() const { return N * OC * map * C * kTaps; }
  LIMBECK_INLINE bool alone() const { return P * work() < 2 * kGrain; }
  /** Floats of a padded image; the last vector of a line may begin at its last pixel. */
  LIMBECK_INLINE int64_t padded_size() const { return round_up(C * plane + kLanes, 16); }
  LIMBECK_INLINE int64_t weights() const { return OC * C * kTaps; }

  /** An image `[C, H, W]` with zeros around it. */
  LIMBECK_INLINE void pad(const float* x, float* padded) const {
    for (int64_t i = 0; i < padded_size(); i += kLanes) store(padded + i, zero());
    for (int64_t c = 0; c < C; c++)
      for (int64_t h = 0; h < H; h++) copy_row(padded + c * plane + (h + padding) * width + padding, x + (c * H + h) * W, W);
  }

  /** Calls lines(first line, std::integral_constant<int, how many>): two at a time read four lines of the image, not six. */
  template <class F>
  LIMBECK_INLINE void each_lines(F&& lines) const {
    int64_t h = 0;
    for (; h + 2 <= OH; h += 2) lines(h, std::integral_constant<int, 2>());
    if (h < OH) lines(h, std::integral_constant<int, 1>());
  }

  /** Calls body(first pixel, lanes) for the vectors of a line. */
  template <class F>
  LIMBECK_INLINE void each_vector(F&& body) const {
    int64_t w = 0;
    for (; w + kLanes <= OW; w += kLanes) body(w, int64_t{kLanes});
    if (w < OW) body(w, OW - w);
  }
};

/** Calls term(line, tap, x) for every tap of `Lines` output lines with the pixels x that it sees, loaded once. */
template <int Lines, class F>
LIMBECK_INLINE void each_tap(const float* from, int64_t width, F&& term) {
  LIMBECK_UNROLL
  for (int row = 0; row < Lines + 2; row++) {
    LIMBECK_UNROLL
    for (int column = 0; column < 3; column++) {
      const Vec x = keep(load(from + row * width + column));
      LIMBECK_UNROLL
      for (int line = 0; line < Lines; line++)
        if (row - line >= 0 && row - line < 3) term(line, (row - line) * 3 + column, x);
    }
  }
}

/** Calls block(first plane, std::integral_constant<int, planes>) for blocks of the output planes. */
template <class F>
LIMBECK_INLINE void each_block(int64_t planes, F&& block) {
  int64_t oc = 0;
  for (; oc + kPlanes <= planes; oc += kPlanes) block(oc, std::integral_constant<int, kPlanes>());
  for (; oc < planes; oc++) block(oc, std::integral_constant<int, 1>());
}

/** Calls body(member, piece of the batch, scratch of a worker). */
template <class F>
LIMBECK_INLINE void each_piece(const Geometry& g, const Context& context, F&& body) {
  each_chunk(context, g.alone(), g.P * g.pieces, [&](int64_t chunk, int worker) {
    body(chunk / g.pieces, chunk % g.pieces, context.worker_as<float>(worker));
  });
}

// ---------------------------------------------------------------- forward

/** y (+)= channel * w (+ bias) for a block of planes. */
template <int Planes>
inline void add_channel(const Geometry g, const float* channel, const float* w, const float* bias, bool add, float* y) {
  Vec weights[Planes][kTaps];
  LIMBECK_UNROLL
  for (int i = 0; i < Planes; i++)
    for (int t = 0; t < kTaps; t++) weights[i][t] = broadcast(w[i * g.C * kTaps + t]);
  g.each_lines([&](int64_t h, auto lines) {
    g.each_vector([&](int64_t column, int64_t n) {
      float* to = y + h * g.OW + column;
      Vec sums[Planes][lines];
      LIMBECK_UNROLL
      for (int i = 0; i < Planes; i++)
        for (int line = 0; line < lines; line++)
          sums[i][line] = (bias ? broadcast(bias[i]) : zero()) + (add ? get(to + i * g.map + line * g.OW, n) : zero());
      each_tap<lines>(channel + h * g.width + column, g.width, [&](int line, int tap, Vec x) {
        LIMBECK_UNROLL
        for (int i = 0; i < Planes; i++) sums[i][line] = fma(weights[i][tap], x, sums[i][line]);
      });
      LIMBECK_UNROLL
      for (int i = 0; i < Planes; i++)
        for (int line = 0; line < lines; line++) put(to + i * g.map + line * g.OW, sums[i][line], n);
    });
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, W, X2, W2, B, Y };
  const Geometry g(step);
  each_piece(g, context, [&](int64_t p, int64_t piece, float* padded) {
    const float* b = step.has(B) ? step.f32(B, p) : nullptr;
    for (int64_t n = part_start(g.N, g.pieces, piece); n < part_start(g.N, g.pieces, piece + 1); n++) {
      for (int pair = X; pair <= X2 && step.has(pair); pair += 2) {
        g.pad(step.f32(pair, p) + n * g.C * g.H * g.W, padded);
        each_block(g.OC, [&](int64_t oc, auto planes) {
          float* y = step.f32(Y, p) + (n * g.OC + oc) * g.map;
          for (int64_t c = 0; c < g.C; c++) {
            const bool first = pair == X && c == 0;
            add_channel<planes>(g, padded + c * g.plane, step.f32(pair + 1, p) + (oc * g.C + c) * kTaps,
                                first && b ? b + oc : nullptr, step.accumulate || !first, y);
          }
        });
      }
    }
  });
}

Workspace forward_workspace(const Step& step) {
  return {0, Geometry(step).padded_size() * 4};
}

// ---------------------------------------------------------------- backward to the weights

/** w (+)= the sums of yBar times the shifted images of a channel, for a block of planes. */
template <int Planes>
inline void sum_channel(const Geometry g, const float* channel, const float* y_bar, bool add, float* w) {
  Vec sums[Planes][kTaps];
  LIMBECK_UNROLL
  for (int i = 0; i < Planes; i++)
    for (int t = 0; t < kTaps; t++) sums[i][t] = zero();
  g.each_lines([&](int64_t h, auto lines) {
    g.each_vector([&](int64_t column, int64_t n) {
      const float* bars = y_bar + h * g.OW + column;
      Vec bar[Planes][lines];
      LIMBECK_UNROLL
      for (int i = 0; i < Planes; i++)
        for (int line = 0; line < lines; line++) bar[i][line] = get(bars + i * g.map + line * g.OW, n);
      each_tap<lines>(channel + h * g.width + column, g.width, [&](int line, int tap, Vec x) {
        LIMBECK_UNROLL
        for (int i = 0; i < Planes; i++) sums[i][tap] = fma(bar[i][line], x, sums[i][tap]);
      });
    });
  });
  LIMBECK_UNROLL
  for (int i = 0; i < Planes; i++) {
    float* to = w + i * g.C * kTaps;
    for (int t = 0; t < kTaps; t++) to[t] = (add ? to[t] : 0) + sum(sums[i][t]);
  }
}

/** The sums over a piece of the batch of member p. */
inline void sum_piece(const Geometry& g, const Step& step, int64_t p, int64_t piece, bool accumulate, float* padded, float* to) {
  enum { X, YBar, X2 };
  const int64_t first = part_start(g.N, g.pieces, piece);
  for (int64_t n = first; n < part_start(g.N, g.pieces, piece + 1); n++) {
    for (int pair = X; pair <= X2 && step.has(pair); pair += 2) {
      g.pad(step.f32(pair, p) + n * g.C * g.H * g.W, padded);
      const bool add = accumulate || n > first || pair > 0;
      each_block(g.OC, [&](int64_t oc, auto planes) {
        const float* y_bar = step.f32(pair + 1, p) + (n * g.OC + oc) * g.map;
        for (int64_t c = 0; c < g.C; c++)
          sum_channel<planes>(g, padded + c * g.plane, y_bar, add, to + (oc * g.C + c) * kTaps);
      });
    }
  }
}

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, X2, YBar2, WBar };
  const Geometry g(step);
  const int64_t weights = g.weights();
  if (g.pieces == 1) {
    each_piece(g, context, [&](int64_t p, int64_t, float* padded) {
      sum_piece(g, step, p, 0, step.accumulate, padded, step.f32(WBar, p));
    });
    return;
  }
  float* partial = context.shared_as<float>();
  each_piece(g, context, [&](int64_t p, int64_t piece, float* padded) {
    sum_piece(g, step, p, piece, false, padded, partial + (p * g.pieces + piece) * weights);
  });
  each_part(context.pool, g.P, weights, max(1024, 2 * kElements / g.pieces), [&](int64_t p, int64_t from, int64_t to) {
    add_parts(step.f32(WBar, p), partial + p * g.pieces * weights, g.pieces, weights, from, to, step.accumulate);
  });
}

Workspace backward_weight_workspace(const Step& step) {
  const Geometry g(step);
  return {g.pieces == 1 ? 0 : g.P * g.pieces * g.weights() * 4, g.padded_size() * 4};
}

const Kernel kernels[] = {
    {"fewchannels.forward",
     {"x[N C H W]", "w[OC C 9]", "x2?[N C H W]", "w2?[OC C 9]", "b?[OC]", "y[N OC OH OW]"},
     LIMBECK_THREE_BY_THREE_SIZES, {}, forward, forward_workspace, wrong_three_by_three},
    {"fewchannels.backwardWeight",
     {"x[N C H W]", "yBar[N OC OH OW]", "x2?[N C H W]", "yBar2?[N OC OH OW]", "wBar[OC C 9]"},
     LIMBECK_THREE_BY_THREE_SIZES, {}, backward_weight, backward_weight_workspace, wrong_three_by_three},
};

}  // namespace

LIMBECK_KERNELS(fewchannels, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
