#pragma once
#include "simd.h"

/** The counter-based generator: the same words as src/util/random.ts. */
namespace limbeck {
namespace LIMBECK_ISA {

struct Words {
  uint32_t w[4];
};

LIMBECK_INLINE uint32_t rotate_left(uint32_t x, int distance) { return x << distance | x >> (32 - distance); }

/** Threefry-4x32 with 20 rounds (Salmon et al. 2011). */
LIMBECK_INLINE Words threefry(const Words& key, const Words& counter) {
  constexpr int rotations[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5}, {6, 20}, {17, 11}, {25, 10}, {18, 20}};
  const uint32_t k[5] = {key.w[0], key.w[1], key.w[2], key.w[3],
                         0x1bd11bdau ^ key.w[0] ^ key.w[1] ^ key.w[2] ^ key.w[3]};
  uint32_t x0 = counter.w[0] + k[0], x1 = counter.w[1] + k[1], x2 = counter.w[2] + k[2], x3 = counter.w[3] + k[3];
  LIMBECK_UNROLL
  for (uint32_t round = 0; round < 20; round++) {
    const int* r = rotations[round % 8];
    if (round % 2 == 0) {
      x0 += x1;
      x1 = rotate_left(x1, r[0]) ^ x0;
      x2 += x3;
      x3 = rotate_left(x3, r[1]) ^ x2;
    } else {
      x0 += x3;
      x3 = rotate_left(x3, r[0]) ^ x0;
      x2 += x1;
      x1 = rotate_left(x1, r[1]) ^ x2;
    }
    if (round % 4 == 3) {
      const uint32_t injection = (round + 1) / 4;
      x0 += k[injection % 5];
      x1 += k[(injection + 1) % 5];
      x2 += k[(injection + 2) % 5];
      x3 += k[(injection + 3) % 5] + injection;
    }
  }
  return {{x0, x1, x2, x3}};
}

/** The middle of one of 2^24 cells of (0, 1). */
LIMBECK_INLINE double unit(uint32_t bits) { return (bits >> 8) * 0x1p-24 + 0x1p-25; }

}  // namespace LIMBECK_ISA
}  // namespace limbeck
