#pragma once
#include <cstdint>
#include <vector>

#include "kernel.h"
#include "parallel.h"

namespace limbeck {

/**
 * Steps that run together over the parts of their operands, the images of a batch or its planes (the channels of all images).
 * Strips are some parts each, pieces some strips: a piece is one thread's, which takes all steps over one strip,
 * then over the next, so that what a step writes is still in cache when the next one reads it. All of it is cut by
 * shapes alone, and the pieces' partial sums are added up in order: the same bits for any number of threads. TypeScript
 * plans it (src/engine/cpu/strips.ts).
 */

/** How an operand is found for a strip. The numbers are those of `kinds` in src/engine/cpu/serialise.ts. */
enum class OperandKind : int64_t {
  kWhole = 0,       // as it is, for every strip
  kCut = 1,         // the strip's parts, `value` bytes each
  kInner = 2,       // in the worker's strip memory, `value` bytes from its beginning
  kSum = 3,         // among the piece's partial sums, `value` floats from their beginning
  kPerChannel = 4,  // from the first channel on, `value` bytes each
  kPerImage = 5,    // that of the strip's image, `value` bytes each
  kChannelSum = 6,  // as kSum, from the row of the first channel on
};

struct OperandCut {
  OperandKind kind;
  int64_t value;
  int64_t row;  // floats of a channel in a kChannelSum; 0 where no sum begins at `value`
};

struct StepCut {
  OperandCut operands[kMaxOperands];
  int64_t sizes[kMaxSizes];  // what one part adds to a size; 0: it stays, -1: it becomes 1
  bool sums;                 // it writes a sum
  bool begins;               // and is the first that does; what adds to channels begins with zeros instead
};

/** A result that is a sum over the batch. */
struct StripSum {
  char* target;
  int64_t stride;  // bytes from member to member
  int64_t floats;
  int64_t offset;  // floats from the beginning of a piece's sums
  bool accumulate;
};

struct Strips {
  int64_t parts;
  int64_t channels;  // of an image; 1 where images are cut
  int64_t members;
  int64_t strips;
  int64_t pieces;
  bool alone;           // too little to share
  int64_t inner_bytes;  // of strip memory
  int64_t sum_floats;
  bool zeros;           // whether the sums of a piece begin with zeros: it may lack some of the channels
  std::vector<StepCut> cuts;
  std::vector<StripSum> sums;

  int64_t strip_start(int64_t strip) const { return parts * strip / strips; }
  int64_t piece_start(int64_t piece) const { return strips * piece / pieces; }
};

/** Scratch that the kernels of a group need on one thread, for every strip length that occurs. */
Workspace strip_workspace(const Strips& strips, const Call* calls);

/** Bytes of scratch for a group: the pieces' sums, then for every worker its strip memory and its kernels' scratch. */
int64_t strip_scratch(const Strips& strips, const Workspace& kernels, int workers);

/**
 * Runs the group on scratch that begins on a cache line. `shares`, where given, receives one number per step: its share of
 * the time that the threads were busy with steps.
 */
void run_strips(const Strips& strips, const Workspace& kernels, const Call* calls, Pool& pool, char* scratch,
                double* shares = nullptr);

}  // namespace limbeck
