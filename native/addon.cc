#include <napi.h>

#include <optional>

#include "check.h"
#include "description.h"
#include "device.h"
#include "isa.h"
#include "later.h"
#include "parallel.h"
#include "program.h"
#include "tasks.h"

/**
 * The binding between JavaScript and the engine: unwraps arguments, wraps results, computes nothing. TypeScript
 * (src/engine/cpu) is its only caller, and checks what users give; here is checked what would otherwise crash the process, whoever calls.
 */
namespace {

using limbeck::array;
using limbeck::Buffer;
using limbeck::DeviceWrap;
using limbeck::fail;
using limbeck::given;
using limbeck::integer;
using limbeck::Isa;
using limbeck::Kernel;
using limbeck::object;
using limbeck::OpenDevice;
using limbeck::Pool;
using limbeck::Program;
using limbeck::Turn;
using limbeck::unwrap;

constexpr napi_type_tag kTensorTag = {0x6c696d6265636b02, 0x1d6f1c0a8b7e4f02};
constexpr napi_type_tag kProgramTag = {0x6c696d6265636b03, 0x1d6f1c0a8b7e4f03};

// ---------------------------------------------------------------- Tensor

class TensorWrap : public Napi::ObjectWrap<TensorWrap> {
 public:
  /** new NativeTensor(bytes, imagined): without memory where it is imagined. */
  explicit TensorWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const int64_t bytes = integer(info[0], "bytes of a tensor");
    if (bytes < 0) fail(info.Env(), "ERR_SHAPE", "a tensor of " + std::to_string(bytes) + " bytes, expected 0 or more");
    buffer_ = info[1].ToBoolean() ? Buffer::imagine(bytes) : Buffer::allocate(bytes);
    if (!buffer_) fail(info.Env(), "ERR_OUT_OF_MEMORY", "no room for a tensor of " + std::to_string(bytes) + " bytes");
    info.This().As<Napi::Object>().TypeTag(&kTensorTag);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeTensor",
                       {InstanceMethod<&TensorWrap::write>("write"), InstanceMethod<&TensorWrap::read>("read"),
                        InstanceMethod<&TensorWrap::free>("free")});
  }

  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }

 private:
  /** write(bytes, offset): copies all of `bytes` to offset. */
  void write(const Napi::CallbackInfo& info) {
    const int64_t offset = integer(info[1], "offset");
    const Napi::Uint8Array from = bytes_of(info);
    check(info.Env(), offset, static_cast<int64_t>(from.ByteLength()));
    // An empty array has no memory.
    if (from.ByteLength() > 0) memcpy(buffer_->data() + offset, from.Data(), from.ByteLength());
  }

  /** read(bytes): fills `bytes` from the beginning of the tensor. */
  void read(const Napi::CallbackInfo& info) {
    Napi::Uint8Array to = bytes_of(info);
    check(info.Env(), 0, static_cast<int64_t>(to.ByteLength()));
    if (to.ByteLength() > 0) memcpy(to.Data(), buffer_->data(), to.ByteLength());
  }

  /** Releases the memory; programs that use it keep it until they are freed. */
  void free(const Napi::CallbackInfo&) { buffer_.reset(); }

  static Napi::Uint8Array bytes_of(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      fail(info.Env(), "ERR_PROGRAM", "got " + given(info[0]) + ", expected a Uint8Array");
    return info[0].As<Napi::Uint8Array>();
  }

  void check(Napi::Env env, int64_t offset, int64_t length) {
    if (!buffer_) fail(env, "ERR_PROGRAM", "the tensor was disposed of");
    if (buffer_->imagined()) fail(env, "ERR_PROGRAM", "the tensor has no memory");
    if (offset < 0 || length > buffer_->bytes() || offset > buffer_->bytes() - length)
      fail(env, "ERR_SHAPE",
           std::to_string(length) + " bytes at " + std::to_string(offset) + ", expected a range within the " +
               std::to_string(buffer_->bytes()) + " bytes of the tensor");
  }

  std::shared_ptr<Buffer> buffer_;
};

// ---------------------------------------------------------------- Program

class ProgramWrap : public Napi::ObjectWrap<ProgramWrap> {
 public:
  /** new NativeProgram(device, { storages, arenaBytes, steps, groups, imagined }); see ProgramDescription in src/engine/cpu/binding.ts. */
  explicit ProgramWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    const OpenDevice device(info[0]);
    const Napi::Object description = object(info[1], "the description of a program");

    std::vector<limbeck::Storage> storages;
    const Napi::Array storage_list = array(description.Get("storages"), "storages");
    for (uint32_t i = 0; i < storage_list.Length(); i++) {
      const Napi::Object storage = object(storage_list.Get(i), "a storage");
      const Napi::Value tensor = storage.Get("tensor");
      std::shared_ptr<Buffer> buffer;
      if (!tensor.IsUndefined()) {
        buffer = unwrap<TensorWrap>(tensor, kTensorTag, "a NativeTensor")->buffer();
        if (!buffer) fail(env, "ERR_PROGRAM", "a tensor was disposed of");
      }
      storages.push_back({buffer, integer(storage.Get("offset"), "offset of a storage"), integer(storage.Get("bytes"), "bytes of a storage")});
    }

    std::vector<limbeck::StepDescription> steps;
    const Napi::Array step_list = array(description.Get("steps"), "steps");
    for (uint32_t i = 0; i < step_list.Length(); i++)
      steps.push_back(limbeck::step_description(*device.isa, object(step_list.Get(i), "a step")));

