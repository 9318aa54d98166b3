#pragma once
#include <string>
#include <vector>

#include "kernel.h"
#include "matrix.h"
#include "peak.h"

namespace limbeck {

/** What is compiled for one instruction set. */
struct Isa {
  const char* name;
  const KernelList* const* lists;  // ends with null; made by CMake from the names in native/ops
  MatrixProductFunction matrix_product;
  const PeakLoops* peak_loops;
};

/** The instruction sets of this build that this processor can run, best first; never empty. */
const std::vector<Isa>& isas();

/** The one of that name, or null. */
const Isa* find_isa(const std::string& name);

/** A kernel by its place in the table; the table is the same for every instruction set. */
const Kernel* find_kernel(const Isa& isa, int64_t index);
int64_t kernel_count(const Isa& isa);

}  // namespace limbeck
