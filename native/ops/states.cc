#include "../chunks.h"

/** The states of several draws in succession. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

void following(const Step& step, const Context&) {
  enum { State, States };
  const int64_t P = step.sizes[0], count = step.sizes[1];
  const uint32_t* state = step.u32(State, 0);
  for (int64_t p = 0; p < P; p++) {
    uint32_t* states = step.u32(States, p);
    for (int64_t t = 0; t < count; t++) {
      for (int64_t i = 0; i < 4; i++) states[4 * t + i] = state[i];
      states[4 * t + 2] += static_cast<uint32_t>(t);
    }
  }
}

const Kernel kernels[] = {
    {"states.following", {"state[4]", "states[count 4]"}, {"P", "count"}, {}, following, nullptr},
};

}  // namespace

LIMBECK_KERNELS(states, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
