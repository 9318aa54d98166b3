// Pointwise arithmetic; all operands [M].

override P: u32;
override M: u32;
override value: f32;
override alpha: f32;
override beta: f32;
override ONE_MINUS_decay: f32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read_write> fill_out: array<f32>;

// out = value
// invocations: P * M
@compute @workgroup_size(64)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  fill_out[at(0u, index / M) + index % M] = value;
}

// What a result gets for element i: see with/rectified.wgsl and with/masked.wgsl.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return result;
}

@group(0) @binding(1) var<storage, read> add_a: array<f32>;
@group(0) @binding(2) var<storage, read> add_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> add_out: array<f32>;

// out = alpha a + beta b
// invocations: P * M
@compute @workgroup_size(64)
fn add(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  add_out[at(2u, p) + i] = stored(p, i, alpha * add_a[at(0u, p) + i] + beta * add_b[at(1u, p) + i]);
}

@group(0) @binding(1) var<storage, read> divide_x: array<f32>;
@group(0) @binding(2) var<storage, read> divide_by: array<f32>;
@group(0) @binding(3) var<storage, read_write> divide_out: array<f32>;

// out = alpha x / by[0]
// invocations: P * M
@compute @workgroup_size(64)
fn divide(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  divide_out[at(2u, p) + i] = alpha / divide_by[at(1u, p)] * divide_x[at(0u, p) + i];
}

@group(0) @binding(1) var<storage, read> sign_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sign_out: array<f32>;

// out = -1, 0 or 1; NaN stays what it is
// invocations: P * M
@compute @workgroup_size(64)
fn sign_(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let x = sign_x[at(0u, p) + i];
  sign_out[at(1u, p) + i] = select(select(x, -1.0, x < 0.0), 1.0, x > 0.0);
}

@group(0) @binding(1) var<storage, read> average_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> average_average: array<f32>;

// average += (1 - decay) (x - average)
// invocations: P * M
@compute @workgroup_size(64)
fn average(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let old = average_average[at(1u, p) + i];
  average_average[at(1u, p) + i] = old + ONE_MINUS_decay * (average_x[at(0u, p) + i] - old);
}
