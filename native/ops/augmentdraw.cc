#include <cmath>

#include "../simd.h"
#include "../threefry.h"

/** Rows for augment.cc, made in double and rounded once: a few hundred of them at most, so one thread does. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kColumns = 8;
enum Kind { Warp, Colour, Cutout };
/** In the order of `families` in augmentdraw.ts. */
enum Family { Color, Crop, CutOut, Flip, Scale, Rotate, Families };

/** Number `index` of the families whose bits are set. */
LIMBECK_INLINE int chosen(int64_t families, uint32_t index) {
  for (int family = 0; family < Families; family++)
    if (families >> family & 1 && index-- == 0) return family;
  return Color;
}

/** A whole number from -most to most. */
LIMBECK_INLINE double shift(uint32_t word, int64_t most) {
  return static_cast<double>(word % (2 * most + 1) - most);
}

/** The first pixel of `size` whose middle is anywhere from 0 to `side`. */
LIMBECK_INLINE double cut(uint32_t word, int64_t size, int64_t side) {
  return static_cast<double>(word % (side + 1 - size % 2) - size / 2);
}

void rows(const Step& step, const Context&) {
  enum { State, Draws };
  const int64_t P = step.sizes[0], R = step.sizes[1], H = step.sizes[2], W = step.sizes[3];
  const int64_t stream = step.sizes[4], first_member = step.sizes[5], families = step.sizes[6];
  const bool mixed = step.sizes[7] != 0;
  const int64_t shift_h = step.sizes[8], shift_w = step.sizes[9], cut_h = step.sizes[10], cut_w = step.sizes[11];
  const double brightness = step.constants[0], saturation = step.constants[1], contrast = step.constants[2];
  const double scale_low = step.constants[3], scale_high = step.constants[4], turn = step.constants[5];
  const uint32_t* state = step.u32(State, 0);
  const auto factor = [&](uint32_t word) { return scale_low + unit(word) * (scale_high - scale_low); };
  uint32_t count = 0;
  for (int family = 0; family < Families; family++) count += families >> family & 1;
  for (int64_t p = 0; p < P; p++) {
    const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), static_cast<uint32_t>(first_member + p)}};
    const uint32_t first = threefry(key, {{0, state[2], 0, 0}}).w[0];
    for (int64_t n = 0; n < R; n++) {
      const Words words = threefry(key, {{static_cast<uint32_t>(n), state[2], 0, 0}});
      const uint32_t *w = words.w;
      double row[kColumns] = {};
      switch (chosen(families, (mixed ? w[0] : first) % count)) {
        case Color:
          row[0] = Colour;
          row[1] = brightness * (unit(w[1]) - 0.5);
          row[2] = saturation * unit(w[2]);
          row[3] = contrast + unit(w[3]);
          break;
        case Crop:
          row[1] = row[5] = 1;
          row[3] = shift(w[1], shift_h);
          row[6] = shift(w[2], shift_w);
          break;
        case CutOut:
          row[0] = Cutout;
          row[1] = cut(w[1], cut_h, H);
          row[2] = row[1] + static_cast<double>(cut_h);
          row[3] = cut(w[2], cut_w, W);
          row[4] = row[3] + static_cast<double>(cut_w);
          break;
        case Flip:
          row[1] = 1;
          row[5] = w[1] >> 31 ? -1 : 1;
          break;
        case Scale:
          row[1] = factor(w[1]);
          row[5] = factor(w[2]);
          break;
        case Rotate: {
          const double angle = 2 * 3.14159265358979323846 * turn * (2 * unit(w[1]) - 1);
          row[1] = row[5] = cos(angle);
          row[2] = sin(angle);
          row[4] = -row[2];
          break;
        }
      }
      float* out = step.f32(Draws, p) + n * kColumns;
      for (int64_t k = 0; k < kColumns; k++) out[k] = static_cast<float>(row[k]);
    }
  }
}

const Kernel kernels[] = {
    {"augmentdraw.rows",
     {"state", "draws"},
     {"P", "R", "H", "W", "stream", "firstMember", "families", "mixed", "shiftH", "shiftW", "cutH", "cutW"},
     {"brightness", "saturation", "contrast", "scaleLow", "scaleHigh", "turn"},
     rows,
     nullptr},
};

}  // namespace

LIMBECK_KERNELS(augmentdraw, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
