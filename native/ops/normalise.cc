#include "../normalise.h"

#include "../chunks.h"

/** Recomputes the output of norm.forward from x and what it saved: once over memory, the same bits. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void recompute(const Step& step, const Context& context) {
  enum { X, Saved, Beta, Y };
  const int64_t P = step.sizes[0], planes = step.sizes[1], A = step.sizes[2], B = step.sizes[3];
  const int64_t C = step.sizes[4], map = step.sizes[5], groups = A * B;
  const double eps = step.constants[0];
  const auto plane = [&](int64_t p, int64_t i) {
    const int64_t q = step.place.first + i, c = q % C, group = q / C % A * B + c * B / C;
    const float* saved = step.f32(Saved, p);
    normalise_map(step.f32(X, p) + i * map, map, saved[group], inverse(saved[groups + group], eps), saved[2 * groups + c],
              step.f32(Beta, p)[c], step.f32(Y, p) + i * map);
  };
  const int64_t total = P * planes, together = max(1, kElements / map);
  context.pool.each(ceil_div(total, together), [&](int64_t chunk, int) {
    for (int64_t i = chunk * together; i < min((chunk + 1) * together, total); i++) plane(i / planes, i % planes);
  });
}

const char* wrong_sizes(const Step& step, int64_t parts) {
  return parts == 0 || step.sizes[1] == parts ? nullptr : "as many planes as are cut";
}

const Kernel kernels[] = {
    {"normalise.recompute",
     {"x[planes map]", "saved[2*A*B+C]", "beta[C]", "y[planes map]"},
     {"P", "planes", "A", "B", "C", "map"}, {"eps"}, recompute, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(normalise, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
