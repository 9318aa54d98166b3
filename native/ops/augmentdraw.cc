#include <cmath>
#include <initializer_list>

#include "../simd.h"
#include "../threefry.h"

/** Rows for augment.cc, made in double and rounded once: a few hundred of them at most, so one thread does. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

constexpr int64_t kColumns = 8;
enum Kind { Warp, Colour, Cutout, Resized, Turned };
/** In the order of `families` in augmentdraw.ts. */
enum Family { Color, Crop, CutOut, Flip, Scale, Rotate, Shift, Resize, Turn, ResizedCrop, CutMix, Families };

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

/** A whole number from -most to most - 1. */
LIMBECK_INLINE double below(uint32_t word, int64_t most) { return static_cast<double>(word % (2 * most) - most); }

/** How far the middle of the image is from that of a frame just large enough for it when it is turned. */
LIMBECK_INLINE double off_middle(double cosine, double sine, double side, double other) {
  const double more = floor(fabs(cosine) * side + fabs(sine) * other + 0.5) - side;
  return floor(more / 2) - more / 2;
}

/** 2^x for |x| of at most 1/4, by the series of e^(x ln 2) to the last place: the exp2 of newer C libraries is none that glibc 2.28 has. */
LIMBECK_INLINE double power_of_two(double x) {
  const double y = x * 0.69314718055994530942;
  double sum = 1;
  for (int n = 12; n > 0; n--) sum = 1 + sum * y / n;
  return sum;
}

/** A crop of height x width pixels at the size of the image, its place among all there are in units of 2^-16: see augmentdraw.ts. */
LIMBECK_INLINE void cropped(double* row, double height, double width, uint32_t place, bool mirrored, double H, double W) {
  const double h = fmax(1, height), w = fmax(1, width);
  const auto off = [](uint32_t at, double room) { return ((2.0 * at + 1) / 65536 - 1) * 0.5 * room; };
  row[1] = (h - 1) / fmax(1, H - 1);
  row[3] = off(place >> 16, H - h);
  row[5] = (mirrored ? -1 : 1) * (w - 1) / fmax(1, W - 1);
  row[6] = off(place & 0xffff, W - w);
}

