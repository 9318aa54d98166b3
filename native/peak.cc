#include "peak.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace limbeck {

namespace {

using Clock = std::chrono::steady_clock;

/** How long each of the four rates is measured: the best of many short tries, as others may use the processor too. */
constexpr auto kDuration = std::chrono::milliseconds(50);

/** The best rate of `work`, which returns how much it did. */
template <class F>
double best_rate(F&& work) {
  double best = 0;
  const auto begin = Clock::now();
  auto now = begin;
  while (now - begin < kDuration) {
    const auto start = now;
    const double amount = work();
    now = Clock::now();
    best = std::max(best, amount / std::chrono::duration<double>(now - start).count());
  }
  return best;
}

}  // namespace

Peak measure_peak(Pool& pool, const PeakLoops& loops, float* buffer, int64_t bytes) {
  // A chunk is some 0.05 ms of work. A try is a few of these for each thread, so short that even on a busy processor many
  // tries end before the system interrupts one.
  constexpr int64_t kRounds = 1 << 14;
  constexpr int64_t kNumbers = 1 << 17;
  constexpr int64_t kChunk = kNumbers * static_cast<int64_t>(sizeof(float));
  constexpr int64_t kChunks = 4;
  std::atomic<bool> right{true};
  const auto expect = [&](float value, float expected) {
    if (!(value == expected)) right = false;
  };
  const auto multiply_add = [&](int64_t rounds) { expect(loops.multiply_add(rounds), loops.multiply_add_result); };
  const int64_t total = bytes / kChunk;
  const auto read = [&](int64_t chunk) {
    expect(loops.read(buffer + chunk % total * kNumbers, kNumbers), static_cast<float>(kNumbers));
  };

  // Ones: memory that was never written is not backed by pages of its own.
  pool.each(total, [&](int64_t chunk, int) { std::fill_n(buffer + chunk * kNumbers, kNumbers, 1.0f); });

  const int64_t all = pool.threads() * kChunks;
  // Every try reads on where the last one ended, in memory that has left the caches since it was last read.
  int64_t next = 0;
  Peak peak;
  peak.flops[0] = best_rate([&] {
    for (int64_t chunk = 0; chunk < kChunks; chunk++) multiply_add(kRounds);
    return static_cast<double>(kChunks * kRounds * loops.flops);
  });
  peak.flops[1] = best_rate([&] {
    pool.each(all, [&](int64_t, int) { multiply_add(kRounds); });
    return static_cast<double>(all * kRounds * loops.flops);
  });
  peak.bytes[0] = best_rate([&] {
    for (int64_t chunk = 0; chunk < kChunks; chunk++) read(next + chunk);
    next += kChunks;
    return static_cast<double>(kChunks * kChunk);
  });
  peak.bytes[1] = best_rate([&] {
    pool.each(all, [&](int64_t chunk, int) { read(next + chunk); });
    next += all;
    return static_cast<double>(all * kChunk);
  });
  // A busy machine may hold up all threads together; the rate of all is at least that of one.
  for (double* rates : {peak.flops, peak.bytes}) rates[1] = std::max(rates[1], rates[0]);
  if (!right) throw std::runtime_error("a loop that measures the processor computed something wrong");
  return peak;
}

}  // namespace limbeck