    std::vector<limbeck::GroupDescription> groups;
    const Napi::Array group_list = array(description.Get("groups"), "groups");
    for (uint32_t i = 0; i < group_list.Length(); i++)
      groups.push_back(limbeck::group_description(object(group_list.Get(i), "a group")));

    Program::Status status;
    std::string message;
    program_ = Program::create(device.pool, storages, integer(description.Get("arenaBytes"), "arenaBytes"), steps, groups,
                               description.Get("imagined").ToBoolean(), &status, &message);
    if (status == Program::Status::kOutOfMemory) fail(env, "ERR_OUT_OF_MEMORY", "no room for " + message);
    if (!program_) fail(env, "ERR_PROGRAM", message);
    pool_ = device.pool;
    info.This().As<Napi::Object>().TypeTag(&kProgramTag);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeProgram",
                       {InstanceMethod<&ProgramWrap::run>("run"), InstanceMethod<&ProgramWrap::profile>("profile"),
                        InstanceMethod<&ProgramWrap::stop>("stop"), InstanceMethod<&ProgramWrap::free>("free"),
                        InstanceMethod<&ProgramWrap::bytes>("bytes")});
  }

 private:
  /** run(times): a promise of whether it ran to its end. */
  Napi::Value run(const Napi::CallbackInfo& info) {
    const int64_t times = times_of(info);
    return limbeck::later(
        info.Env(), [armed = arm(info), times] { return armed.program->run(times); },
        [](Napi::Env env, bool finished) { return Napi::Boolean::New(env, finished); });
  }

  /** profile(times): the same, a promise of the nanoseconds of each step; of nothing when it was stopped. */
  Napi::Value profile(const Napi::CallbackInfo& info) {
    const int64_t times = times_of(info);
    return limbeck::later(
        info.Env(),
        [armed = arm(info), times] {
          std::optional<std::vector<double>> nanoseconds(armed.program->steps());
          if (!armed.program->run(times, nanoseconds->data())) nanoseconds.reset();
          return nanoseconds;
        },
        [](Napi::Env env, const std::optional<std::vector<double>>& nanoseconds) -> Napi::Value {
          if (!nanoseconds) return env.Undefined();
          Napi::Float64Array array = Napi::Float64Array::New(env, nanoseconds->size());
          std::copy(nanoseconds->begin(), nanoseconds->end(), array.Data());
          return array;
        });
  }

  static int64_t times_of(const Napi::CallbackInfo& info) {
    const int64_t times = integer(info[0], "times");
    if (times < 0) fail(info.Env(), "ERR_PROGRAM", "times: got " + std::to_string(times) + ", expected 0 or more");
    return times;
  }

  /** A program that is about to run, with the threads to itself. */
  struct Armed {
    std::shared_ptr<Program> program;
    std::shared_ptr<Turn> turn;
  };

  Armed arm(const Napi::CallbackInfo& info) {
    if (!program_) fail(info.Env(), "ERR_PROGRAM", "the program was disposed of");
    if (program_->imagined()) fail(info.Env(), "ERR_PROGRAM", "the program has no memory");
    // Its turn first: a run that is under way has its own stop.
    const Armed armed{program_, Turn::take(info.Env(), pool_)};
    program_->arm();
    return armed;
  }

  void stop(const Napi::CallbackInfo&) {
    if (program_) program_->stop();
  }

  void free(const Napi::CallbackInfo&) {
    program_.reset();
    pool_.reset();
  }

  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->bytes()) : 0);
  }

  std::shared_ptr<Program> program_;
  std::shared_ptr<Pool> pool_;
};

// ---------------------------------------------------------------- what the module exports

Napi::Array names(Napi::Env env, const char* const* list) {
  Napi::Array array = Napi::Array::New(env);
  for (uint32_t i = 0; list[i]; i++) array.Set(i, list[i]);
  return array;
}

/** The same without what kernels declare of operands behind their names. */
Napi::Array operand_names(Napi::Env env, const char* const* list) {
  Napi::Array array = Napi::Array::New(env);
  for (uint32_t i = 0; list[i]; i++) array.Set(i, Napi::String::New(env, std::string(limbeck::Declaration(list[i]).name)));
  return array;
}

Napi::Value kernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array array = Napi::Array::New(env);
  const Isa& isa = limbeck::isas().front();
  for (int i = 0; const Kernel* kernel = limbeck::find_kernel(isa, i); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", kernel->name);
    entry.Set("operands", operand_names(env, kernel->operands));
    entry.Set("sizes", names(env, kernel->sizes));
    entry.Set("constants", names(env, kernel->constants));
    array.Set(static_cast<uint32_t>(i), entry);
  }
  return array;
}

Napi::Value isa_names(const Napi::CallbackInfo& info) {
  Napi::Array array = Napi::Array::New(info.Env());
  for (const Isa& isa : limbeck::isas()) array.Set(array.Length(), isa.name);
  return array;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("kernels", Napi::Function::New<kernels>(env, "kernels"));
  exports.Set("isas", Napi::Function::New<isa_names>(env, "isas"));
  exports.Set("matrixProduct", Napi::Function::New<limbeck::matrix_product>(env, "matrixProduct"));
  exports.Set("measurePeak", Napi::Function::New<limbeck::measure_peak>(env, "measurePeak"));
  exports.Set("NativeDevice", DeviceWrap::define(env));
  exports.Set("NativeTensor", TensorWrap::define(env));
  exports.Set("NativeProgram", ProgramWrap::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(limbeck, init)
