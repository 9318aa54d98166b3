#pragma once
#include "functions.h"

/**
 * The cells of src/engine/cells.ts on vectors of units. A row of a step holds the numbers of its units gate by gate, so that number g of
 * a unit lies g * units behind the first.
 */
namespace limbeck {
namespace LIMBECK_ISA {

/** The numbers of n neighbouring units in one row; null: all are zero. */
struct Units {
  float* first;
  int64_t units, n;
  LIMBECK_INLINE Vec operator[](int64_t g) const { return get(first + g * units, n); }
  LIMBECK_INLINE Vec or_zero(int64_t g) const { return first ? get(first + g * units, n) : zero(); }
  LIMBECK_INLINE void set(int64_t g, Vec value) const { put(first + g * units, value, n); }
};

/** What the tangent backwards reads. */
struct Around {
  Units kept, kept_dot, bars, before, before_dot, ahead, ahead_dot, ahead_bars, ahead_bars_dot;
};

struct TanhCell {
  static constexpr int gates = 1, kept = 1, bars = 1;

  static LIMBECK_INLINE void forward(const Vec* z, Units, Units h, Units keep) {
    keep.set(0, z[0]);
    h.set(0, hyperbolic_tangent(z[0]).value);
  }

  static LIMBECK_INLINE void tangent(const Vec* z_dot, Units keep, Units, Units, Units h_dot, Units keep_dot) {
    keep_dot.set(0, z_dot[0]);
    h_dot.set(0, hyperbolic_tangent(keep[0]).first * z_dot[0]);
  }

  static LIMBECK_INLINE void backward(Vec h_bar, Units keep, Units, Units, Units, Units z_bar, Units bar) {
    bar.set(0, h_bar);
    z_bar.set(0, hyperbolic_tangent(keep[0]).first * h_bar);
  }

  static LIMBECK_INLINE void tangent_backward(Vec h_bar_dot, const Around& o, Units z_bar_dot, Units bars_dot) {
    const Values f = hyperbolic_tangent(o.kept[0]);
    bars_dot.set(0, h_bar_dot);
    z_bar_dot.set(0, f.first * h_bar_dot + f.second * o.kept_dot[0] * o.bars[0]);
  }
};

/** A gate y = sigmoid z, kept as y where z is below 0 and as y - 1 elsewhere. */
LIMBECK_INLINE Vec gate_of(Vec z) {
  const Vec least = broadcast(0x1p-126f), e = exp_below(-magnitude(z));
  const Vec floored = select(e < least, least, e);
  const Vec small = floored / (1 + floored);
  return select(z < zero(), small, -small);
}

struct Gate {
  Vec kept;
  LIMBECK_INLINE Vec value() const { return select(kept < zero(), 1 + kept, kept); }
  LIMBECK_INLINE Vec slope() const { return magnitude(kept) * (1 - magnitude(kept)); }
  /** The tangent of a gradient times the slope. */
  LIMBECK_INLINE Vec through(Vec dot, Vec bar, Vec bar_dot) const {
    return bar_dot * slope() + bar * (1 - 2 * value()) * dot;
  }
};

struct LstmCell {
  static constexpr int gates = 4, kept = 5, bars = 2;
  enum { I, F, G, O, C };
  enum { HBar, CBar };

  static LIMBECK_INLINE void forward(const Vec* z, Units before, Units h, Units keep) {
    const Gate i{gate_of(z[I])}, f{gate_of(z[F])}, o{gate_of(z[O])};
    const Vec c = f.value() * before.or_zero(C) + i.value() * hyperbolic_tangent(z[G]).value;
    keep.set(I, i.kept);
    keep.set(F, f.kept);
    keep.set(G, z[G]);
    keep.set(O, o.kept);
    keep.set(C, c);
    h.set(0, o.value() * hyperbolic_tangent(c).value);
  }

  static LIMBECK_INLINE void tangent(const Vec* z_dot, Units keep, Units before, Units before_dot, Units h_dot,
                                     Units keep_dot) {
    const Gate i{keep[I]}, f{keep[F]}, o{keep[O]};
    const Values g = hyperbolic_tangent(keep[G]), t = hyperbolic_tangent(keep[C]);
    const Vec i_dot = i.slope() * z_dot[I], f_dot = f.slope() * z_dot[F], o_dot = o.slope() * z_dot[O];
    const Vec of_state = f_dot * before.or_zero(C) + f.value() * before_dot.or_zero(C);
    const Vec c_dot = of_state + i_dot * g.value + i.value() * g.first * z_dot[G];
    keep_dot.set(I, i_dot);
    keep_dot.set(F, f_dot);
    keep_dot.set(G, z_dot[G]);
    keep_dot.set(O, o_dot);
    keep_dot.set(C, c_dot);
    h_dot.set(0, o_dot * t.value + o.value() * t.first * c_dot);
  }

  static LIMBECK_INLINE void backward(Vec h_bar, Units keep, Units before, Units ahead, Units ahead_bars, Units z_bar,
                                      Units bar) {
    const Gate i{keep[I]}, f{keep[F]}, o{keep[O]}, f_ahead{ahead.or_zero(F)};
    const Values g = hyperbolic_tangent(keep[G]), t = hyperbolic_tangent(keep[C]);
    const Vec c_bar = h_bar * o.value() * t.first + ahead_bars.or_zero(CBar) * f_ahead.value();
    bar.set(HBar, h_bar);
    bar.set(CBar, c_bar);
    z_bar.set(I, c_bar * g.value * i.slope());
    z_bar.set(F, c_bar * before.or_zero(C) * f.slope());
    z_bar.set(G, c_bar * i.value() * g.first);
    z_bar.set(O, h_bar * t.value * o.slope());
  }

  static LIMBECK_INLINE void tangent_backward(Vec h_bar_dot, const Around& a, Units z_bar_dot, Units bars_dot) {
    const Gate i{a.kept[I]}, f{a.kept[F]}, o{a.kept[O]}, f_ahead{a.ahead.or_zero(F)};
    const Vec i_dot = a.kept_dot[I], f_dot = a.kept_dot[F], zg_dot = a.kept_dot[G], o_dot = a.kept_dot[O];
    const Vec c_dot = a.kept_dot[C], h_bar = a.bars[HBar], c_bar = a.bars[CBar];
    const Vec before = a.before.or_zero(C), before_dot = a.before_dot.or_zero(C);
    const Values g = hyperbolic_tangent(a.kept[G]), t = hyperbolic_tangent(a.kept[C]);
    const Vec of_state = a.ahead_bars_dot.or_zero(CBar) * f_ahead.value() +
                         a.ahead_bars.or_zero(CBar) * a.ahead_dot.or_zero(F);
    const Vec c_bar_dot = h_bar_dot * o.value() * t.first +
                          h_bar * (o_dot * t.first + o.value() * t.second * c_dot) + of_state;
    bars_dot.set(HBar, h_bar_dot);
    bars_dot.set(CBar, c_bar_dot);
    z_bar_dot.set(I, i.through(i_dot, c_bar * g.value, c_bar_dot * g.value + c_bar * g.first * zg_dot));
    z_bar_dot.set(F, f.through(f_dot, c_bar * before, c_bar_dot * before + c_bar * before_dot));
    z_bar_dot.set(G, (c_bar_dot * i.value() + c_bar * i_dot) * g.first + c_bar * i.value() * g.second * zg_dot);
    z_bar_dot.set(O, o.through(o_dot, h_bar * t.value, h_bar_dot * t.value + h_bar * t.first * c_dot));
  }
};

}  // namespace LIMBECK_ISA
}  // namespace limbeck
