#pragma once
#include <napi.h>

/** What a device does besides programs. */
namespace limbeck {

/** matrixProduct(device, a, b, c, { depth, m, n, symmetric }): a promise; one at a time per device. See native/matrix.h. */
Napi::Value matrix_product(const Napi::CallbackInfo& info);

/** measurePeak(device, bytes): a promise of { flops, bytes } per second, [by one thread, by all]. See native/peak.h. */
Napi::Value measure_peak(const Napi::CallbackInfo& info);

}  // namespace limbeck
