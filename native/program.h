#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel.h"
#include "parallel.h"
#include "strips.h"

namespace limbeck {

/** Zeroed memory on a cache line. */
class Buffer {
 public:
  /** Null when there is no room. */
  static std::shared_ptr<Buffer> allocate(int64_t bytes);
  /** Memory that is not there, to plan with: nothing may touch it. */
  static std::shared_ptr<Buffer> imagine(int64_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  bool imagined() const { return !allocation_; }

 private:
  Buffer(void* allocation, int64_t bytes);

  void* allocation_;
  char* data_;
  int64_t bytes_;
};

/** Where a slot lives: a tensor's memory, or a piece of the program's own (the arena) when there is no tensor. */
struct Storage {
  std::shared_ptr<Buffer> tensor;
  int64_t offset;
  int64_t bytes;
};

/** An operand as TypeScript describes it; storage is -1 when it is left out. All but `members` in bytes. */
struct OperandDescription {
  int64_t storage;
  int64_t offset;
  int64_t stride;
  int64_t members;
  int64_t bytes;  // of one member
};

struct StepDescription {
  const Kernel* kernel;
  std::vector<OperandDescription> operands;
  std::vector<int64_t> sizes;
  std::vector<double> constants;
  bool accumulate;
};

/** A group of steps as TypeScript describes it: the first, how it is cut, and which storage each sum goes to. */
struct GroupDescription {
  int64_t first;
  Strips strips;
  std::vector<OperandDescription> sums;
};

/** Steps ready to run: memory allocated, every range checked. */
class Program {
 public:
  enum class Status { kOk, kOutOfMemory, kInvalid };

  /** On failure `message` says what is wrong and the program is null. An `imagined` one has no memory, and cannot run. */
  static std::unique_ptr<Program> create(std::shared_ptr<Pool> pool, const std::vector<Storage>& storages,
                                         int64_t arena_bytes, const std::vector<StepDescription>& steps,
                                         const std::vector<GroupDescription>& groups, bool imagined, Status* status,
                                         std::string* message);

  /**
   * Runs all steps so many times; false when `stop` was called meanwhile (checked between steps and groups of steps). Adds how long each
   * step took to `nanoseconds`, one number a step, unless it is null.
   */
  bool run(int64_t times, double* nanoseconds = nullptr);

  size_t steps() const { return calls_.size(); }

  /** From any thread. */
  void stop() { stopped_.store(true, std::memory_order_relaxed); }
  /** Before a run is queued, on the thread that calls `stop`. */
  void arm() { stopped_.store(false, std::memory_order_relaxed); }

  /** What it holds besides the tensors, or would if it were not imagined. */
  int64_t bytes() const;
  /** Whether it, or a tensor of it, has no memory. */
  bool imagined() const;

 private:
  struct Group {
    size_t first;
    Strips strips;
    Workspace kernels;
    size_t end() const { return first + strips.cuts.size(); }
  };

  /** Bytes of scratch for whatever runs, one after the other in the same. */
  int64_t plan_scratch();

  Program() = default;

  std::shared_ptr<Pool> pool_;
  std::vector<std::shared_ptr<Buffer>> tensors_;
  std::shared_ptr<Buffer> arena_;
  std::shared_ptr<Buffer> scratch_;  // a step's: shared, then one piece per worker; a group's: see strips.h
  int64_t shared_bytes_ = 0;
  int64_t worker_bytes_ = 0;
  std::vector<Call> calls_;
  std::vector<Group> groups_;
  std::atomic<bool> stopped_{false};
};

}  // namespace limbeck
