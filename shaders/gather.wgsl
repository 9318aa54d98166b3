// Batches from a data set that lives on the device; index[b] chooses rows, one past the end takes the last row.
//
//   bytes, floats   x[b, c, s] = data[index[b], c, s] * gain[c] + shift[c]
//   oneHot          y[b, k] = 1 if labels[index[b]] is k, else 0
//   words           x[b, l, w] = table[tokens[index[b], l], w]
//
// data[R, C, S]: (r * C + c) * S + s     gain, shift[C]     index[B]     x[B, C, S]     labels[R]     y[B, K]
// tokens[R, L]     table[V, W]     x[B, L, W]

override P: u32;
override B: u32;
override C: u32;
override S: u32;
override R: u32;
override K: u32;
override L: u32;
override W: u32;
override V: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// Byte `i` of the word that holds it.
fn byteOf(word: u32, i: u32) -> u32 {
  return (word >> (8u * (i & 3u))) & 255u;
}

@group(0) @binding(1) var<storage, read> bytes_data: array<u32>;
@group(0) @binding(2) var<storage, read> bytes_index: array<u32>;
@group(0) @binding(3) var<storage, read> bytes_gain: array<f32>;
@group(0) @binding(4) var<storage, read> bytes_shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> bytes_x: array<f32>;

// invocations: P * B * C * S
@compute @workgroup_size(64)
fn bytes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B * C * S) {
    return;
  }
  let c = (index / S) % C;
  let b = (index / (S * C)) % B;
  let p = index / (S * C * B);
  let row = min(bytes_index[at(1u, p) + b], R - 1u);
  let i = at(0u, p) + row * (C * S) + index % (S * C);
  let value = f32(byteOf(bytes_data[i / 4u], i));
  bytes_x[at(4u, p) + index % (S * C * B)] = value * bytes_gain[at(2u, p) + c] + bytes_shift[at(3u, p) + c];
}

@group(0) @binding(1) var<storage, read> floats_data: array<f32>;
@group(0) @binding(2) var<storage, read> floats_index: array<u32>;
@group(0) @binding(3) var<storage, read> floats_gain: array<f32>;
@group(0) @binding(4) var<storage, read> floats_shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> floats_x: array<f32>;

// invocations: P * B * C * S
@compute @workgroup_size(64)
fn floats(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B * C * S) {
    return;
  }
  let c = (index / S) % C;
  let b = (index / (S * C)) % B;
  let p = index / (S * C * B);
  let row = min(floats_index[at(1u, p) + b], R - 1u);
  let value = floats_data[at(0u, p) + row * (C * S) + index % (S * C)];
  floats_x[at(4u, p) + index % (S * C * B)] = value * floats_gain[at(2u, p) + c] + floats_shift[at(3u, p) + c];
}

@group(0) @binding(1) var<storage, read> oneHot_labels: array<u32>;
@group(0) @binding(2) var<storage, read> oneHot_index: array<u32>;
@group(0) @binding(3) var<storage, read_write> oneHot_y: array<f32>;

// invocations: P * B * K
@compute @workgroup_size(64)
fn oneHot(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B * K) {
    return;
  }
  let k = index % K;
  let b = (index / K) % B;
  let p = index / (K * B);
  let label = oneHot_labels[at(0u, p) + min(oneHot_index[at(1u, p) + b], R - 1u)];
  oneHot_y[at(2u, p) + index % (K * B)] = select(0.0, 1.0, label == k);
}

@group(0) @binding(1) var<storage, read> words_tokens: array<u32>;
@group(0) @binding(2) var<storage, read> words_table: array<f32>;
@group(0) @binding(3) var<storage, read> words_index: array<u32>;
@group(0) @binding(4) var<storage, read_write> words_x: array<f32>;

// invocations: P * B * L * W
@compute @workgroup_size(64)
fn words(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B * L * W) {
    return;
  }
  let l = (index / W) % L;
  let b = (index / (W * L)) % B;
  let p = index / (W * L * B);
  let row = min(words_index[at(2u, p) + b], R - 1u);
  let word = min(words_tokens[at(0u, p) + row * L + l], V - 1u);
  words_x[at(3u, p) + index % (W * L * B)] = words_table[at(1u, p) + word * W + index % W];
}
