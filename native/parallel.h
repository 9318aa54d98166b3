#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "kernel.h"

namespace limbeck {

/**
 * Threads that share the chunks of one loop at a time.
 *
 * Results never depend on the number of threads: how work is cut into chunks is decided by shapes alone (see chunks.h),
 * a chunk writes where no other does, and partial results are added up afterwards in the order of the chunks.
 * Chunks are claimed one at a time; the caller claims too and takes whatever is left, so a worker that the system
 * has not scheduled delays nobody. A worker that loses its core in the middle of a chunk delays the loop by a time slice (3 ms or
 * more). When that happens twice within 50 ms it rests for a while, and twice as long every time it happens again, so that on a
 * machine whose cores are taken two threads are no slower than one.
 */
class Pool {
 public:
  using Task = void (*)(void* body, int64_t chunk, int worker);

  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /** Whoever wants to call `each` off the thread that owns the pool takes it before and gives it back behind: false when it is taken. */
  bool take() { return !taken_.exchange(true); }
  void give_back() { taken_.store(false); }

  /** Calls body(chunk, worker) for every chunk in 0 .. chunks - 1; worker is below threads(), the caller's is 0. */
  template <class F>
  LIMBECK_INLINE void each(int64_t chunks, F&& body) {
    using Body = typename std::remove_reference<F>::type;
    if (chunks == 1) {
      body(int64_t{0}, 0);
      return;
    }
    void* const pointer = const_cast<void*>(static_cast<const void*>(&body));
    run(chunks, [](void* b, int64_t chunk, int worker) { (*static_cast<Body*>(b))(chunk, worker); }, pointer);
  }

 private:
  /** What the caller sees of a worker. Times are nanoseconds of a steady clock. */
  struct alignas(64) Seat {
    std::atomic<bool> busy{false};
    std::atomic<int64_t> rest_until{0};
    int64_t rest{0};              // the length of the last rest
    int64_t late{INT64_MIN / 2};  // when it was last late: never
  };

  void run(int64_t chunks, Task task, void* body);
  int64_t work(int worker);
  void loop(int worker);
  void wait(uint32_t total, int64_t patience);
  static void found_late(Seat& seat);

  // The job. `state_` is its number in the upper half and the unclaimed chunks in the lower: a claim is one
  // compare-and-swap that fails when the job has changed, so the other fields were those of the claimed job.
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<Task> task_{nullptr};
  std::atomic<void*> body_{nullptr};
  std::atomic<uint32_t> total_{0};
  alignas(64) std::atomic<uint32_t> done_{0};

  alignas(64) std::atomic<int> parked_{0};
  std::atomic<bool> quit_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> taken_{false};
  std::vector<Seat> seats_;  // by worker; the caller's own is never late
  std::vector<std::thread> workers_;
};

/** Calls body(member, from, to) for ranges of so many elements, out of `length` of each member. */
template <class F>
LIMBECK_INLINE void each_part(Pool& pool, int64_t members, int64_t length, int64_t range, F&& body) {
  const int64_t ranges = (length + range - 1) / range;
  pool.each(members * ranges, [&](int64_t chunk, int) {
    const int64_t from = chunk % ranges * range;
    body(chunk / ranges, from, from + range < length ? from + range : length);
  });
}

/**
 * Elements from .. to - 1 of target (+)= those of so many partial results, `stride` floats apart, in their order: whichever
 * thread adds them up, an element is one sum in a fixed order.
 */
LIMBECK_INLINE void add_parts(float* target, const float* parts, int64_t count, int64_t stride, int64_t from, int64_t to,
                              bool accumulate) {
  for (int64_t piece = 0; piece < count; piece++, parts += stride) {
    if (piece == 0 && !accumulate) {
      for (int64_t i = from; i < to; i++) target[i] = parts[i];
    } else {
      for (int64_t i = from; i < to; i++) target[i] += parts[i];
    }
  }
}

}  // namespace limbeck
