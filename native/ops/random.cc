#include <cmath>

#include "../chunks.h"
#include "../threefry.h"

/**
 * Counter-based random numbers: the same words as src/util/random.ts; values are made in double and rounded once.
 * Cut by members and blocks of four elements.
 */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct Normal {
  static LIMBECK_INLINE void values(const Words& words, double* out) {
    for (int pair = 0; pair < 4; pair += 2) {
      const double radius = sqrt(-2 * log(unit(words.w[pair])));
      const double angle = 2 * 3.14159265358979323846 * unit(words.w[pair + 1]);
      out[pair] = radius * cos(angle);
      out[pair + 1] = radius * sin(angle);
    }
  }
};

struct Uniform {
  static LIMBECK_INLINE void values(const Words& words, double* out) {
    for (int i = 0; i < 4; i++) out[i] = unit(words.w[i]);
  }
};

template <class Distribution>
LIMBECK_INLINE void fill(const Step& step, const Context& context) {
  enum { State, Out };
  const int64_t P = step.sizes[0], M = step.sizes[1], stream = step.sizes[2], first_member = step.sizes[3];
  const double gain = step.constants[0], shift = step.constants[1];
  const uint32_t* state = step.u32(State, 0);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    float* out = step.f32(Out, p);
    const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), static_cast<uint32_t>(first_member + p) + state[3]}};
    for (int64_t i = from; i < to; i += 4) {  // pieces begin at whole blocks: kElements is a multiple of 4
      double values[4];
      Distribution::values(threefry(key, {{static_cast<uint32_t>(i >> 2), state[2], 0, 0}}), values);
      for (int64_t lane = 0; lane < min(4, to - i); lane++)
        out[i + lane] = static_cast<float>(gain * values[lane] + shift);
    }
  });
}

void normal(const Step& step, const Context& context) { fill<Normal>(step, context); }
void uniform(const Step& step, const Context& context) { fill<Uniform>(step, context); }

void dropout(const Step& step, const Context& context) {
  enum { State, X, Y };
  const int64_t P = step.sizes[0], M = step.sizes[1], stream = step.sizes[2], masks = step.sizes[3];
  const uint32_t drop = static_cast<uint32_t>(step.sizes[4]);
  const float scale = static_cast<float>(step.constants[0]);
  const uint32_t* state = step.u32(State, 0);
  each_range(context, P, M, [&](int64_t p, int64_t from, int64_t to) {
    const float* x = step.f32(X, p);
    float* y = step.f32(Y, p);
    const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), static_cast<uint32_t>(p % masks) + state[3]}};
    for (int64_t i = from; i < to; i += 4) {
      const Words words = threefry(key, {{static_cast<uint32_t>(i >> 2), state[2], 0, 0}});
      for (int64_t lane = 0; lane < min(4, to - i); lane++)
        y[i + lane] = words.w[lane] >> 8 >= drop ? scale * x[i + lane] : 0;
    }
  });
}

void fork(const Step& step, const Context&) {
  enum { State, States };
  const int64_t P = step.sizes[0], count = step.sizes[1], stream = step.sizes[2];
  const uint32_t* state = step.u32(State, 0);
  const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), 0}};
  for (int64_t p = 0; p < P; p++) {
    uint32_t* states = step.u32(States, p);
    for (int64_t t = 0; t < count; t++) {
      const Words words = threefry(key, {{static_cast<uint32_t>(t), state[2], 0, 0}});
      states[4 * t] = words.w[0];
      states[4 * t + 1] = words.w[1];
      states[4 * t + 2] = 0;
      states[4 * t + 3] = state[3];
    }
  }
}

/** shuffled of src/util/random.ts. */
LIMBECK_INLINE uint32_t shuffled(const Words& key, uint32_t n, uint32_t index, uint32_t part) {
  uint32_t place = index;
  uint32_t block = UINT32_MAX;
  Words words = {};
  for (uint32_t i = index ? index : 1; i < n; i++) {
    if (i >> 2 != block) words = threefry(key, {{block = i >> 2, 0, 0x66796b73u, part}});
    const uint32_t other = static_cast<uint32_t>((uint64_t{words.w[i & 3]} * (i + 1)) >> 32);
    if (place == i)
      place = other;
    else if (place == other)
      place = i;
  }
  return place;
}

