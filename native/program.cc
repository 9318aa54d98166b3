#include "program.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "check.h"

namespace limbeck {

namespace {

constexpr int64_t kLine = 64;

std::string describe(const StepDescription& step, size_t index) {
  return "step " + std::to_string(index) + " (" + step.kernel->name + "): ";
}

}  // namespace

Buffer::Buffer(void* allocation, int64_t bytes)
    : allocation_(allocation),
      data_(reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(allocation) + kLine - 1) / kLine * kLine)),
      bytes_(bytes) {}

std::shared_ptr<Buffer> Buffer::allocate(int64_t bytes) {
  // calloc: large zeroed memory costs nothing until it is touched.
  void* allocation = calloc(1, static_cast<size_t>(bytes) + kLine);
  if (!allocation) return nullptr;
  return std::shared_ptr<Buffer>(new Buffer(allocation, bytes));
}

std::shared_ptr<Buffer> Buffer::imagine(int64_t bytes) {
  std::shared_ptr<Buffer> buffer(new Buffer(nullptr, bytes));
  // Null would be an operand that was left out.
  buffer->data_ = reinterpret_cast<char*>(kLine);
  return buffer;
}

Buffer::~Buffer() { free(allocation_); }

std::unique_ptr<Program> Program::create(std::shared_ptr<Pool> pool, const std::vector<Storage>& storages,
                                         int64_t arena_bytes, const std::vector<StepDescription>& steps,
                                         const std::vector<GroupDescription>& groups, bool imagined, Status* status,
                                         std::string* message) {
  const auto memory = imagined ? Buffer::imagine : Buffer::allocate;
  const auto invalid = [&](const std::string& text) {
    *status = Status::kInvalid;
    *message = text;
    return nullptr;
  };
  if (arena_bytes < 0) return invalid("the program's own memory has " + std::to_string(arena_bytes) + " bytes, expected 0 or more");
  std::unique_ptr<Program> program(new Program());
  program->pool_ = pool;
  program->arena_ = memory(arena_bytes);
  if (!program->arena_) {
    *status = Status::kOutOfMemory;
    *message = std::to_string(arena_bytes) + " bytes of temporaries";
    return nullptr;
  }
  std::vector<char*> bases;
  for (const Storage& storage : storages) {
    const Buffer& buffer = storage.tensor ? *storage.tensor : *program->arena_;
    if (storage.offset < 0 || storage.bytes < 0 || storage.offset > buffer.bytes() ||
        storage.bytes > buffer.bytes() - storage.offset)
      return invalid("a slot of " + std::to_string(storage.bytes) + " bytes at " + std::to_string(storage.offset) +
                     " does not fit in its memory of " + std::to_string(buffer.bytes()) + " bytes");
    bases.push_back(buffer.data() + storage.offset);
    if (storage.tensor) program->tensors_.push_back(storage.tensor);
  }

  // By step, the group it is in: those in none run whole.
  std::vector<const GroupDescription*> group_of(steps.size());
  size_t end = 0;
  for (const GroupDescription& group : groups) {
    const size_t length = group.strips.cuts.size();
    if (length < 1 || group.first < static_cast<int64_t>(end) || group.first > static_cast<int64_t>(steps.size()) ||
        length > steps.size() - static_cast<size_t>(group.first))
      return invalid("a group of " + std::to_string(length) + " steps begins at step " + std::to_string(group.first) + " of " +
                     std::to_string(steps.size()) + ", expected groups of at least one step, in order, that do not overlap");
    end = static_cast<size_t>(group.first) + length;
    for (size_t i = end - length; i < end; i++) group_of[i] = &group;
    std::string wrong = check_strips(group.strips);
    for (size_t s = 0; wrong.empty() && s < group.sums.size(); s++)
      wrong = check_sum(group.sums[s], group.strips.sums[s], group.strips, storages);
    if (!wrong.empty()) return invalid("the group at step " + std::to_string(group.first) + ": " + wrong);
  }

  for (size_t i = 0; i < steps.size(); i++) {
    const StepDescription& description = steps[i];
    const GroupDescription* group = group_of[i];
    const std::string wrong =
        group ? check_cut(description, group->strips.cuts[i - static_cast<size_t>(group->first)], group->strips, storages)
              : check_step(description, storages);
    if (!wrong.empty()) return invalid(describe(description, i) + wrong);
    Call call{description.kernel, Step{}};
    Step& step = call.step;
    for (size_t o = 0; o < description.operands.size(); o++) {
      const OperandDescription& operand = description.operands[o];
      if (operand.storage >= 0)
        step.operands[o] = {bases[static_cast<size_t>(operand.storage)] + operand.offset, operand.stride};
    }
    std::copy(description.sizes.begin(), description.sizes.end(), step.sizes);
    std::copy(description.constants.begin(), description.constants.end(), step.constants);
    step.accumulate = description.accumulate;
    program->calls_.push_back(call);
  }

  for (const GroupDescription& description : groups) {
    Group group{static_cast<size_t>(description.first), description.strips, {0, 0}};
    for (size_t s = 0; s < description.sums.size(); s++) {
      const OperandDescription& sum = description.sums[s];
      group.strips.sums[s].target = bases[static_cast<size_t>(sum.storage)] + sum.offset;
    }
    group.kernels = strip_workspace(group.strips, &program->calls_[group.first]);
    program->groups_.push_back(std::move(group));
  }

  const int64_t scratch = program->plan_scratch();
  program->scratch_ = memory(scratch);
  if (!program->scratch_) {
    *status = Status::kOutOfMemory;
    *message = std::to_string(scratch) + " bytes of scratch";
    return nullptr;
  }
  *status = Status::kOk;
  return program;
}

