// Squared error of logits, the mean over batch and classes:
//
//   forward           losses[n] = 1/K sum over k of (z[k] - y[k])^2
//   backward          zBar = 2 scale / K (z - y)
//   tangentBackward   zBarDot = 2 scale / K zDot,   yBarDot = -2 scale / K zDot
//
// z, y and all their derivatives [N, K]: n * K + k     losses[N]

override P: u32;
override N: u32;
override K: u32;
override scale: f32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> forward_z: array<f32>;
@group(0) @binding(2) var<storage, read> forward_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> forward_losses: array<f32>;

// invocations: P * N
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N) {
    return;
  }
  let n = index % N;
  let p = index / N;
  let z = at(0u, p) + n * K;
  let y = at(1u, p) + n * K;
  var total = 0.0;
  for (var k = 0u; k < K; k++) {
    let difference = forward_z[z + k] - forward_y[y + k];
    total += difference * difference;
  }
  forward_losses[at(2u, p) + n] = total / f32(K);
}

@group(0) @binding(1) var<storage, read> backward_z: array<f32>;
@group(0) @binding(2) var<storage, read> backward_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_zBar: array<f32>;

// invocations: P * N * K
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * K) {
    return;
  }
  let i = index % (N * K);
  let p = index / (N * K);
  backward_zBar[at(2u, p) + i] = 2.0 * scale / f32(K) * (backward_z[at(0u, p) + i] - backward_y[at(1u, p) + i]);
}

@group(0) @binding(1) var<storage, read> tangentBackward_zDot: array<f32>;
@group(0) @binding(2) var<storage, read_write> tangentBackward_zBarDot: array<f32>;
@group(0) @binding(3) var<storage, read_write> tangentBackward_yBarDot: array<f32>;

// invocations: P * N * K
@compute @workgroup_size(64)
fn tangentBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * K) {
    return;
  }
  let i = index % (N * K);
  let p = index / (N * K);
  let value = 2.0 * scale / f32(K) * tangentBackward_zDot[at(0u, p) + i];
  tangentBackward_zBarDot[at(1u, p) + i] = value;
  tangentBackward_yBarDot[at(2u, p) + i] = -value;
}
