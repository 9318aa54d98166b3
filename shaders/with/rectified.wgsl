// Stands in where a rectifier follows: max(result, 0).

// Not max(): what max(NaN, 0) is, is up to the device, and a NaN must come through.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return select(result, 0.0, result < 0.0);
}
