#include <napi.h>

#include <optional>

#include "description.h"
#include "isa.h"
#include "later.h"
#include "matrix.h"
#include "parallel.h"
#include "peak.h"
#include "program.h"

/**
 * The binding between JavaScript and the engine: unwraps arguments, wraps results, computes nothing. TypeScript
 * (src/engine/cpu) is its only caller; only what would otherwise crash the process is checked here.
 */
namespace {

using limbeck::array;
using limbeck::Buffer;
using limbeck::fail;
using limbeck::integer;
using limbeck::Isa;
using limbeck::Kernel;
using limbeck::object;
using limbeck::Pool;
using limbeck::Program;

constexpr napi_type_tag kDeviceTag = {0x6c696d6265636b01, 0x1d6f1c0a8b7e4f01};
constexpr napi_type_tag kTensorTag = {0x6c696d6265636b02, 0x1d6f1c0a8b7e4f02};
constexpr napi_type_tag kProgramTag = {0x6c696d6265636b03, 0x1d6f1c0a8b7e4f03};

template <class T>
T* unwrap(const Napi::Value& value, const napi_type_tag& tag) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag))
    fail(value.Env(), "ERR_PROGRAM", "expected an object of this addon");
  return T::Unwrap(value.As<Napi::Object>());
}

// ---------------------------------------------------------------- Tensor

class TensorWrap : public Napi::ObjectWrap<TensorWrap> {
 public:
  /** new NativeTensor(bytes, imagined): without memory where it is imagined. */
  explicit TensorWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const int64_t bytes = integer(info[0]);
    if (bytes < 0) fail(info.Env(), "ERR_SHAPE", "a tensor of negative size");
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
    const Napi::Uint8Array from = bytes_of(info);
    const int64_t offset = integer(info[1]);
    check(info.Env(), offset, static_cast<int64_t>(from.ByteLength()));
    memcpy(buffer_->data() + offset, from.Data(), from.ByteLength());
  }

  /** read(bytes): fills `bytes` from the beginning of the tensor. */
  void read(const Napi::CallbackInfo& info) {
    Napi::Uint8Array to = bytes_of(info);
    check(info.Env(), 0, static_cast<int64_t>(to.ByteLength()));
    memcpy(to.Data(), buffer_->data(), to.ByteLength());
  }

  /** Releases the memory; programs that use it keep it until they are freed. */
  void free(const Napi::CallbackInfo&) { buffer_.reset(); }

  static Napi::Uint8Array bytes_of(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
      fail(info.Env(), "ERR_PROGRAM", "expected a Uint8Array");
    return info[0].As<Napi::Uint8Array>();
  }

  void check(Napi::Env env, int64_t offset, int64_t length) {
    if (!buffer_) fail(env, "ERR_PROGRAM", "the tensor was disposed of");
    if (buffer_->imagined()) fail(env, "ERR_PROGRAM", "the tensor has no memory");
    if (offset < 0 || length > buffer_->bytes() || offset > buffer_->bytes() - length)
      fail(env, "ERR_SHAPE", "the range does not fit in the tensor");
  }

  std::shared_ptr<Buffer> buffer_;
};

// ---------------------------------------------------------------- Device

class DeviceWrap : public Napi::ObjectWrap<DeviceWrap> {
 public:
  /** new NativeDevice(isa, threads) */
  explicit DeviceWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    isa_ = limbeck::find_isa(name);
    if (!isa_) fail(info.Env(), "ERR_DEVICE", "this processor or build has no instruction set named " + name);
    const int64_t threads = integer(info[1]);
    if (threads < 1 || threads > 1024) fail(info.Env(), "ERR_OPTION", "threads: expected 1 to 1024");
    pool_ = std::make_shared<Pool>(static_cast<int>(threads));
    info.This().As<Napi::Object>().TypeTag(&kDeviceTag);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "NativeDevice", {InstanceMethod<&DeviceWrap::free>("free")});
  }

  const Isa& isa() const { return *isa_; }
  const std::shared_ptr<Pool>& pool() const { return pool_; }

 private:
  /** Releases the threads; programs keep them until they are freed. */
  void free(const Napi::CallbackInfo&) { pool_.reset(); }

  const Isa* isa_ = nullptr;
  std::shared_ptr<Pool> pool_;
};

