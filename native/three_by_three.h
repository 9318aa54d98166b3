#pragma once
#include "windows.h"

/** 3x3 convolutions of stride 1: the sizes that their kernels are called with, as src/engine/cpu/three-by-three.ts has them. */
namespace limbeck {
namespace LIMBECK_ISA {

#define LIMBECK_THREE_BY_THREE_SIZES {"P", "N", "C", "H", "W", "OC", "OH", "OW", "padding"}

struct ThreeByThree {
  int64_t P, N, C, H, W, OC, OH, OW, padding;

  explicit ThreeByThree(const Step& step)
      : P(step.sizes[0]),
        N(step.sizes[1]),
        C(step.sizes[2]),
        H(step.sizes[3]),
        W(step.sizes[4]),
        OC(step.sizes[5]),
        OH(step.sizes[6]),
        OW(step.sizes[7]),
        padding(step.sizes[8]) {}
};

inline const char* wrong_three_by_three(const Step& step, int64_t) {
  const ThreeByThree g(step);
  return WindowAxis{g.H, 3, 1, g.padding, g.OH}.fits() && WindowAxis{g.W, 3, 1, g.padding, g.OW}.fits() ? nullptr : kWrongWindows;
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
