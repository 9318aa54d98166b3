#include "isa.h"

namespace limbeck {

#define LIMBECK_REGISTRY(isa)                                                     \
  namespace registry {                                                            \
  extern const KernelList* const isa[];                                           \
  }                                                                               \
  namespace isa {                                                                 \
  void matrix_product(Pool& pool, const MatrixProduct& product, double* scratch); \
  extern const PeakLoops peak_loops;                                              \
  }
#include "isas.gen.h"
#undef LIMBECK_REGISTRY

namespace {

bool can_run(const std::string& name) {
#if defined(__x86_64__)
  if (name == "avx512")
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return name == "sse2" || name == "neon";
}

}  // namespace

const std::vector<Isa>& isas() {
  static const std::vector<Isa> all = [] {
    std::vector<Isa> found;
#define LIMBECK_REGISTRY(isa) \
  if (can_run(#isa)) found.push_back({#isa, registry::isa, isa::matrix_product, &isa::peak_loops});
#include "isas.gen.h"
#undef LIMBECK_REGISTRY
    return found;
  }();
  return all;
}

const Isa* find_isa(const std::string& name) {
  for (const Isa& isa : isas())
    if (name == isa.name) return &isa;
  return nullptr;
}

const Kernel* find_kernel(const Isa& isa, int64_t index) {
  if (index < 0) return nullptr;
  for (const KernelList* const* list = isa.lists; *list; list++) {
    if (index < (*list)->count) return &(*list)->kernels[index];
    index -= (*list)->count;
  }
  return nullptr;
}

int64_t kernel_count(const Isa& isa) {
  int64_t count = 0;
  for (const KernelList* const* list = isa.lists; *list; list++) count += (*list)->count;
  return count;
}

}  // namespace limbeck
