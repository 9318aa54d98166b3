#include "description.h"

#include <algorithm>
#include <cmath>

namespace limbeck {

void fail(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  throw error;
}

std::string given(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return value.As<Napi::Boolean>().Value() ? "true" : "false";
    case napi_number: return value.ToString().Utf8Value();
    case napi_string: return "a string";
    case napi_function: return "a function";
    case napi_object: return value.IsArray() ? "an array" : "an object";
    default: return "something else";
  }
}

int64_t integer(const Napi::Value& value, const char* what) {
  constexpr double most = 9007199254740991;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0.5;
  if (!(number >= -most && number <= most) || number != std::floor(number))
    fail(value.Env(), "ERR_PROGRAM", std::string(what) + ": got " + given(value) + ", expected a whole number");
  return static_cast<int64_t>(number);
}

Napi::Object object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) fail(value.Env(), "ERR_PROGRAM", std::string(what) + ": got " + given(value) + ", expected an object");
  return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Value& value, const char* what) {
  if (!value.IsArray()) fail(value.Env(), "ERR_PROGRAM", std::string(what) + ": got " + given(value) + ", expected an array");
  return value.As<Napi::Array>();
}

namespace {

std::vector<int64_t> integers(const Napi::Object& from, const char* name) {
  const Napi::Array list = array(from.Get(name), name);
  std::vector<int64_t> to;
  for (uint32_t i = 0; i < list.Length(); i++) to.push_back(integer(list.Get(i), name));
  return to;
}

/** The same, so many numbers for each of `count` things; at most `most` of those. */
std::vector<int64_t> integers(const Napi::Object& from, const char* name, size_t each, size_t most = SIZE_MAX) {
  const std::vector<int64_t> numbers = integers(from, name);
  if (numbers.size() % each != 0 || numbers.size() / each > most)
    fail(from.Env(), "ERR_PROGRAM",
         std::string(name) + ": got " + std::to_string(numbers.size()) + " numbers, expected " + std::to_string(each) +
             " for each" + (most == SIZE_MAX ? "" : " of at most " + std::to_string(most)));
  return numbers;
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
  const int64_t kernel = integer(from.Get("kernel"), "kernel");
  step.kernel = find_kernel(isa, kernel);
  if (!step.kernel)
    fail(env, "ERR_PROGRAM",
         "there is no kernel " + std::to_string(kernel) + ", expected 0 to " + std::to_string(kernel_count(isa) - 1));
  step.sizes = integers(from, "sizes");
  const Napi::Array constants = array(from.Get("constants"), "constants");
  for (uint32_t i = 0; i < constants.Length(); i++) {
    const Napi::Value constant = constants.Get(i);
    if (!constant.IsNumber()) fail(env, "ERR_PROGRAM", "constants: got " + given(constant) + ", expected a number");
    step.constants.push_back(constant.As<Napi::Number>().DoubleValue());
  }
  // storage, offset, stride, members, bytes for each operand
  const std::vector<int64_t> numbers = integers(from, "operands", 5);
  for (size_t i = 0; i < numbers.size(); i += 5)
    step.operands.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]});
  step.accumulate = from.Get("accumulate").ToBoolean().Value();
  const auto expect = [&](size_t got, const char* what, const char* const* names) {
    if (got != count(names))
      fail(env, "ERR_PROGRAM",
           std::string(step.kernel->name) + ": got " + std::to_string(got) + " " + what + ", expected " +
               std::to_string(count(names)));
  };
  expect(step.operands.size(), "operands", step.kernel->operands);
  expect(step.sizes.size(), "sizes", step.kernel->sizes);
  expect(step.constants.size(), "constants", step.kernel->constants);
  return step;
}

GroupDescription group_description(const Napi::Object& from) {
  const auto number = [&](const char* name) { return integer(from.Get(name), name); };
  Strips strips{};
  strips.parts = number("parts");
  strips.channels = number("channels");
  strips.members = number("members");
  strips.strips = number("strips");
  strips.pieces = number("pieces");
  strips.alone = from.Get("alone").ToBoolean().Value();
  strips.inner_bytes = number("innerBytes");
  strips.sum_floats = number("sumFloats");
  const Napi::Array cuts = array(from.Get("cuts"), "cuts");
  for (uint32_t i = 0; i < cuts.Length(); i++) {
    const Napi::Object cut = object(cuts.Get(i), "a cut");
    StepCut to{};
    const std::vector<int64_t> operands = integers(cut, "operands", 2, kMaxOperands);
    const std::vector<int64_t> sizes = integers(cut, "sizes", 1, kMaxSizes);
    for (size_t o = 0; 2 * o < operands.size(); o++) {
      const OperandKind kind = static_cast<OperandKind>(operands[2 * o]);
      to.operands[o] = {kind, operands[2 * o + 1], 0};
      to.sums |= kind == OperandKind::kSum || kind == OperandKind::kChannelSum;
      strips.zeros |= kind == OperandKind::kChannelSum;
    }
    std::copy(sizes.begin(), sizes.end(), to.sizes);
    to.begins = cut.Get("begins").ToBoolean().Value();
    strips.cuts.push_back(to);
  }
  // storage, offset, stride, members, bytes, place among a piece's sums, accumulate for each sum
  const std::vector<int64_t> numbers = integers(from, "sums", 7);
  std::vector<OperandDescription> sums;
  for (size_t i = 0; i < numbers.size(); i += 7) {
    sums.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]});
    const int64_t floats = numbers[i + 4] / static_cast<int64_t>(sizeof(float));
    strips.sums.push_back({nullptr, numbers[i + 2], floats, numbers[i + 5], numbers[i + 6] != 0});
  }
  for (StepCut& cut : strips.cuts)
    for (OperandCut& operand : cut.operands)
      for (const StripSum& sum : strips.sums)
        if (operand.kind == OperandKind::kChannelSum && operand.value == sum.offset && strips.channels > 0)
          operand.row = sum.floats / strips.channels;
  return {number("first"), strips, sums};
}

}  // namespace limbeck