int64_t Program::plan_scratch() {
  Workspace largest{0, 0};
  int64_t bytes = 0;
  auto group = groups_.begin();
  for (size_t i = 0; i < calls_.size();) {
    if (group != groups_.end() && group->first == i) {
      bytes = std::max(bytes, strip_scratch(group->strips, group->kernels, pool_->threads()));
      i = (group++)->end();
      continue;
    }
    if (const auto workspace = calls_[i].kernel->workspace) {
      const Workspace needed = workspace(calls_[i].step);
      largest = {std::max(largest.shared, needed.shared), std::max(largest.worker, needed.worker)};
    }
    i++;
  }
  shared_bytes_ = lines(largest.shared);
  worker_bytes_ = lines(largest.worker);
  return std::max(bytes, shared_bytes_ + pool_->threads() * worker_bytes_);
}

bool Program::run(int64_t times, double* nanoseconds) {
  using Clock = std::chrono::steady_clock;
  const Context context{*pool_, scratch_->data(), scratch_->data() + shared_bytes_, worker_bytes_};
  auto last = Clock::now();
  for (int64_t time = 0; time < times; time++) {
    auto group = groups_.begin();
    for (size_t i = 0; i < calls_.size();) {
      if (stopped_.load(std::memory_order_relaxed)) return false;
      const bool strips = group != groups_.end() && group->first == i;
      const size_t end = strips ? (group++)->end() : i + 1;
      std::vector<double> shares(nanoseconds && strips ? end - i : 0, 1);
      if (strips) {
        const Group& together = *(group - 1);
        run_strips(together.strips, together.kernels, &calls_[i], *pool_, scratch_->data(),
                   nanoseconds ? shares.data() : nullptr);
      } else {
        calls_[i].kernel->run(calls_[i].step, context);
      }
      if (nanoseconds) {
        const auto now = Clock::now();
        const double elapsed = std::chrono::duration<double, std::nano>(now - last).count();
        for (size_t j = i; j < end; j++) nanoseconds[j] += strips ? elapsed * shares[j - i] : elapsed;
        last = now;
      }
      i = end;
    }
  }
  return true;
}

int64_t Program::bytes() const { return arena_->bytes() + scratch_->bytes(); }

bool Program::imagined() const {
  return arena_->imagined() ||
         std::any_of(tensors_.begin(), tensors_.end(), [](const auto& tensor) { return tensor->imagined(); });
}

}  // namespace limbeck
