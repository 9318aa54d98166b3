#pragma once
#include <cstdint>

/**
 * What an op's source file and the rest of the addon agree on. The op files are compiled once per instruction set,
 * so everything inline in a header they share must be always_inline: a weak out-of-line copy compiled for AVX-512
 * could otherwise be the one that the linker keeps for all.
 */
#define LIMBECK_INLINE inline __attribute__((always_inline))

namespace limbeck {

class Pool;

constexpr int kMaxOperands = 8;
constexpr int kMaxSizes = 16;
constexpr int kMaxConstants = 8;

/** Memory of one operand: member p starts at base + p * stride bytes; stride is 0 when shared, base null when left out. */
struct Operand {
  char* base;
  int64_t stride;
};

/** The planes of a step that is called with some of them: from `first` on, of `total`, with `channels` an image. */
struct Place {
  int64_t first;
  int64_t total;
  int64_t channels;
};

/** One step of a program, decoded: operands, sizes and constants in the order in which the kernel declares them. */
struct Step {
  Operand operands[kMaxOperands];
  int64_t sizes[kMaxSizes];
  double constants[kMaxConstants];
  bool accumulate;
  Place place;  // total is 0 when it has all

  LIMBECK_INLINE bool has(int operand) const { return operands[operand].base != nullptr; }
  LIMBECK_INLINE char* at(int operand, int64_t member) const {
    return operands[operand].base + member * operands[operand].stride;
  }
  LIMBECK_INLINE float* f32(int operand, int64_t member) const {
    return reinterpret_cast<float*>(at(operand, member));
  }
  LIMBECK_INLINE uint32_t* u32(int operand, int64_t member) const {
    return reinterpret_cast<uint32_t*>(at(operand, member));
  }
};

/** Bytes a kernel needs besides its operands: once for the step, and once for every worker. */
struct Workspace {
  int64_t shared;
  int64_t worker;
};

/** Where a step runs. Both kinds of scratch start on a cache line and hold what the last step left there. */
struct Context {
  Pool& pool;
  char* shared;
  char* workers;
  int64_t worker_stride;

  template <class T>
  LIMBECK_INLINE T* shared_as() const {
    return reinterpret_cast<T*>(shared);
  }
  template <class T>
  LIMBECK_INLINE T* worker_as(int worker) const {
    return reinterpret_cast<T*>(workers + worker * worker_stride);
  }
};

/**
 * An entry point, with the names by which TypeScript passes it operands, sizes and constants (null-terminated). Behind the name of
 * an operand stands what the kernel touches of it, so that a program can be checked before it runs (check.h): `x[N C H W]`;
 * `b?[OC]` may be left out; `data:u8[R]` is of bytes, all others of four bytes an element.
 */
struct Kernel {
  const char* name;
  const char* operands[kMaxOperands + 1];
  const char* sizes[kMaxSizes + 1];
  const char* constants[kMaxConstants + 1];
  void (*run)(const Step&, const Context&);
  Workspace (*workspace)(const Step&);  // null: none
  /**
   * What else must hold of the sizes, in words, where it does not; null where it does. Called for a step and, where it is cut into
   * strips, for a strip of `parts` parts, with `place.total` parts in all; without strips both are 0.
   */
  const char* (*wrong)(const Step&, int64_t parts) = nullptr;
};

/** A kernel and what it is called with. */
struct Call {
  const Kernel* kernel;
  Step step;
};

/** Memory is given out in whole cache lines. */
LIMBECK_INLINE int64_t lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/** The kernels of one op file, under the file's name in the namespace of the instruction set. */
struct KernelList {
  const Kernel* kernels;
  int count;
};

#define LIMBECK_KERNELS(op, array) \
  extern const KernelList op;      \
  const KernelList op = {array, sizeof(array) / sizeof(array[0])};

}  // namespace limbeck
