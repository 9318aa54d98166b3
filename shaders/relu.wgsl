// Rectifier: y = max(x, 0); every other pass multiplies by the mask y > 0. All operands [M].

override P: u32;
override M: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let x = forward_x[at(0u, p) + i];
  // Not max(): what max(NaN, 0) is, is up to the device, and a NaN must come through.
  forward_y[at(1u, p) + i] = select(x, 0.0, x < 0.0);
}

@group(0) @binding(1) var<storage, read> mask_y: array<f32>;
@group(0) @binding(2) var<storage, read> mask_u: array<f32>;
@group(0) @binding(3) var<storage, read_write> mask_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn mask(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  mask_out[at(2u, p) + i] = select(0.0, mask_u[at(1u, p) + i], mask_y[at(0u, p) + i] > 0.0);
}
