#pragma once
#include <cstdint>
#include <utility>

#include "kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/**
 * Vectors of floats: the only place that knows the instruction set. Everything is in a namespace named after it,
 * because each op file is compiled once for each.
 */
#if defined(__AVX512F__)
#define LIMBECK_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define LIMBECK_VECTOR_BYTES 32
#else
#define LIMBECK_VECTOR_BYTES 16
#endif

#if defined(__clang__)
#define LIMBECK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LIMBECK_UNROLL _Pragma("GCC unroll 32")
#endif

namespace limbeck {
namespace LIMBECK_ISA {

constexpr int kLanes = LIMBECK_VECTOR_BYTES / 4;

typedef float Vec __attribute__((vector_size(LIMBECK_VECTOR_BYTES)));
typedef int32_t Ints __attribute__((vector_size(LIMBECK_VECTOR_BYTES)));
typedef float UnalignedVec __attribute__((vector_size(LIMBECK_VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t UnalignedInts __attribute__((vector_size(LIMBECK_VECTOR_BYTES), aligned(4), may_alias));

/** How many accumulators a register tile may have (beside its operands) on this instruction set. */
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kAccumulators = 24;
#else
constexpr int kAccumulators = 12;
#endif

LIMBECK_INLINE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
LIMBECK_INLINE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
LIMBECK_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
LIMBECK_INLINE int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

LIMBECK_INLINE Vec zero() { return Vec{}; }
template <int... I>
LIMBECK_INLINE Vec broadcast_to(float value, std::integer_sequence<int, I...>) {
  return Vec{(static_cast<void>(I), value)...};
}
using Sequence = std::make_integer_sequence<int, kLanes>;
/** Not an addition to zero: this compiles to a broadcasting load, which needs no arithmetic unit. */
LIMBECK_INLINE Vec broadcast(float value) { return broadcast_to(value, Sequence{}); }
LIMBECK_INLINE Vec load(const float* p) { return *reinterpret_cast<const UnalignedVec*>(p); }
LIMBECK_INLINE void store(float* p, Vec v) { *reinterpret_cast<UnalignedVec*>(p) = v; }
LIMBECK_INLINE Ints load_ints(const uint32_t* p) { return *reinterpret_cast<const UnalignedInts*>(p); }
LIMBECK_INLINE void store_ints(uint32_t* p, Ints v) { *reinterpret_cast<UnalignedInts*>(p) = v; }
LIMBECK_INLINE Ints broadcast_int(int32_t value) { return Ints{} + value; }

/** a b + c, fused where the machine can (-ffp-contract=fast). */
LIMBECK_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
LIMBECK_INLINE Vec select(Ints mask, Vec a, Vec b) { return mask ? a : b; }
LIMBECK_INLINE Ints select(Ints mask, Ints a, Ints b) { return mask ? a : b; }

/** Stays in a register: otherwise GCC folds a load into each of its uses, and unaligned loads are expensive. */
LIMBECK_INLINE Vec keep(Vec v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#elif defined(__aarch64__)
  asm("" : "+w"(v));
#endif
  return v;
}

/** The first n lanes (0 <= n <= kLanes), the others zero; reads nothing beyond them. */
LIMBECK_INLINE Vec load_partial(const float* p, int64_t n) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
#elif defined(__AVX2__)
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane));
#else
  return Vec{n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
#endif
}

/** Writes the first n lanes. By halves where a masked store is microcode on half of the processors: AVX2. */
LIMBECK_INLINE void store_partial(float* p, Vec v, int64_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
#elif defined(__x86_64__)
#if defined(__AVX2__)
  __m128 half = _mm256_castps256_ps128(v);
  if (n & 8) return store(p, v);
  if (n & 4) {
    _mm_storeu_ps(p, half);
    half = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
#else
  __m128 half = v;
  if (n & 4) return store(p, v);
#endif
  if (n & 2) {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), half);
    half = _mm_movehl_ps(half, half);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, half);
#else
  for (int64_t i = 0; i < n; i++) p[i] = v[i];
#endif
}

/** The first n lanes where n is nearly always kLanes. */
LIMBECK_INLINE Vec get(const float* p, int64_t n) { return n == kLanes ? load(p) : load_partial(p, n); }
LIMBECK_INLINE void put(float* p, Vec v, int64_t n) {
  if (n == kLanes) {
    store(p, v);
  } else {
    store_partial(p, v, n);
  }
}

/** Sum of the lanes, in a fixed order. */
LIMBECK_INLINE float sum(Vec v) {
#if defined(__AVX512F__)
  __m256 halves[2];  // not the extract intrinsics: GCC 12 warns inside its own header
  __builtin_memcpy(halves, &v, sizeof(v));
  const __m256 half = _mm256_add_ps(halves[0], halves[1]);
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
#elif defined(__AVX2__)
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#elif defined(__x86_64__)
  __m128 quarter = v;
#endif
#if defined(__x86_64__)
  quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps(quarter, quarter, 1)));
#elif defined(__aarch64__)
  return vaddvq_f32(v);
#else
  return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

template <class V, int... I>
LIMBECK_INLINE V shuffle(V a, V b, std::integer_sequence<int, I...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, I...);
#else
  return __builtin_shuffle(a, b, Ints{I...});
#endif
}

