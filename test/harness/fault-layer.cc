// A Vulkan layer that makes a driver fail. LIMBECK_FAULT, which may change at any time, says where:
//   submit:N   the device is lost at its Nth submit, or the next one where it has had more, and stays lost
//   memory:N   its Nth allocation of memory finds no room, nor do later ones
// The few types of the loader's interface are written out, so that no Vulkan headers are needed.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

using Result = int32_t;
using Function = void (*)();
using GetProc = Function (*)(void* of, const char* name);

constexpr Result success = 0, out_of_device_memory = -2, device_lost = -4;
constexpr int32_t instance_link = 47, device_link = 48;  // VK_STRUCTURE_TYPE_LOADER_*_CREATE_INFO

struct Link {
  Link* next;
  GetProc instance_proc;
  GetProc other_proc;  // of a device; of physical devices where an instance is made
};

struct CreateInfo {
  int32_t type;
  CreateInfo* next;
  int32_t function;  // 0: a link of the chain of layers
  Link* link;
};

struct Negotiation {
  int32_t type;
  void* next;
  uint32_t version;
  GetProc instance_proc, device_proc, physical_device_proc;
};

GetProc next_of_instance, next_of_device;
void *last_instance, *last_device;
std::atomic<long> submits, allocations;
std::atomic<bool> lost;

/** Takes this layer's link off the chain and returns it. */
Link* take_link(const void* info, int32_t type) {
  auto* at = static_cast<CreateInfo*>(const_cast<void*>(info));
  while (at && !(at->type == type && at->function == 0)) at = at->next;
  Link* own = at->link;
  at->link = own->next;
  return own;
}

/** Whether the `count`th call of this kind is to fail. */
bool fails(const char* kind, long count) {
  const char* fault = std::getenv("LIMBECK_FAULT");
  const size_t length = std::strlen(kind);
  return fault && std::strncmp(fault, kind, length) == 0 && count >= std::atol(fault + length);
}

template <typename F>
F real(void* device, const char* name) {
  return reinterpret_cast<F>(next_of_device(device, name));
}

Result create_instance(const void* info, const void* allocator, void** instance) {
  Link* link = take_link(info, instance_link);
  next_of_instance = link->instance_proc;
  using F = Result (*)(const void*, const void*, void**);
  return reinterpret_cast<F>(next_of_instance(nullptr, "vkCreateInstance"))(info, allocator, instance);
}

Result create_device(void* physical, const void* info, const void* allocator, void** device) {
  Link* link = take_link(info, device_link);
  next_of_device = link->other_proc;
  submits = allocations = 0;
  lost = false;
  using F = Result (*)(void*, const void*, const void*, void**);
  auto make = reinterpret_cast<F>(link->instance_proc(last_instance, "vkCreateDevice"));
  const Result result = make(physical, info, allocator, device);
  last_device = *device;
  return result;
}

Result queue_submit(void* queue, uint32_t count, const void* infos, uint64_t fence) {
  if (fails("submit:", ++submits)) lost = true;
  if (lost) return device_lost;
  using F = Result (*)(void*, uint32_t, const void*, uint64_t);
  return real<F>(last_device, "vkQueueSubmit")(queue, count, infos, fence);
}

Result allocate_memory(void* device, const void* info, const void* allocator, uint64_t* memory) {
  if (fails("memory:", ++allocations)) return out_of_device_memory;
  using F = Result (*)(void*, const void*, const void*, uint64_t*);
  return real<F>(device, "vkAllocateMemory")(device, info, allocator, memory);
}

Result wait_for_fences(void* device, uint32_t count, const uint64_t* fences, uint32_t all, uint64_t timeout) {
  if (lost) return device_lost;
  using F = Result (*)(void*, uint32_t, const uint64_t*, uint32_t, uint64_t);
  return real<F>(device, "vkWaitForFences")(device, count, fences, all, timeout);
}

Result get_fence_status(void* device, uint64_t fence) {
  if (lost) return device_lost;
  return real<Result (*)(void*, uint64_t)>(device, "vkGetFenceStatus")(device, fence);
}

Function device_proc(void* device, const char* name);

Function own_proc(const char* name) {
  const struct {
    const char* name;
    Function function;
  } own[] = {
      {"vkQueueSubmit", reinterpret_cast<Function>(queue_submit)},
      {"vkAllocateMemory", reinterpret_cast<Function>(allocate_memory)},
      {"vkWaitForFences", reinterpret_cast<Function>(wait_for_fences)},
      {"vkGetFenceStatus", reinterpret_cast<Function>(get_fence_status)},
      {"vkGetDeviceProcAddr", reinterpret_cast<Function>(device_proc)},
  };
  for (const auto& entry : own)
    if (std::strcmp(entry.name, name) == 0) return entry.function;
  return nullptr;
}

Function device_proc(void* device, const char* name) {
  const Function own = own_proc(name);
  return own ? own : next_of_device(device, name);
}

Function instance_proc(void* instance, const char* name) {
  if (std::strcmp(name, "vkGetInstanceProcAddr") == 0) return reinterpret_cast<Function>(instance_proc);
  if (std::strcmp(name, "vkCreateInstance") == 0) return reinterpret_cast<Function>(create_instance);
  if (std::strcmp(name, "vkCreateDevice") == 0) return reinterpret_cast<Function>(create_device);
  if (instance) last_instance = instance;
  const Function own = own_proc(name);
  return own ? own : next_of_instance(instance, name);
}

extern "C" __attribute__((visibility("default"))) Result vkNegotiateLoaderLayerInterfaceVersion(Negotiation* it) {
  it->version = 2;
  it->instance_proc = instance_proc;
  it->device_proc = device_proc;
  it->physical_device_proc = nullptr;
  return success;
}