// ---------------------------------------------------------------- Program

class ProgramWrap : public Napi::ObjectWrap<ProgramWrap> {
 public:
  /** new NativeProgram(device, { storages, arenaBytes, steps, groups, imagined }); see ProgramDescription in src/engine/cpu/binding.ts. */
  explicit ProgramWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const Napi::Env env = info.Env();
    const DeviceWrap* device = unwrap<DeviceWrap>(info[0], kDeviceTag);
    if (!device->pool()) fail(env, "ERR_PROGRAM", "the device was disposed of");
    const Napi::Object description = object(info[1]);

    std::vector<limbeck::Storage> storages;
    const Napi::Array storage_list = array(description.Get("storages"));
    for (uint32_t i = 0; i < storage_list.Length(); i++) {
      const Napi::Object storage = object(storage_list.Get(i));
      const Napi::Value tensor = storage.Get("tensor");
      std::shared_ptr<Buffer> buffer;
      if (!tensor.IsUndefined()) {
        buffer = unwrap<TensorWrap>(tensor, kTensorTag)->buffer();
        if (!buffer) fail(env, "ERR_PROGRAM", "a tensor was disposed of");
      }
      storages.push_back({buffer, integer(storage.Get("offset")), integer(storage.Get("bytes"))});
    }

    std::vector<limbeck::StepDescription> steps;
    const Napi::Array step_list = array(description.Get("steps"));
    for (uint32_t i = 0; i < step_list.Length(); i++) steps.push_back(limbeck::step_description(device->isa(), object(step_list.Get(i))));

    std::vector<limbeck::GroupDescription> groups;
    const Napi::Array group_list = array(description.Get("groups"));
    for (uint32_t i = 0; i < group_list.Length(); i++)
      groups.push_back(limbeck::group_description(object(group_list.Get(i))));

    Program::Status status;
    std::string message;
    program_ = Program::create(device->pool(), storages, integer(description.Get("arenaBytes")), steps, groups,
                               description.Get("imagined").ToBoolean(), &status, &message);
    if (status == Program::Status::kOutOfMemory) fail(env, "ERR_OUT_OF_MEMORY", "no room for " + message);
    if (!program_) fail(env, "ERR_PROGRAM", message);
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
    return limbeck::later(
        info.Env(), [program = armed(info), times = integer(info[0])] { return program->run(times); },
        [](Napi::Env env, bool finished) { return Napi::Boolean::New(env, finished); });
  }

  /** profile(times): the same, a promise of the nanoseconds of each step; of nothing when it was stopped. */
  Napi::Value profile(const Napi::CallbackInfo& info) {
    return limbeck::later(
        info.Env(),
        [program = armed(info), times = integer(info[0])] {
          std::optional<std::vector<double>> nanoseconds(program->steps());
          if (!program->run(times, nanoseconds->data())) nanoseconds.reset();
          return nanoseconds;
        },
        [](Napi::Env env, const std::optional<std::vector<double>>& nanoseconds) -> Napi::Value {
          if (!nanoseconds) return env.Undefined();
          Napi::Float64Array array = Napi::Float64Array::New(env, nanoseconds->size());
          std::copy(nanoseconds->begin(), nanoseconds->end(), array.Data());
          return array;
        });
  }

  std::shared_ptr<Program> armed(const Napi::CallbackInfo& info) {
    if (!program_) fail(info.Env(), "ERR_PROGRAM", "the program was disposed of");
    if (program_->imagined()) fail(info.Env(), "ERR_PROGRAM", "the program has no memory");
    program_->arm();
    return program_;
  }

  void stop(const Napi::CallbackInfo&) {
    if (program_) program_->stop();
  }

  void free(const Napi::CallbackInfo&) { program_.reset(); }

  Napi::Value bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), program_ ? static_cast<double>(program_->bytes()) : 0);
  }

  std::shared_ptr<Program> program_;
};

// ---------------------------------------------------------------- preparing data

double* doubles(const Napi::Value& value, int64_t needed) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    fail(value.Env(), "ERR_PROGRAM", "expected a Float64Array");
  Napi::Float64Array array = value.As<Napi::Float64Array>();
  if (static_cast<int64_t>(array.ElementLength()) < needed)
    fail(value.Env(), "ERR_SHAPE", "a matrix has fewer elements than its sizes say");
  return array.Data();
}

