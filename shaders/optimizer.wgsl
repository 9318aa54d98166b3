// Optimiser steps; theta, g, lambda, hv, v, m, s, out [M], rate and scale [1].
//
//   sgd      out = theta - rate (g + decay theta)
//   adjoint  out = lambda + hv + decay v - rate shrink lambda
//   momentumInPlace  v = momentum v + g + weightDecay theta;  theta = theta - schedule[t, 0] v
//   adam     m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g g
//            theta = theta - schedule[t, 0] m / (sqrt(s) schedule[t, 1] + epsilon),  t = state[2], at most rows - 1
//   clip     scale = min(1, limit / sqrt(squaredNorm))

override P: u32;
override M: u32;
override rows: u32;
override decay: f32;
override shrink: f32;
override beta1: f32;
override beta2: f32;
override epsilon: f32;
override ONE_MINUS_beta1: f32;
override ONE_MINUS_beta2: f32;
override limit: f32;
override momentum: f32;
override weightDecay: f32;
override HAS_scale: bool = false;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> sgd_theta: array<f32>;
@group(0) @binding(2) var<storage, read> sgd_g: array<f32>;
@group(0) @binding(3) var<storage, read> sgd_rate: array<f32>;
@group(0) @binding(4) var<storage, read_write> sgd_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let theta = sgd_theta[at(0u, p) + i];
  sgd_out[at(3u, p) + i] = theta - sgd_rate[at(2u, p)] * (sgd_g[at(1u, p) + i] + decay * theta);
}

@group(0) @binding(1) var<storage, read> adjoint_lambda: array<f32>;
@group(0) @binding(2) var<storage, read> adjoint_hv: array<f32>;
@group(0) @binding(3) var<storage, read> adjoint_v: array<f32>;
@group(0) @binding(4) var<storage, read> adjoint_rate: array<f32>;
@group(0) @binding(5) var<storage, read_write> adjoint_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn adjoint(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let keep = 1.0 - adjoint_rate[at(3u, p)] * shrink;
  adjoint_out[at(4u, p) + i] = keep * adjoint_lambda[at(0u, p) + i] + adjoint_hv[at(1u, p) + i] + decay * adjoint_v[at(2u, p) + i];
}

@group(0) @binding(1) var<storage, read> adam_g: array<f32>;
@group(0) @binding(2) var<storage, read> adam_scale: array<f32>;
@group(0) @binding(3) var<storage, read> adam_schedule: array<f32>;
@group(0) @binding(4) var<storage, read> adam_state: array<u32>;
@group(0) @binding(5) var<storage, read_write> adam_theta: array<f32>;
@group(0) @binding(6) var<storage, read_write> adam_m: array<f32>;
@group(0) @binding(7) var<storage, read_write> adam_s: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  var g = adam_g[at(0u, p) + i];
  if (HAS_scale) {
    g *= adam_scale[at(1u, 0u)];
  }
  let row = at(2u, 0u) + 2u * min(adam_state[at(3u, 0u) + 2u], rows - 1u);
  let m = beta1 * adam_m[at(5u, p) + i] + ONE_MINUS_beta1 * g;
  let s = beta2 * adam_s[at(6u, p) + i] + ONE_MINUS_beta2 * g * g;
  adam_m[at(5u, p) + i] = m;
  adam_s[at(6u, p) + i] = s;
  adam_theta[at(4u, p) + i] -= adam_schedule[row] * m / (sqrt(s) * adam_schedule[row + 1u] + epsilon);
}

@group(0) @binding(1) var<storage, read> momentumInPlace_g: array<f32>;
@group(0) @binding(2) var<storage, read> momentumInPlace_schedule: array<f32>;
@group(0) @binding(3) var<storage, read> momentumInPlace_state: array<u32>;
@group(0) @binding(4) var<storage, read_write> momentumInPlace_theta: array<f32>;
@group(0) @binding(5) var<storage, read_write> momentumInPlace_v: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn momentumInPlace(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let row = at(1u, 0u) + 2u * min(momentumInPlace_state[at(2u, 0u) + 2u], rows - 1u);
  let theta = momentumInPlace_theta[at(3u, p) + i];
  let v = momentum * momentumInPlace_v[at(4u, p) + i] + momentumInPlace_g[at(0u, p) + i] + weightDecay * theta;
  momentumInPlace_v[at(4u, p) + i] = v;
  momentumInPlace_theta[at(3u, p) + i] = theta - momentumInPlace_schedule[row] * v;
}

@group(0) @binding(1) var<storage, read> clip_squaredNorm: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip_scale: array<f32>;

// invocations: P
@compute @workgroup_size(64)
fn clip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let p = linear(id, groups);
  if (p >= P) {
    return;
  }
  let norm = sqrt(clip_squaredNorm[at(0u, p)]);
  clip_scale[at(1u, p)] = select(1.0, limit / norm, norm > limit);
}