void rows(const Step& step, const Context&) {
  enum { State, Draws };
  const int64_t P = step.sizes[0], R = step.sizes[1], H = step.sizes[2], W = step.sizes[3];
  const int64_t stream = step.sizes[4], first_member = step.sizes[5], families = step.sizes[6];
  const bool mixed = step.sizes[7] != 0;
  const int64_t shift_h = step.sizes[8], shift_w = step.sizes[9], cut_h = step.sizes[10], cut_w = step.sizes[11];
  const int64_t size_from = step.sizes[12], size_span = step.sizes[13], degrees = step.sizes[14];
  const bool mirrored = step.sizes[15] != 0;
  const double brightness = step.constants[0], saturation = step.constants[1], contrast = step.constants[2];
  const double scale_low = step.constants[3], scale_high = step.constants[4], turn = step.constants[5];
  const double area_low = step.constants[6], area_high = step.constants[7];
  const uint32_t* state = step.u32(State, 0);
  const auto factor = [&](uint32_t word) { return scale_low + unit(word) * (scale_high - scale_low); };
  const auto sized = [&](uint32_t word, int64_t side) {
    const int64_t by = size_from + (static_cast<int64_t>(word >> 16) * size_span >> 16);
    return max(1, side * by >> 16);
  };
  constexpr double circle = 2 * 3.14159265358979323846;
  uint32_t count = 0;
  for (int family = 0; family < Families; family++) count += families >> family & 1;
  for (int64_t p = 0; p < P; p++) {
    const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), static_cast<uint32_t>(first_member + p) + state[3]}};
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
          const double angle = circle * turn * (2 * unit(w[1]) - 1);
          const double ratio = static_cast<double>(H) / static_cast<double>(W);
          row[1] = row[5] = cos(angle);
          row[2] = sin(angle) * ratio;
          row[4] = -sin(angle) / ratio;
          break;
        }
        case Shift:
          row[1] = row[5] = row[7] = 1;
          row[3] = below(w[1], shift_h);
          row[6] = below(w[2], shift_w);
          break;
        case Resize: {
          const int64_t height = sized(w[1], H), width = sized(w[2], W);
          const int64_t canvas = max(max(height, width), max(H, W));
          row[0] = Resized;
          row[1] = static_cast<double>(height);
          row[2] = static_cast<double>(width);
          row[3] = static_cast<double>((canvas - H) / 2 - (canvas - height) / 2);
          row[4] = static_cast<double>((canvas - W) / 2 - (canvas - width) / 2);
          break;
        }
        case Turn: {
          const double angle = circle * below(w[1], degrees) / 360;
          const double cosine = cos(angle), sine = sin(angle);
          const double height = static_cast<double>(H), width = static_cast<double>(W);
          const double down = off_middle(cosine, sine, height, width), right = off_middle(cosine, sine, width, height);
          row[0] = Turned;
          row[1] = row[5] = cosine;
          row[2] = sine;
          row[3] = cosine * down + sine * right;
          row[4] = -sine;
          row[6] = cosine * right - sine * down;
          row[7] = 1;
          break;
        }
        case CutMix: {
          const int64_t part = max(w[1] >> 16, w[1] & 0xffff);
          const int64_t half_h = H * part >> 17, half_w = W * part >> 17, middle_h = w[2] % H, middle_w = w[3] % W;
          row[0] = Cutout;
          row[1] = static_cast<double>(middle_h - half_h);
          row[2] = static_cast<double>(middle_h + half_h);
          row[3] = static_cast<double>(middle_w - half_w);
          row[4] = static_cast<double>(middle_w + half_w);
          break;
        }
        case ResizedCrop: {
          const double height = static_cast<double>(H), width = static_cast<double>(W);
          const bool mirror = mirrored && w[0] >> 31;
          constexpr double stretch = 0.20751874963942190927;  // log2(4 / 3) / 2
          cropped(row, fmin(height, width * 4 / 3), fmin(width, height * 4 / 3), 0x7fff7fff, mirror, height, width);
          for (uint32_t attempt = 0; attempt < 10; attempt++) {
            const Words drawn = threefry(key, {{static_cast<uint32_t>(n), state[2], attempt, 0}});
            const double side = sqrt((area_low + unit(drawn.w[1]) * (area_high - area_low)) * height * width);
            const double by = power_of_two(stretch * (2 * unit(drawn.w[2]) - 1));
            if (!(side / by <= height && side * by <= width)) continue;
            cropped(row, side / by, side * by, drawn.w[3], mirror, height, width);
            break;
          }
          break;
        }
      }
      float* out = step.f32(Draws, p) + n * kColumns;
      for (int64_t k = 0; k < kColumns; k++) out[k] = static_cast<float>(row[k]);
    }
  }
}

const char* wrong_sizes(const Step& step, int64_t) {
  const int64_t families = step.sizes[6], degrees = step.sizes[14];
  if (families < 1 || families >> Families != 0) return "families of which at least one is chosen";
  for (const int64_t side : {step.sizes[2], step.sizes[3]})
    if (side < 1 || side > 65535) return "images of 1 to 65535 pixels a side";
  for (int size = 8; size < 16; size++)
    if (step.sizes[size] > INT32_MAX) return "distances, sides and degrees below 2^31";
  return (families >> Turn & 1) == 0 || degrees >= 1 ? nullptr : "turns by at least 1 degree";
}

const Kernel kernels[] = {
    {"augmentdraw.rows",
     {"state[4]", "draws[R 8]"},
     {"P", "R", "H", "W", "stream", "firstMember", "families", "mixed", "shiftH", "shiftW", "cutH", "cutW", "sizeFrom",
      "sizeSpan", "degrees", "mirrored"},
     {"brightness", "saturation", "contrast", "scaleLow", "scaleHigh", "turn", "areaLow", "areaHigh"}, rows, nullptr, wrong_sizes},
};

}  // namespace

LIMBECK_KERNELS(augmentdraw, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
