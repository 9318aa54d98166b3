#include "../chunks.h"

/** Batches out of a data set: rows are copied, converted and normalised; cut by members and rows of the batch. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

/** Calls body(member, first row, last row + 1). */
template <class F>
LIMBECK_INLINE void each_rows(const Context& context, int64_t P, int64_t B, int64_t row_size, F&& body) {
  const int64_t pieces = min(B, max(1, B * row_size / kElements));
  context.pool.each(P * B * row_size <= 2 * kElements ? 1 : P * pieces, [&](int64_t chunk, int) {
    if (P * B * row_size <= 2 * kElements) {
      for (int64_t p = 0; p < P; p++) body(p, int64_t{0}, B);
      return;
    }
    const int64_t piece = chunk % pieces;
    body(chunk / pieces, B * piece / pieces, B * (piece + 1) / pieces);
  });
}

template <class T>
LIMBECK_INLINE void images(const Step& step, const Context& context) {
  enum { Data, Index, Gain, Shift, X };
  const int64_t P = step.sizes[0], B = step.sizes[1], C = step.sizes[2], S = step.sizes[3], R = step.sizes[4];
  each_rows(context, P, B, C * S, [&](int64_t p, int64_t from, int64_t to) {
    const T* data = reinterpret_cast<const T*>(step.at(Data, p));
    const uint32_t* index = step.u32(Index, p);
    const float* gain = step.f32(Gain, p);
    const float* shift = step.f32(Shift, p);
    float* x = step.f32(X, p);
    for (int64_t b = from; b < to; b++) {
      const int64_t row = min(index[b], R - 1);
      for (int64_t c = 0; c < C; c++) {
        const T* source = data + (row * C + c) * S;
        float* target = x + (b * C + c) * S;
        const float g = gain[c], s = shift[c];
        for (int64_t i = 0; i < S; i++) target[i] = static_cast<float>(source[i]) * g + s;
      }
    }
  });
}

void bytes(const Step& step, const Context& context) { images<uint8_t>(step, context); }
void floats(const Step& step, const Context& context) { images<float>(step, context); }

void one_hot(const Step& step, const Context& context) {
  enum { Labels, Index, Y };
  const int64_t P = step.sizes[0], B = step.sizes[1], K = step.sizes[2], R = step.sizes[3];
  each_rows(context, P, B, K, [&](int64_t p, int64_t from, int64_t to) {
    const uint32_t* labels = step.u32(Labels, p);
    const uint32_t* index = step.u32(Index, p);
    float* y = step.f32(Y, p);
    for (int64_t b = from; b < to; b++) {
      const int64_t label = labels[min(index[b], R - 1)];
      for (int64_t k = 0; k < K; k++) y[b * K + k] = label == k ? 1 : 0;
    }
  });
}

void words(const Step& step, const Context& context) {
  enum { Tokens, Table, Index, X };
  const int64_t P = step.sizes[0], B = step.sizes[1], L = step.sizes[2], W = step.sizes[3];
  const int64_t R = step.sizes[4], V = step.sizes[5];
  each_rows(context, P, B, L * W, [&](int64_t p, int64_t from, int64_t to) {
    const uint32_t* tokens = step.u32(Tokens, p);
    const float* table = step.f32(Table, p);
    const uint32_t* index = step.u32(Index, p);
    float* x = step.f32(X, p);
    for (int64_t b = from; b < to; b++) {
      const int64_t row = min(index[b], R - 1);
      for (int64_t l = 0; l < L; l++) {
        const int64_t word = min(tokens[row * L + l], V - 1);
        const float* source = table + word * W;
        float* target = x + (b * L + l) * W;
        for (int64_t w = 0; w < W; w++) target[w] = source[w];
      }
    }
  });
}

const Kernel kernels[] = {
    {"gather.bytes",
     {"data:u8[R C S]", "index[B]", "gain[C]", "shift[C]", "x[B C S]"},
     {"P", "B", "C", "S", "R"}, {}, bytes, nullptr},
    {"gather.floats",
     {"data[R C S]", "index[B]", "gain[C]", "shift[C]", "x[B C S]"},
     {"P", "B", "C", "S", "R"}, {}, floats, nullptr},
    {"gather.oneHot", {"labels[R]", "index[B]", "y[B K]"}, {"P", "B", "K", "R"}, {}, one_hot, nullptr},
    {"gather.words", {"tokens[R L]", "table[V W]", "index[B]", "x[B L W]"},
     {"P", "B", "L", "W", "R", "V"}, {}, words, nullptr},
};

}  // namespace

LIMBECK_KERNELS(gather, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