/** matrixProduct(device, a, b, c, { depth, m, n, symmetric }): a promise; one at a time per device. See native/matrix.h. */
Napi::Value matrix_product(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const DeviceWrap* device = unwrap<DeviceWrap>(info[0], kDeviceTag);
  if (!device->pool()) fail(env, "ERR_PROGRAM", "the device was disposed of");
  if (!info[4].IsObject()) fail(env, "ERR_PROGRAM", "expected an object");
  const Napi::Object sizes = info[4].As<Napi::Object>();
  limbeck::MatrixProduct product;
  product.depth = integer(sizes.Get("depth"));
  product.m = integer(sizes.Get("m"));
  product.n = integer(sizes.Get("n"));
  product.symmetric = sizes.Get("symmetric").ToBoolean().Value();
  for (const int64_t size : {product.depth, product.m, product.n})
    if (size < 1 || size > INT32_MAX) fail(env, "ERR_SHAPE", "expected sizes of at least 1");
  if (product.symmetric && product.m != product.n) fail(env, "ERR_SHAPE", "a symmetric product is square");
  product.a = doubles(info[1], product.depth * product.m);
  product.b = doubles(info[2], product.depth * product.n);
  product.c = doubles(info[3], product.m * product.n);
  std::vector<Napi::ObjectReference> held;  // until it is done
  for (size_t i = 1; i <= 3; i++) held.push_back(Napi::Persistent(info[i].As<Napi::Object>()));
  return limbeck::later(
      env,
      [product, held = std::move(held), pool = device->pool(), function = device->isa().matrix_product] {
        std::vector<double> scratch(static_cast<size_t>(limbeck::matrix_scratch(product.m, product.n)));
        function(*pool, product, scratch.data());
        return true;
      },
      [](Napi::Env env, bool) { return env.Undefined(); });
}

// ---------------------------------------------------------------- measuring

/** measurePeak(device, bytes): a promise of { flops, bytes } per second, [by one thread, by all]. See native/peak.h. */
Napi::Value measure_peak(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const DeviceWrap* device = unwrap<DeviceWrap>(info[0], kDeviceTag);
  if (!device->pool()) fail(env, "ERR_PROGRAM", "the device was disposed of");
  const int64_t bytes = (integer(info[1]) / (1 << 20) + 1) * (1 << 20);
  const std::shared_ptr<Buffer> buffer = bytes > 0 ? Buffer::allocate(bytes) : nullptr;
  if (!buffer) fail(env, "ERR_OUT_OF_MEMORY", "no room for " + std::to_string(bytes) + " bytes to read");
  return limbeck::later(
      env,
      [buffer, pool = device->pool(), loops = device->isa().peak_loops] {
        return limbeck::measure_peak(*pool, *loops, reinterpret_cast<float*>(buffer->data()), buffer->bytes());
      },
      [](Napi::Env env, const limbeck::Peak& peak) {
        const auto pair = [&](const double* rates) {
          Napi::Array array = Napi::Array::New(env, 2);
          for (uint32_t i = 0; i < 2; i++) array.Set(i, rates[i]);
          return array;
        };
        Napi::Object object = Napi::Object::New(env);
        object.Set("flops", pair(peak.flops));
        object.Set("bytes", pair(peak.bytes));
        return object;
      });
}

// ---------------------------------------------------------------- what the module exports

Napi::Array names(Napi::Env env, const char* const* list) {
  Napi::Array array = Napi::Array::New(env);
  for (uint32_t i = 0; list[i]; i++) array.Set(i, list[i]);
  return array;
}

Napi::Value kernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array array = Napi::Array::New(env);
  const Isa& isa = limbeck::isas().front();
  for (int i = 0; const Kernel* kernel = limbeck::find_kernel(isa, i); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", kernel->name);
    entry.Set("operands", names(env, kernel->operands));
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
  exports.Set("matrixProduct", Napi::Function::New<matrix_product>(env, "matrixProduct"));
  exports.Set("measurePeak", Napi::Function::New<measure_peak>(env, "measurePeak"));
  exports.Set("NativeDevice", DeviceWrap::define(env));
  exports.Set("NativeTensor", TensorWrap::define(env));
  exports.Set("NativeProgram", ProgramWrap::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(limbeck, init)
