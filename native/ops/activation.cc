#include "../chunks.h"
#include "../functions.h"

/** Pointwise functions and their two derivatives, vector by vector; cut by elements. */
namespace limbeck {
namespace LIMBECK_ISA {
namespace {

struct LeakyRelu {
  static LIMBECK_INLINE Values at(Vec x, Vec slope) {
    return {select(x < zero(), slope * x, x), select(x > zero(), broadcast(1), slope), zero()};
  }
};

struct Sigmoid {
  static LIMBECK_INLINE Values at(Vec x, Vec) { return sigmoid(x); }
};

struct Tanh {
  static LIMBECK_INLINE Values at(Vec x, Vec) { return hyperbolic_tangent(x); }
};

struct Softplus {
  static LIMBECK_INLINE Values at(Vec x, Vec) {
    const Values slope = sigmoid(x);
    const Vec bend = log_one_plus(exp_below(-magnitude(x)));
    return {select(x < zero(), zero(), x) + bend, slope.value, slope.first};
  }
};

struct Gelu {
  static LIMBECK_INLINE Values at(Vec x, Vec) {
    // Beyond 13.5 the density is zero, and infinity times it must not arise.
    const Vec a = select(magnitude(x) > broadcast(13.5f), broadcast(13.5f), magnitude(x));
    const Vec clamped = select(x < zero(), -a, a);
    const Vec e = exp_below(-0.5f * a * a);
    const Vec tail = e * normal_tail(a);
    const Vec below = select(x < zero(), tail, 1 - tail);
    const Vec density = 0.3989422804014327f * e;
    return {select(x < zero(), clamped, x) * below, below + clamped * density, (2 - a * a) * density};
  }
};

struct Swish {
  static LIMBECK_INLINE Values at(Vec x, Vec) {
    const Values s = sigmoid(x);
    // Beyond 200 all derivatives of the sigmoid are zero, and infinity times them must not arise.
    const Vec a = select(magnitude(x) > broadcast(200), broadcast(200), magnitude(x));
    const Vec clamped = select(x < zero(), -a, a);
    return {select(x < zero(), clamped, x) * s.value, s.value + clamped * s.first, 2 * s.first + clamped * s.second};
  }
};

/** Calls body.template operator()<Curve>() with the curve of the step; they are in the order of `curves`. */
template <class F>
LIMBECK_INLINE void with_curve(const Step& step, F&& body) {
  switch (step.sizes[2]) {
    case 0: return body(LeakyRelu{});
    case 1: return body(Tanh{});
    case 2: return body(Sigmoid{});
    case 3: return body(Softplus{});
    case 4: return body(Gelu{});
    default: return body(Swish{});
  }
}

/** Calls body(member, first element, elements) for vectors of every member, the last one of a piece shorter. */
template <class F>
LIMBECK_INLINE void each_vector(const Step& step, const Context& context, F&& body) {
  each_range(context, step.sizes[0], step.sizes[1], [&](int64_t p, int64_t from, int64_t to) {
    int64_t i = from;
    for (; i + kLanes <= to; i += kLanes) body(p, i, int64_t{kLanes});
    if (i < to) body(p, i, to - i);
  });
}

void forward(const Step& step, const Context& context) {
  enum { X, Y };
  const Vec slope = broadcast(static_cast<float>(step.constants[0]));
  with_curve(step, [&](auto curve) {
    each_vector(step, context, [&](int64_t p, int64_t i, int64_t n) {
      put(step.f32(Y, p) + i, curve.at(get(step.f32(X, p) + i, n), slope).value, n);
    });
  });
}

void derivative(const Step& step, const Context& context) {
  enum { X, U, Out };
  const Vec slope = broadcast(static_cast<float>(step.constants[0]));
  with_curve(step, [&](auto curve) {
    each_vector(step, context, [&](int64_t p, int64_t i, int64_t n) {
      const Vec u = get(step.f32(U, p) + i, n);
      put(step.f32(Out, p) + i, curve.at(get(step.f32(X, p) + i, n), slope).first * u, n);
    });
  });
}

void tangent_backward(const Step& step, const Context& context) {
  enum { X, XDot, YBar, YBarDot, XBarDot };
  const Vec slope = broadcast(static_cast<float>(step.constants[0]));
  const bool both = step.has(YBarDot);
  with_curve(step, [&](auto curve) {
    each_vector(step, context, [&](int64_t p, int64_t i, int64_t n) {
      const Values f = curve.at(get(step.f32(X, p) + i, n), slope);
      Vec x_bar_dot = f.second * get(step.f32(XDot, p) + i, n) * get(step.f32(YBar, p) + i, n);
      if (both) x_bar_dot += f.first * get(step.f32(YBarDot, p) + i, n);
      put(step.f32(XBarDot, p) + i, x_bar_dot, n);
    });
  });
}

#define SIZES {"P", "M", "curve"}

const Kernel kernels[] = {
    {"activation.forward", {"x[M]", "y[M]"}, SIZES, {"slope"}, forward, nullptr},
    {"activation.derivative", {"x[M]", "u[M]", "out[M]"}, SIZES, {"slope"}, derivative, nullptr},
    {"activation.tangentBackward",
     {"x[M]", "xDot[M]", "yBar[M]", "yBarDot?[M]", "xBarDot[M]"},
     SIZES, {"slope"}, tangent_backward, nullptr},
};

}  // namespace

LIMBECK_KERNELS(activation, kernels)

}  // namespace LIMBECK_ISA
}  // namespace limbeck
