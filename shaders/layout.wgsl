// The same numbers in another order: one element of the result per invocation, of the source where there are two results.
//
// swap    x[A, B, S]: (a * B + b) * S + s     out[B, A, S]
// join    a[M, A]     b[M, B]     out[M, A + B]: m * (A + B) + i
// split   x[M, A + B] to a and b

override P: u32;
override A: u32;
override B: u32;
override S: u32;
override M: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> swap_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> swap_out: array<f32>;

// invocations: P * A * B * S
@compute @workgroup_size(64)
fn swap(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * A * B * S) {
    return;
  }
  let s = index % S;
  let a = (index / S) % A;
  let b = (index / (S * A)) % B;
  let p = index / (S * A * B);
  swap_out[at(1u, p) + (b * A + a) * S + s] = swap_x[at(0u, p) + (a * B + b) * S + s];
}

@group(0) @binding(1) var<storage, read> join_a: array<f32>;
@group(0) @binding(2) var<storage, read> join_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> join_out: array<f32>;

// invocations: P * M * (A + B)
@compute @workgroup_size(64)
fn join(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M * (A + B)) {
    return;
  }
  let i = index % (A + B);
  let m = (index / (A + B)) % M;
  let p = index / ((A + B) * M);
  var value = 0.0;
  if (i < A) {
    value = join_a[at(0u, p) + m * A + i];
  } else {
    value = join_b[at(1u, p) + m * B + i - A];
  }
  join_out[at(2u, p) + m * (A + B) + i] = value;
}

@group(0) @binding(1) var<storage, read> split_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> split_a: array<f32>;
@group(0) @binding(3) var<storage, read_write> split_b: array<f32>;

// invocations: P * M * (A + B)
@compute @workgroup_size(64)
fn split(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M * (A + B)) {
    return;
  }
  let i = index % (A + B);
  let m = (index / (A + B)) % M;
  let p = index / ((A + B) * M);
  let value = split_x[at(0u, p) + m * (A + B) + i];
  if (i < A) {
    split_a[at(1u, p) + m * A + i] = value;
  } else {
    split_b[at(2u, p) + m * B + i - A] = value;
  }
}
