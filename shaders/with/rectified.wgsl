// Replaces `stored` where a ReLU follows: max(result, 0).

// Not max(): max(NaN, 0) depends on the device, and a NaN must propagate.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return select(result, 0.0, result < 0.0);
}
