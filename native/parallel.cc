#include "parallel.h"

#include <chrono>

namespace limbeck {

namespace {

using Clock = std::chrono::steady_clock;

/** How long an idle worker looks for the next job before it parks: about what waking it would cost. */
constexpr auto kSpin = std::chrono::microseconds(40);

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

inline uint32_t unclaimed(uint64_t state) { return static_cast<uint32_t>(state); }

}  // namespace

Pool::Pool(int threads) {
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

bool Pool::work(int worker) {
  bool worked = false;
  uint64_t state = state_.load(std::memory_order_acquire);
  while (unclaimed(state) > 0) {
    const Task task = task_.load(std::memory_order_relaxed);
    void* const body = body_.load(std::memory_order_relaxed);
    const uint32_t chunk = total_.load(std::memory_order_relaxed) - unclaimed(state);
    if (!state_.compare_exchange_weak(state, state - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    task(body, chunk, worker);
    done_.fetch_add(1, std::memory_order_release);
    worked = true;
    state = state_.load(std::memory_order_acquire);
  }
  return worked;
}

void Pool::run(int64_t chunks, Task task, void* body) {
  if (workers_.empty()) {
    for (int64_t chunk = 0; chunk < chunks; chunk++) task(body, chunk, 0);
    return;
  }
  const uint32_t total = static_cast<uint32_t>(chunks);
  // Nobody reads these now: the last job has no unclaimed chunk, and whoever loads them early fails to claim.
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
  work(0);
  const auto start = Clock::now();
  bool patient = true;
  for (int spins = 0; done_.load(std::memory_order_acquire) != total; spins++) {
    if (!patient) {
      std::this_thread::yield();
    } else {
      pause();
      if ((spins & 31) == 31) patient = Clock::now() - start < kSpin;
    }
  }
}

void Pool::loop(int worker) {
  auto idle_since = Clock::now();
  for (int spins = 0; !quit_.load(std::memory_order_relaxed); spins++) {
    if (work(worker)) {
      idle_since = Clock::now();
      continue;
    }
    pause();
    if ((spins & 31) != 31 || Clock::now() - idle_since < kSpin) continue;
    std::unique_lock<std::mutex> lock(mutex_);
    parked_.fetch_add(1);
    wake_.wait(lock, [this] { return quit_.load() || unclaimed(state_.load()) > 0; });
    parked_.fetch_sub(1);
    lock.unlock();
    idle_since = Clock::now();
  }
}

}  // namespace limbeck