/** feistelPermutation of src/util/random.ts. */
LIMBECK_INLINE uint32_t feistel(const Words& key, uint32_t n, uint32_t index, uint32_t part) {
  int bits = 0;
  while (bits < 32 && (uint64_t{1} << bits) < n) bits++;
  const int half = bits <= 2 ? 1 : (bits + 1) / 2;
  const uint32_t mask = (1u << half) - 1;
  uint32_t value = index;
  do {
    uint32_t left = value >> half, right = value & mask;
    for (uint32_t round = 0; round < 4; round++) {
      const uint32_t next = left ^ (threefry(key, {{right, round, 0x70657256u, part}}).w[0] & mask);
      left = right;
      right = next;
    }
    value = left << half | right;
  } while (value >= n);
  return value;
}

/** Row `position` of the sequence of keyed permutations of `rows` rows. */
LIMBECK_INLINE uint32_t row_at(const uint32_t* state, int64_t stream, uint32_t rows, uint32_t position, uint32_t part) {
  const Words key = {{state[0], state[1], static_cast<uint32_t>(stream), position / rows}};
  const uint32_t index = position % rows;
  return rows <= 99 ? shuffled(key, rows, index, part) : feistel(key, rows, index, part);
}

void batch(const Step& step, const Context&) {
  enum { State, Index };
  const int64_t P = step.sizes[0], B = step.sizes[1], rows = step.sizes[2], stream = step.sizes[3];
  const uint32_t* state = step.u32(State, 0);
  for (int64_t p = 0; p < P; p++) {
    uint32_t* index = step.u32(Index, p);
    for (int64_t b = 0; b < B; b++)
      index[b] = row_at(state, stream, static_cast<uint32_t>(rows), static_cast<uint32_t>(state[2] * B + b), 0);
  }
}

void batch_by_class(const Step& step, const Context&) {
  enum { State, Order, Starts, Index };
  const int64_t P = step.sizes[0], B = step.sizes[1], K = step.sizes[2], R = step.sizes[3];
  const int64_t stream = step.sizes[4], first_class = step.sizes[5];
  const uint32_t* state = step.u32(State, 0);
  const uint32_t* order = step.u32(Order, 0);
  const uint32_t* starts = step.u32(Starts, 0);
  for (int64_t p = 0; p < P; p++) {
    uint32_t* index = step.u32(Index, p);
    const int64_t draw = state[2] * (P / K) + p / K, k = p % K;
    const uint32_t rows = static_cast<uint32_t>(max(1, starts[k + 1] - int64_t{starts[k]}));
    const uint32_t part = static_cast<uint32_t>(first_class + k + 1);
    for (int64_t b = 0; b < B; b++) {
      const int64_t place = starts[k] + row_at(state, stream, rows, static_cast<uint32_t>(draw * B + b), part);
      index[b] = order[min(place, R - 1)];
    }
  }
}

void advance(const Step& step, const Context&) { step.u32(0, 0)[2] += 1; }

const char* wrong_dropout(const Step& step, int64_t) { return step.sizes[3] >= 1 ? nullptr : "at least 1 of masks"; }

const char* wrong_batch(const Step& step, int64_t) { return step.sizes[2] >= 1 ? nullptr : "at least 1 row"; }

const Kernel kernels[] = {
    {"random.normal", {"state[4]", "out[M]"}, {"P", "M", "stream", "firstMember"}, {"gain", "shift"}, normal, nullptr},
    {"random.uniform",
     {"state[4]", "out[M]"},
     {"P", "M", "stream", "firstMember"}, {"gain", "shift"}, uniform, nullptr},
    {"random.dropout",
     {"state[4]", "x[M]", "y[M]"},
     {"P", "M", "stream", "masks", "drop"}, {"scale"}, dropout, nullptr, wrong_dropout},
    {"random.fork", {"state[4]", "states[count 4]"}, {"P", "count", "stream"}, {}, fork, nullptr},
    {"random.batch", {"state[4]", "index[B]"}, {"P", "B", "rows", "stream"}, {}, batch, nullptr, wrong_batch},
    {"random.batchByClass",
     {"state[4]", "order[R]", "starts[K+1]", "index[B]"},
     {"P", "B", "K", "R", "stream", "firstClass"}, {}, batch_by_class, nullptr},
    {"random.advance", {"state[4]"}, {"P"}, {}, advance, nullptr},
};

}  // namespace

LIMBECK_KERNELS(random, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