template <int... I>
constexpr auto every_second(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (2 * I)...>{};
}
template <int... I>
constexpr auto every_other(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (2 * I + 1)...>{};
}
template <int First, int... I>
constexpr auto alternate(std::integer_sequence<int, I...>) {
  return std::integer_sequence<int, (First + I / 2 + (I % 2) * kLanes)...>{};
}

/** Elements 0, 2, 4 … and 1, 3, 5 … of the two vectors one after the other. */
LIMBECK_INLINE Vec evens(Vec a, Vec b) { return shuffle(a, b, every_second(Sequence{})); }
LIMBECK_INLINE Vec odds(Vec a, Vec b) { return shuffle(a, b, every_other(Sequence{})); }
/** a0 b0 a1 b1 …: the lower and the upper half. */
LIMBECK_INLINE Vec interleave_low(Vec a, Vec b) { return shuffle(a, b, alternate<0>(Sequence{})); }
LIMBECK_INLINE Vec interleave_high(Vec a, Vec b) { return shuffle(a, b, alternate<kLanes / 2>(Sequence{})); }

template <int... I>
LIMBECK_INLINE Ints iota_of(std::integer_sequence<int, I...>) {
  return Ints{I...};
}
/** 0, 1, 2 … */
LIMBECK_INLINE Ints iota() { return iota_of(Sequence{}); }

#if defined(__AVX2__) && !defined(__AVX512F__)
/** For each of the 256 masks of eight lanes, the lanes in it, a byte each. */
struct Packing {
  uint64_t lanes[256];
  constexpr Packing() : lanes() {
    for (int mask = 0; mask < 256; mask++) {
      int place = 0;
      for (uint64_t lane = 0; lane < 8; lane++)
        if (mask >> lane & 1) lanes[mask] |= lane << 8 * place++;
    }
  }
};
constexpr Packing packing;
#endif

/** Stores the lanes of v that are not zero, one behind the other, and their numbers; how many. May write all kLanes. */
LIMBECK_INLINE int64_t store_nonzeros(Vec v, Ints numbers, float* values, int32_t* to) {
#if defined(__AVX512F__)
  const __mmask16 mask = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  _mm512_storeu_ps(values, _mm512_maskz_compress_ps(mask, v));
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(mask, reinterpret_cast<__m512i>(numbers)));
  return __builtin_popcount(mask);
#elif defined(__AVX2__)
  const int mask = _mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ));
  const __m256i order = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&packing.lanes[mask])));
  _mm256_storeu_ps(values, _mm256_permutevar8x32_ps(v, order));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permutevar8x32_epi32(reinterpret_cast<__m256i>(numbers), order));
  return __builtin_popcount(static_cast<unsigned>(mask));
#else
  int64_t count = 0;
  for (int i = 0; i < kLanes; i++) {
    values[count] = v[i];
    to[count] = numbers[i];
    count += v[i] != 0;
  }
  return count;
#endif
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
