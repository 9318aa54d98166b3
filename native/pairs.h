#pragma once
#include "kernel.h"

/**
 * Bilinear kernels take one pair of factors or two, `(x, w, x2, w2, rest)`. Here a kernel of one pair, written for
 * `(x, w, rest)`, runs for each of them, the second time adding.
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** The step of one pair out of two. */
LIMBECK_INLINE Step of_pair(const Step& step, int pair) {
  Step one = step;
  for (int i = 0; i < 2; i++) one.operands[i] = step.operands[2 * pair + i];
  for (int i = 2; i + 2 < kMaxOperands; i++) one.operands[i] = step.operands[i + 2];
  return one;
}

/** `kBias` is the place behind the pair of an operand that is added once; 0 where there is none. */
template <void (*run)(const Step&, const Context&), int kBias = 0>
void in_pairs(const Step& step, const Context& context) {
  run(of_pair(step, 0), context);
  if (!step.has(2)) return;
  Step second = of_pair(step, 1);
  second.accumulate = true;
  if (kBias) second.operands[kBias].base = nullptr;
  run(second, context);
}

template <Workspace (*workspace)(const Step&)>
Workspace pairs_workspace(const Step& step) {
  const Workspace first = workspace(of_pair(step, 0));
  if (!step.has(2)) return first;
  const Workspace second = workspace(of_pair(step, 1));
  return {first.shared > second.shared ? first.shared : second.shared,
          first.worker > second.worker ? first.worker : second.worker};
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
