#pragma once
#include <napi.h>

#include <memory>
#include <string>

#include "description.h"
#include "isa.h"
#include "parallel.h"

/** A device as JavaScript holds it, and what work takes of it. */
namespace limbeck {

constexpr napi_type_tag kDeviceTag = {0x6c696d6265636b01, 0x1d6f1c0a8b7e4f01};

template <class T>
T* unwrap(const Napi::Value& value, const napi_type_tag& tag, const char* what) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&tag))
    fail(value.Env(), "ERR_PROGRAM", std::string("got ") + given(value) + ", expected " + what);
  return T::Unwrap(value.As<Napi::Object>());
}

class DeviceWrap : public Napi::ObjectWrap<DeviceWrap> {
 public:
  /** new NativeDevice(isa, threads) */
  explicit DeviceWrap(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const std::string name = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : "";
    isa_ = find_isa(name);
    if (!isa_) fail(info.Env(), "ERR_DEVICE", "this processor or build has no instruction set named " + name);
    const int64_t threads = integer(info[1], "threads");
    if (threads < 1 || threads > 1024)
      fail(info.Env(), "ERR_OPTION", "threads: got " + std::to_string(threads) + ", expected 1 to 1024");
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

/** Its instruction set and threads, whatever becomes of the device while the other arguments are read. */
struct OpenDevice {
  const Isa* isa;
  std::shared_ptr<Pool> pool;

  explicit OpenDevice(const Napi::Value& value) {
    const DeviceWrap* device = unwrap<DeviceWrap>(value, kDeviceTag, "a NativeDevice");
    if (!device->pool()) fail(value.Env(), "ERR_PROGRAM", "the device was disposed of");
    isa = &device->isa();
    pool = device->pool();
  }
};

/** The threads of a device while some work has them: no other work may. They are free again when its promise is settled. */
class Turn {
 public:
  static std::shared_ptr<Turn> take(Napi::Env env, const std::shared_ptr<Pool>& pool) {
    if (!pool->take()) fail(env, "ERR_PROGRAM", "the device is at work, expected one thing at a time: wait for the promise");
    return std::shared_ptr<Turn>(new Turn(pool));
  }
  ~Turn() { pool_->give_back(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  explicit Turn(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  const std::shared_ptr<Pool> pool_;
};

}  // namespace limbeck
