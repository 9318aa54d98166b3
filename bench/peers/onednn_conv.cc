// Times oneDNN's own convolutions. Each line of standard input is a convolution:
//
//     forward|backwardInput|backwardWeight N C H W OC KH KW stride padding
//
// and gives one line of JSON, { "direct": milliseconds, "winograd": milliseconds }, null where oneDNN has no such
// primitive. Memory is in the layouts the primitive asks for: reorders are not in the time.
//
//     onednn_conv SECONDS_PER_CONVOLUTION
//
// Without an argument it prints oneDNN's version.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Clock = std::chrono::steady_clock;

struct Shape {
  std::string kernel;
  memory::dim n, c, h, w, oc, kh, kw, stride, padding;
  memory::dim out(memory::dim size, memory::dim k) const { return (size + 2 * padding - k) / stride + 1; }
};

static memory::desc Any(memory::dims dims) {
  return memory::desc(dims, memory::data_type::f32, memory::format_tag::any);
}

/// Memory full of ordinary numbers: zeros and subnormal ones have speeds of their own.
static memory Filled(const memory::desc& desc, const dnnl::engine& engine) {
  memory m(desc, engine);
  auto* values = static_cast<float*>(m.get_data_handle());
  for (size_t i = 0; i < desc.get_size() / sizeof(float); i++) values[i] = 0.5f + float(i * 7 % 13) / 13;
  return m;
}

/// Median milliseconds of one execution.
static double Time(const dnnl::primitive& primitive, const std::unordered_map<int, memory>& arguments,
                   dnnl::stream& stream, double seconds) {
  std::vector<double> times;
  const auto run = [&] {
    const auto start = Clock::now();
    primitive.execute(stream, arguments);
    stream.wait();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  run();
  const auto begin = Clock::now();
  do times.push_back(run());
  while (times.size() < 3 || std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

static double TimeConvolution(const Shape& s, algorithm algo, const dnnl::engine& engine, double seconds) {
  dnnl::stream stream(engine);
  const auto x = Any({s.n, s.c, s.h, s.w}), w = Any({s.oc, s.c, s.kh, s.kw}), b = Any({s.oc});
  const auto y = Any({s.n, s.oc, s.out(s.h, s.kh), s.out(s.w, s.kw)});
  const memory::dims strides{s.stride, s.stride}, padding{s.padding, s.padding};
  using Forward = dnnl::convolution_forward;
  const auto train = prop_kind::forward_training;
  const Forward::primitive_desc forward({train, algo, x, w, b, y, strides, padding, padding}, engine);
  if (s.kernel == "forward")
    return Time(Forward(forward),
                {{DNNL_ARG_SRC, Filled(forward.src_desc(), engine)},
                 {DNNL_ARG_WEIGHTS, Filled(forward.weights_desc(), engine)},
                 {DNNL_ARG_BIAS, Filled(forward.bias_desc(), engine)},
                 {DNNL_ARG_DST, Filled(forward.dst_desc(), engine)}},
                stream, seconds);
  if (s.kernel == "backwardInput") {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward({algo, x, w, y, strides, padding, padding}, engine, forward);
    return Time(Backward(backward),
                {{DNNL_ARG_DIFF_DST, Filled(backward.diff_dst_desc(), engine)},
                 {DNNL_ARG_WEIGHTS, Filled(backward.weights_desc(), engine)},
                 {DNNL_ARG_DIFF_SRC, Filled(backward.diff_src_desc(), engine)}},
                stream, seconds);
  }
  using Backward = dnnl::convolution_backward_weights;
  const Backward::primitive_desc backward({algo, x, w, y, strides, padding, padding}, engine, forward);
  return Time(Backward(backward),
              {{DNNL_ARG_SRC, Filled(backward.src_desc(), engine)},
               {DNNL_ARG_DIFF_DST, Filled(backward.diff_dst_desc(), engine)},
               {DNNL_ARG_DIFF_WEIGHTS, Filled(backward.diff_weights_desc(), engine)}},
              stream, seconds);
}

static std::string Milliseconds(const Shape& shape, algorithm algo, const dnnl::engine& engine, double seconds) {
  try {
    return std::to_string(TimeConvolution(shape, algo, engine, seconds));
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented) return "null";
    throw;
  }
}

int main(int count, char** arguments) {
  if (count < 2) {
    const auto* version = dnnl_version();
    std::printf("%d.%d.%d\n", version->major, version->minor, version->patch);
    return 0;
  }
  const double seconds = std::stod(arguments[1]);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  std::string line;
  while (std::getline(std::cin, line)) {
    Shape s;
    std::istringstream(line) >> s.kernel >> s.n >> s.c >> s.h >> s.w >> s.oc >> s.kh >> s.kw >> s.stride >> s.padding;
    const auto direct = Milliseconds(s, algorithm::convolution_direct, engine, seconds);
    const auto winograd = Milliseconds(s, algorithm::convolution_winograd, engine, seconds);
    std::printf("{\"direct\": %s, \"winograd\": %s}\n", direct.c_str(), winograd.c_str());
  }
}
