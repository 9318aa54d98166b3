#pragma once
#include "parallel.h"
#include "simd.h"

/** How work is cut for the pool: by shapes alone, never by the number of threads, so that results never depend on it. */
namespace limbeck {
namespace LIMBECK_ISA {

/** Multiply-adds worth handing to another thread: some microseconds. */
constexpr int64_t kGrain = 128 * 1024;

/** Into how many chunks (at most `limit`) to cut `work` multiply-adds. */
LIMBECK_INLINE int64_t chunks_of(int64_t work, int64_t limit) {
  const int64_t chunks = work / kGrain;
  return chunks < 2 ? 1 : min(chunks, limit);
}

/** Calls body(chunk, worker) for every chunk; `alone`, all on this thread: there is too little work to share. */
template <class F>
LIMBECK_INLINE void each_chunk(const Context& context, bool alone, int64_t chunks, F&& body) {
  if (alone) {
    for (int64_t chunk = 0; chunk < chunks; chunk++) body(chunk, 0);
  } else {
    context.pool.each(chunks, body);
  }
}

/** Elements of a pointwise loop in one chunk. */
constexpr int64_t kElements = 16 * 1024;

/** Calls body(member, from, to) for pieces of 0 .. M - 1 of every member. */
template <class F>
LIMBECK_INLINE void each_range(const Context& context, int64_t P, int64_t M, F&& body) {
  const int64_t pieces = ceil_div(M, kElements);
  if (P * M <= 2 * kElements) {
    for (int64_t p = 0; p < P; p++) body(p, int64_t{0}, M);
    return;
  }
  // Members too short to be worth a chunk each go together.
  const int64_t together = pieces > 1 ? 1 : max(1, kElements / M);
  context.pool.each(ceil_div(P, together) * pieces, [&](int64_t chunk, int) {
    const int64_t first = chunk / pieces * together;
    const int64_t piece = chunk % pieces;
    for (int64_t p = first; p < min(first + together, P); p++)
      body(p, piece * kElements, min((piece + 1) * kElements, M));
  });
}

}  // namespace LIMBECK_ISA
}  // namespace limbeck
