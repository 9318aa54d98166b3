#include "tasks.h"

#include <vector>

#include "device.h"
#include "later.h"
#include "matrix.h"
#include "peak.h"
#include "program.h"

namespace limbeck {

namespace {

Napi::Float64Array doubles(const Napi::Value& value, const char* name, int64_t needed) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
    fail(value.Env(), "ERR_PROGRAM", std::string(name) + ": got " + given(value) + ", expected a Float64Array");
  const Napi::Float64Array array = value.As<Napi::Float64Array>();
  if (static_cast<int64_t>(array.ElementLength()) < needed)
    fail(value.Env(), "ERR_SHAPE",
         std::string(name) + " has " + std::to_string(array.ElementLength()) + " elements, expected " + std::to_string(needed) +
             " for its sizes");
  return array;
}

/** A copy of the first elements, which the program may change or give away meanwhile. */
std::shared_ptr<Buffer> copy_of(Napi::Float64Array array, int64_t elements) {
  const int64_t bytes = elements * static_cast<int64_t>(sizeof(double));
  const std::shared_ptr<Buffer> copy = Buffer::allocate(bytes);
  if (!copy) fail(array.Env(), "ERR_OUT_OF_MEMORY", "no room for " + std::to_string(bytes) + " bytes of a matrix");
  memcpy(copy->data(), array.Data(), static_cast<size_t>(bytes));
  return copy;
}

}  // namespace

Napi::Value matrix_product(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const OpenDevice device(info[0]);
  const Napi::Object sizes = object(info[4], "sizes");
  MatrixProduct product;
  product.depth = integer(sizes.Get("depth"), "depth");
  product.m = integer(sizes.Get("m"), "m");
  product.n = integer(sizes.Get("n"), "n");
  product.symmetric = sizes.Get("symmetric").ToBoolean().Value();
  for (const int64_t size : {product.depth, product.m, product.n})
    if (size < 1 || size > INT32_MAX) fail(env, "ERR_SHAPE", "got a size of " + std::to_string(size) + ", expected 1 to 2^31 - 1");
  if (product.symmetric && product.m != product.n)
    fail(env, "ERR_SHAPE",
         "a symmetric product of " + std::to_string(product.m) + " x " + std::to_string(product.n) + ", expected a square one");
  const int64_t elements = product.m * product.n;
  const Napi::Float64Array first = doubles(info[1], "a", product.depth * product.m);
  const Napi::Float64Array second = doubles(info[2], "b", product.depth * product.n);
  const Napi::Float64Array result = doubles(info[3], "c", elements);
  std::shared_ptr<Turn> turn = Turn::take(env, device.pool);
  const std::shared_ptr<Buffer> a = copy_of(first, product.depth * product.m);
  const std::shared_ptr<Buffer> b = first.StrictEquals(second) && product.m == product.n ? a : copy_of(second, product.depth * product.n);
  const std::shared_ptr<Buffer> c = copy_of(result, elements);
  product.a = reinterpret_cast<const double*>(a->data());
  product.b = reinterpret_cast<const double*>(b->data());
  product.c = reinterpret_cast<double*>(c->data());
  return later(
      env,
      [product, a, b, turn, pool = device.pool, function = device.isa->matrix_product] {
        std::vector<double> scratch(static_cast<size_t>(matrix_scratch(product.m, product.n)));
        function(*pool, product, scratch.data());
        return true;
      },
      [c, elements, to = std::make_shared<Napi::ObjectReference>(Napi::Persistent(result.As<Napi::Object>()))](Napi::Env env, bool) {
        // It may have been given away meanwhile, to another thread for instance.
        Napi::Float64Array array = to->Value().As<Napi::Float64Array>();
        if (static_cast<int64_t>(array.ElementLength()) < elements)
          fail(env, "ERR_PROGRAM", "c was given away during the product, expected it to stay");
        memcpy(array.Data(), c->data(), static_cast<size_t>(c->bytes()));
        return env.Undefined();
      });
}

Napi::Value measure_peak(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const OpenDevice device(info[0]);
  const int64_t asked = integer(info[1], "bytes to read");
  if (asked < 1) fail(env, "ERR_SHAPE", "bytes to read: got " + std::to_string(asked) + ", expected at least 1");
  const int64_t bytes = (asked / (1 << 20) + 1) * (1 << 20);
  const std::shared_ptr<Turn> turn = Turn::take(env, device.pool);
  const std::shared_ptr<Buffer> buffer = Buffer::allocate(bytes);
  if (!buffer) fail(env, "ERR_OUT_OF_MEMORY", "no room for " + std::to_string(bytes) + " bytes to read");
  return later(
      env,
      [buffer, turn, pool = device.pool, loops = device.isa->peak_loops] {
        return measure_peak(*pool, *loops, reinterpret_cast<float*>(buffer->data()), buffer->bytes());
      },
      [](Napi::Env env, const Peak& peak) {
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

}  // namespace limbeck
