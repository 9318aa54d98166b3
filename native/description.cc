#include "description.h"

namespace limbeck {

void fail(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

int64_t integer(const Napi::Value& value) {
  if (!value.IsNumber()) fail(value.Env(), "ERR_PROGRAM", "expected a number");
  return value.As<Napi::Number>().Int64Value();
}

Napi::Object object(const Napi::Value& value) {
  if (!value.IsObject()) fail(value.Env(), "ERR_PROGRAM", "expected an object");
  return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Value& value) {
  if (!value.IsArray()) fail(value.Env(), "ERR_PROGRAM", "expected an array");
  return value.As<Napi::Array>();
}

namespace {

std::vector<int64_t> integers(const Napi::Value& value) {
  const Napi::Array from = array(value);
  std::vector<int64_t> to;
  for (uint32_t i = 0; i < from.Length(); i++) to.push_back(integer(from.Get(i)));
  return to;
}

size_t count(const char* const* names) {
  size_t n = 0;
  while (names[n]) n++;
  return n;
}

}  // namespace

StepDescription step_description(const Isa& isa, const Napi::Object& from) {
  const Napi::Env env = from.Env();
  StepDescription step;
  step.kernel = find_kernel(isa, static_cast<int>(integer(from.Get("kernel"))));
  if (!step.kernel) fail(env, "ERR_PROGRAM", "there is no such kernel");
  step.sizes = integers(from.Get("sizes"));
  const Napi::Array constants = array(from.Get("constants"));
  for (uint32_t i = 0; i < constants.Length(); i++)
    step.constants.push_back(constants.Get(i).ToNumber().DoubleValue());
  // storage, offset, stride, members, bytes for each operand
  const std::vector<int64_t> numbers = integers(from.Get("operands"));
  for (size_t i = 0; i + 4 < numbers.size(); i += 5)
    step.operands.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]});
  step.accumulate = from.Get("accumulate").ToBoolean().Value();
  if (step.operands.size() != count(step.kernel->operands) || step.sizes.size() != count(step.kernel->sizes) ||
      step.constants.size() != count(step.kernel->constants))
    fail(env, "ERR_PROGRAM", std::string(step.kernel->name) + ": wrong number of operands, sizes or constants");
  return step;
}

GroupDescription group_description(const Napi::Object& from) {
  const auto number = [&](const char* name) { return integer(from.Get(name)); };
  Strips strips;
  strips.parts = number("parts");
  strips.channels = number("channels");
  strips.members = number("members");
  strips.strips = number("strips");
  strips.pieces = number("pieces");
  strips.alone = from.Get("alone").ToBoolean().Value();
  strips.inner_bytes = number("innerBytes");
  strips.sum_floats = number("sumFloats");
  if (strips.channels < 1 || strips.members < 1 || strips.pieces < 1 || strips.strips < strips.pieces ||
      strips.parts < strips.strips || strips.inner_bytes < 0 || strips.sum_floats < 0)
    fail(from.Env(), "ERR_PROGRAM", "a group of steps is cut into nothing");
  const Napi::Array cuts = array(from.Get("cuts"));
  for (uint32_t i = 0; i < cuts.Length(); i++) {
    const Napi::Object cut = object(cuts.Get(i));
    StepCut to{};
    const std::vector<int64_t> operands = integers(cut.Get("operands")), sizes = integers(cut.Get("sizes"));
    for (size_t o = 0; 2 * o + 1 < operands.size() && o < kMaxOperands; o++) {
      to.operands[o] = {static_cast<OperandKind>(operands[2 * o]), operands[2 * o + 1]};
      to.sums |= to.operands[o].kind == OperandKind::kSum;
    }
    for (size_t s = 0; s < sizes.size() && s < kMaxSizes; s++) to.sizes[s] = sizes[s];
    to.begins = cut.Get("begins").ToBoolean().Value();
    strips.cuts.push_back(to);
  }
  // storage, offset, stride, members, bytes, place among a piece's sums, accumulate for each sum
  const std::vector<int64_t> numbers = integers(from.Get("sums"));
  std::vector<OperandDescription> sums;
  for (size_t i = 0; i + 6 < numbers.size(); i += 7) {
    sums.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]});
    const int64_t floats = numbers[i + 4] / static_cast<int64_t>(sizeof(float));
    strips.sums.push_back({nullptr, numbers[i + 2], floats, numbers[i + 5], numbers[i + 6] != 0});
  }
  return {number("first"), strips, sums};
}

}  // namespace limbeck
