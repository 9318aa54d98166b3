#include "strips.h"

#include <algorithm>
#include <chrono>

namespace limbeck {

namespace {

using Clock = std::chrono::steady_clock;

/** Runs all of a loop on the thread that calls it. */
Pool& caller_alone() {
  static Pool pool(1);
  return pool;
}

/** `step` for the parts of one strip of one member. */
Step cut_step(const Strips& strips, const Step& step, const StepCut& cut, int64_t member, int64_t strip, char* inner,
              float* sums) {
  const int64_t first = strips.strip_start(strip), count = strips.strip_start(strip + 1) - first;
  Step result = step;
  result.place = {first, strips.parts, strips.channels};
  result.sizes[0] = 1;  // P: a strip is of one member
  for (int i = 1; i < kMaxSizes; i++)
    if (cut.sizes[i] != 0) result.sizes[i] = cut.sizes[i] > 0 ? cut.sizes[i] * count : 1;
  for (int o = 0; o < kMaxOperands; o++) {
    Operand& operand = result.operands[o];
    const int64_t value = cut.operands[o].value;
    switch (cut.operands[o].kind) {
      case OperandKind::kInner:
        operand.base = inner + value;
        break;
      case OperandKind::kSum:
        operand.base = reinterpret_cast<char*>(sums + value);
        break;
      case OperandKind::kChannelSum:
        operand.base = reinterpret_cast<char*>(sums + value + first % strips.channels * cut.operands[o].row);
        break;
      case OperandKind::kCut:
        operand.base += member * operand.stride + first * value;
        break;
      case OperandKind::kPerChannel:
        operand.base += member * operand.stride + first % strips.channels * value;
        break;
      case OperandKind::kPerImage:
        operand.base += member * operand.stride + first / strips.channels * value;
        break;
      case OperandKind::kWhole:
        if (operand.base) operand.base += member * operand.stride;
        break;
    }
  }
  return result;
}

void run_piece(const Strips& strips, const Call* calls, int64_t member, int64_t piece, char* own,
               const Workspace& kernels, float* sums, double* busy) {
  char* const shared = own + strips.inner_bytes;
  const Context context{caller_alone(), shared, shared + kernels.shared, kernels.worker};
  const int64_t first = strips.piece_start(piece), end = strips.piece_start(piece + 1);
  if (strips.zeros) std::fill_n(sums, strips.sum_floats, 0.0f);
  auto last = Clock::now();
  for (int64_t strip = first; strip < end; strip++) {
    for (size_t i = 0; i < strips.cuts.size(); i++) {
      const StepCut& cut = strips.cuts[i];
      Step step = cut_step(strips, calls[i].step, cut, member, strip, own, sums);
      if (cut.sums) step.accumulate = strip > first || !cut.begins;
      calls[i].kernel->run(step, context);
      if (!busy) continue;
      const auto now = Clock::now();
      busy[i] += std::chrono::duration<double>(now - last).count();
      last = now;
    }
  }
}

/** target (+)= the pieces' sums, in their order. */
void add_up(const Strips& strips, Pool& pool, const float* partial) {
  for (const StripSum& sum : strips.sums) {
    each_part(pool, strips.members, sum.floats, 4096, [&](int64_t member, int64_t from, int64_t to) {
      add_parts(reinterpret_cast<float*>(sum.target + member * sum.stride),
                partial + member * strips.pieces * strips.sum_floats + sum.offset, strips.pieces, strips.sum_floats, from, to,
                sum.accumulate);
    });
  }
}

int64_t worker_bytes(const Strips& strips, const Workspace& kernels) {
  return strips.inner_bytes + kernels.shared + kernels.worker;
}

int64_t sum_bytes(const Strips& strips) {
  return lines(strips.members * strips.pieces * strips.sum_floats * static_cast<int64_t>(sizeof(float)));
}

}  // namespace

Workspace strip_workspace(const Strips& strips, const Call* calls) {
  Workspace largest{0, 0};
  float nothing = 0;  // stands in for operands that are there; kernels only check which are
  int64_t last = 0;
  for (int64_t strip = 0; strip < strips.strips; strip++) {
    const int64_t length = strips.strip_start(strip + 1) - strips.strip_start(strip);
    if (length == last) continue;
    last = length;
    for (size_t i = 0; i < strips.cuts.size(); i++) {
      if (!calls[i].kernel->workspace) continue;
      const Step step =
          cut_step(strips, calls[i].step, strips.cuts[i], 0, strip, reinterpret_cast<char*>(&nothing), &nothing);
      const Workspace workspace = calls[i].kernel->workspace(step);
      if (workspace.shared > largest.shared) largest.shared = workspace.shared;
      if (workspace.worker > largest.worker) largest.worker = workspace.worker;
    }
  }
  return {lines(largest.shared), lines(largest.worker)};
}

int64_t strip_scratch(const Strips& strips, const Workspace& kernels, int workers) {
  return sum_bytes(strips) + workers * worker_bytes(strips, kernels);
}

void run_strips(const Strips& strips, const Workspace& kernels, const Call* calls, Pool& pool, char* scratch,
                double* shares) {
  const size_t steps = strips.cuts.size();
  float* const partial = reinterpret_cast<float*>(scratch);
  char* const workers = scratch + sum_bytes(strips);
  Pool& team = strips.alone ? caller_alone() : pool;
  std::vector<double> busy(shares ? static_cast<size_t>(pool.threads()) * steps : 0);
  team.each(strips.members * strips.pieces, [&](int64_t chunk, int worker) {
    run_piece(strips, calls, chunk / strips.pieces, chunk % strips.pieces, workers + worker * worker_bytes(strips, kernels),
              kernels, partial + chunk * strips.sum_floats,
              shares ? &busy[static_cast<size_t>(worker) * steps] : nullptr);
  });
  add_up(strips, team, partial);
  if (!shares) return;
  double total = 0;
  for (size_t i = 0; i < steps; i++) {
    shares[i] = 0;
    for (size_t at = i; at < busy.size(); at += steps) shares[i] += busy[at];
    total += shares[i];
  }
  for (size_t i = 0; i < steps; i++) shares[i] = total > 0 ? shares[i] / total : 1.0 / static_cast<double>(steps);
}

}  // namespace limbeck
