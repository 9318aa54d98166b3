#include "../pooled_forward.h"
#include "../sparse.h"
#include "../windows.h"

/**
 * A convolution with max pooling of its output (pooled_forward.h), and gradients of a convolution behind max pooling, from the
 * gradient y_bar of the pooling's output and the places `index` of its winners (sparse.h). Cut by members and images; the weight gradient of each piece goes to its own partial sum.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Pooled {
  Convolution g;
  Sparse sparse;
  int64_t outputs;  // of the pooling, in a map
  int64_t work;     // multiply-adds
  explicit Pooled(const Step& step)
      : g(step), sparse(g), outputs(step.sizes[14]), work(g.N * g.OC * outputs * g.KH * sparse.row) {}

  LIMBECK_INLINE int64_t pieces(int64_t limit) const { return alone() ? 1 : chunks_of(work, min(g.N, limit)); }
  LIMBECK_INLINE bool alone() const { return g.P * work < 2 * kGrain; }

  /** Finds the nonzeros of the maps of an image, for SparseWeights and SparseInput. */
  LIMBECK_INLINE auto finder(const float* y_bar, const uint32_t* index, int64_t image) const {
    return [=, first = image * g.OC, last = g.OH * g.OW - 1](Nonzeros& nonzeros, int64_t oc) {
      nonzeros.find(y_bar + (first + oc) * outputs, index + (first + oc) * outputs, outputs, last);
    };
  }
};

