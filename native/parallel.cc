#include "parallel.h"

#include <algorithm>
#include <chrono>

namespace limbeck {

namespace {

using Clock = std::chrono::steady_clock;

/** How long an idle worker spins before it parks: about what waking it would cost. */
constexpr int64_t kSpin = 40'000;

/** How much longer than others a chunk may take before its worker is presumed to have lost its core. */
constexpr int64_t kLate = 500'000;

/** Late twice within this time: the core is taken. Once happens on any machine, several times a second, for a moment. */
constexpr int64_t kSuspicion = 50'000'000;

/** The first rest and the longest. Finding out whether the core is free again costs about a time slice. */
constexpr int64_t kFirstRest = 20'000'000;
constexpr int64_t kLongestRest = 1'600'000'000;

/** How often a resting worker checks whether it should quit. Not a condition variable: with a steady clock that takes
 * glibc 2.30. */
constexpr int64_t kNap = 10'000'000;

int64_t now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count(); }

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

inline uint32_t unclaimed(uint64_t state) { return static_cast<uint32_t>(state); }

}  // namespace

Pool::Pool(int threads) : seats_(static_cast<size_t>(threads)) {
  try {
    for (int worker = 1; worker < threads; worker++) workers_.emplace_back([this, worker] { loop(worker); });
  } catch (...) {
    // The system gives no more threads: work with those there are, for the results are the same.
  }
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    quit_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

/** Claims and runs chunks until none is left; returns how many. */
int64_t Pool::work(int worker) {
  int64_t count = 0;
  uint64_t state = state_.load(std::memory_order_acquire);
  if (unclaimed(state) == 0) return count;
  std::atomic<bool>& busy = seats_[static_cast<size_t>(worker)].busy;
  busy.store(true, std::memory_order_relaxed);
  while (unclaimed(state) > 0) {
    const Task task = task_.load(std::memory_order_relaxed);
    void* const body = body_.load(std::memory_order_relaxed);
    const uint32_t chunk = total_.load(std::memory_order_relaxed) - unclaimed(state);
    if (!state_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    task(body, chunk, worker);
    done_.fetch_add(1, std::memory_order_release);
    count++;
    state = state_.load(std::memory_order_acquire);
  }
  busy.store(false, std::memory_order_relaxed);
  return count;
}

void Pool::run(int64_t chunks, Task task, void* body) {
  if (workers_.empty()) {
    for (int64_t chunk = 0; chunk < chunks; chunk++) task(body, chunk, 0);
    return;
  }
  const uint32_t total = static_cast<uint32_t>(chunks);
  // No worker uses these now: the last job has no unclaimed chunk, and a worker that loads them early fails to claim.
  task_.store(task, std::memory_order_relaxed);
  body_.store(body, std::memory_order_relaxed);
  total_.store(total, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  const uint64_t job = (state_.load(std::memory_order_relaxed) >> 32) + 1;
  state_.store(job << 32 | total);  // sequentially consistent, against parked_ below
  if (parked_.load() > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
  const int64_t start = now();
  const int64_t own = work(0);
  // Without a chunk of its own the caller cannot tell how long one takes.
  wait(total, own > 0 ? kLate + 2 * (now() - start) / own : INT64_MAX);
}

/** Waits for the chunks of others; a worker that still has one after `patience` is late. */
void Pool::wait(uint32_t total, int64_t patience) {
  const int64_t start = now();
  bool spin = true, late = false;
  for (int spins = 0; done_.load(std::memory_order_acquire) != total; spins++) {
    if (spin) {
      pause();
      if ((spins & 31) == 31) spin = now() - start < kSpin;
      continue;
    }
    std::this_thread::yield();
    if (late || now() - start < patience) continue;
    late = true;
    for (Seat& seat : seats_)
      if (seat.busy.load(std::memory_order_relaxed)) found_late(seat);
  }
}

/** A worker that is late for the second time within kSuspicion rests; if it is late that soon after a rest, twice as long. */
void Pool::found_late(Seat& seat) {
  const int64_t time = now();
  const bool again = time - seat.rest_until.load(std::memory_order_relaxed) < kSuspicion;
  const bool twice = time - seat.late < kSuspicion;
  seat.late = time;
  if (!again && !twice) return;
  seat.rest = !again ? kFirstRest : std::min(2 * seat.rest, kLongestRest);
  seat.rest_until.store(time + seat.rest, std::memory_order_relaxed);
}

void Pool::loop(int worker) {
  const Seat& seat = seats_[static_cast<size_t>(worker)];
  int64_t idle_since = now();
  for (unsigned spins = 0; !quit_.load(std::memory_order_relaxed); spins++) {
    const int64_t rest = seat.rest_until.load(std::memory_order_relaxed) - now();
    if (rest > 0) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(rest < kNap ? rest : kNap));
      continue;
    }
    if (work(worker) > 0) {
      idle_since = now();
      continue;
    }
    pause();
    if ((spins & 31) != 31 || now() - idle_since < kSpin) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    parked_.fetch_add(1);
    wake_.wait(lock, [this] { return quit_.load() || unclaimed(state_.load()) > 0; });
    parked_.fetch_sub(1);
    lock.unlock();
    idle_since = now();
  }
}

}  // namespace limbeck
