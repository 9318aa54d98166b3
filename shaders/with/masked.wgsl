// Replaces `stored` where the mask of a ReLU follows: the result where its y is positive, else 0. The mask has the last binding.

@group(0) @binding(8) var<storage, read> mask: array<f32>;

fn stored(p: u32, i: u32, result: f32) -> f32 {
  return select(0.0, result, mask[at(7u, p) + i] > 0.0);
}
