// Measures how many float32 operations a second the processor's multiply-add units reach with THREADS threads, in
// GFLOP/s: independent sums in registers, no memory. Compiled for the machine it runs on.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
#if defined(__aarch64__)
#define IN_REGISTER "+w"
#else
#define IN_REGISTER "+x"
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
constexpr int kSums = 12;
constexpr long kRounds = 20'000'000;

static void Work() {
  Vector sums[kSums] = {};
  Vector x = sums[0] + 1.0000001f, y = sums[0] + 1e-9f;
  for (long round = 0; round < kRounds; round++)
#pragma GCC unroll 12
    for (int i = 0; i < kSums; i++) {
      sums[i] = sums[i] * x + y;
      asm volatile("" : IN_REGISTER(sums[i]));
    }
}

int main(int, char** arguments) {
  const int threads = std::atoi(arguments[1]);
  double best = 0;
  for (int repeat = 0; repeat < 5; repeat++) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (int t = 0; t < threads; t++) pool.emplace_back(Work);
    for (auto& thread : pool) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double rate = 2.0 * threads * kSums * kLanes * kRounds / seconds / 1e9;
    if (rate > best) best = rate;
  }
  std::printf("%.1f\n", best);
}