/** Calls body(member, piece, first image, last image + 1, worker). */
template <class F>
LIMBECK_INLINE void each_images(const Pooled& s, int64_t pieces, const Context& context, F&& body) {
  each_chunk(context, s.alone(), s.g.P * pieces, [&](int64_t chunk, int worker) {
    const int64_t piece = chunk % pieces;
    body(chunk / pieces, piece, part_start(s.g.N, pieces, piece), part_start(s.g.N, pieces, piece + 1), worker);
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, W, B, Y, Index };
  const Convolution g(step);
  const PooledForward plan(g);
  const int64_t weights = plan.packed_size(), groups = ceil_div(g.N, kLanes);
  const int64_t matrices = step.operands[W].stride == 0 ? 1 : g.P;
  float* packed = context.shared_as<float>();
  int32_t* offsets = reinterpret_cast<int32_t*>(packed + matrices * weights);
  plan.fill_offsets(offsets);
  for (int64_t p = 0; p < matrices; p++) plan.pack(step.f32(W, p), packed + p * weights);
  const int64_t pieces = chunks_of(g.work(), groups);
  const auto one = [&](int64_t chunk, int worker) {
    const int64_t p = chunk / pieces, piece = chunk % pieces;
    float* scratch = context.worker_as<float>(worker);
    zero_floats(scratch, plan.image_size() * kLanes);
    for (int64_t group = part_start(groups, pieces, piece); group < part_start(groups, pieces, piece + 1); group++) {
      const int64_t i = group * kLanes;
      plan.run(offsets, packed + (matrices == 1 ? 0 : p) * weights, step.has(B) ? step.f32(B, p) : nullptr,
               step.f32(X, p) + i * g.x_size(), min(kLanes, g.N - i), scratch, step.f32(Y, p) + i * plan.outputs(),
               step.u32(Index, p) + i * plan.outputs());
    }
  };
  if (g.P * g.work() < 2 * kGrain) {
    for (int64_t p = 0; p < g.P; p++) one(p, 0);
  } else {
    context.pool.each(g.P * pieces, one);
  }
}

Workspace forward_workspace(const Step& step) {
  const Convolution g(step);
  const PooledForward plan(g);
  const int64_t matrices = step.operands[1].stride == 0 ? 1 : g.P;
  return {(matrices * plan.packed_size() + plan.depth()) * 4, plan.scratch() * 4};
}

void backward_input(const Step& step, const Context& context) {
  enum { YBar, W, YBar2, W2, Index, XBar };
  const Pooled s(step);
  const int64_t pairs = step.has(YBar2) ? 2 : 1;
  each_images(s, s.pieces(128), context, [&](int64_t p, int64_t, int64_t first, int64_t end, int worker) {
    SparseInput input(s.g, pairs, context.worker_as<float>(worker));
    for (int64_t pair = 0; pair < pairs; pair++) input.weights(pair, step.f32(pair ? W2 : W, p));
    for (int64_t i = first; i < end; i++) {
      input.begin();
      for (int64_t pair = 0; pair < pairs; pair++)
        input.add(pair, s.finder(step.f32(pair ? YBar2 : YBar, p), step.u32(Index, p), i));
      input.write(step.accumulate, step.f32(XBar, p) + i * s.g.x_size());
    }
  });
}

Workspace backward_input_workspace(const Step& step) {
  const Pooled s(step);
  return {0, s.sparse.input_scratch(s.g, 2) * 4};
}

constexpr int64_t kMostPieces = 32;

void backward_weight(const Step& step, const Context& context) {
  enum { X, YBar, X2, YBar2, Index, WBar };
  const Pooled s(step);
  const int64_t pairs = step.has(X2) ? 2 : 1, pieces = s.pieces(kMostPieces), weights = s.g.OC * s.g.C * s.g.taps;
  float* partial = context.shared_as<float>();
  each_images(s, pieces, context, [&](int64_t p, int64_t piece, int64_t first, int64_t end, int worker) {
    SparseWeights sums(s.g, context.worker_as<float>(worker));
    for (int64_t i = first; i < end; i++)
      for (int64_t pair = 0; pair < pairs; pair++)
        sums.add(step.f32(pair ? X2 : X, p) + i * s.g.x_size(),
                 s.finder(step.f32(pair ? YBar2 : YBar, p), step.u32(Index, p), i));
    sums.write(partial + (p * pieces + piece) * weights);
  });
  for (int64_t p = 0; p < s.g.P; p++)
    add_parts(step.f32(WBar, p), partial + p * pieces * weights, pieces, weights, 0, weights, step.accumulate);
}

Workspace backward_weight_workspace(const Step& step) {
  const Pooled s(step);
  return {s.g.P * s.pieces(kMostPieces) * s.g.OC * s.g.C * s.g.taps * 4, s.sparse.weights_scratch(s.g) * 4};
}

/** For both gradients; the places in `index` are bounded where they are read (sparse.h). */
const char* wrong_backward(const Step& step, int64_t) {
  const int64_t* s = step.sizes;
  if (const char* wrong = wrong_convolution_sizes(step)) return wrong;
  if (s[12] != 1 || s[13] != 1) return "G 1 and dilation 1";
  return s[14] <= s[8] * s[9] ? nullptr : "at most OH OW outputs";
}

const char* wrong_forward(const Step& step, int64_t) {
  const int64_t* s = step.sizes;
  if (const char* wrong = wrong_backward(step, 0)) return wrong;
  return s[10] == 1 && s[8] % 2 == 0 && s[9] % 2 == 0 && s[14] == s[8] * s[9] / 4 ? nullptr
                                                                               : "stride 1, even OH and OW, and OH OW / 4 outputs";
}

#define SIZES {"P", "N", "C", "H", "W", "OC", "KH", "KW", "OH", "OW", "stride", "padding", "G", "dilation", "outputs"}

const Kernel kernels[] = {
    {"pooled.forward",
     {"x[N C H W]", "w[OC C KH KW]", "b?[OC]", "y[N OC outputs]", "index[N OC outputs]"},
     SIZES, {}, forward, forward_workspace, wrong_forward},
    {"pooled.backwardInput",
     {"yBar[N OC outputs]", "w[OC C KH KW]", "yBar2?[N OC outputs]", "w2?[OC C KH KW]", "index[N OC outputs]",
      "xBar[N C H W]"},
     SIZES, {}, backward_input, backward_input_workspace, wrong_backward},
    {"pooled.backwardWeight",
     {"x[N C H W]", "yBar[N OC outputs]", "x2?[N C H W]", "yBar2?[N OC outputs]", "index[N OC outputs]",
      "wBar[OC C KH KW]"},
     SIZES, {}, backward_weight, backward_weight_workspace, wrong_backward},
};

}  // namespace

LIMBECK_KERNELS(pooled, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
