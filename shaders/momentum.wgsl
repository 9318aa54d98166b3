// SGD with momentum: a step, its adjoint, and a step in place; everything [M], rate [1]; d = g + decay theta:
//
//   step      uNext = momentum u + d;   out = theta - rate uNext, or with nesterov: theta - rate (d + momentum uNext)
//   backward  total = uBar - rate lambda;            v = total
//             nesterov: total = uBar - rate momentum lambda;   v = total - rate lambda
//             uBar = momentum total
//   inPlace   u = momentum u + d;   theta = theta - schedule[t, 0] u,  t = state[2], at most rows - 1

override P: u32;
override M: u32;
override nesterov: u32;
override rows: u32;
override momentum: f32;
override decay: f32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> step_theta: array<f32>;
@group(0) @binding(2) var<storage, read> step_g: array<f32>;
@group(0) @binding(3) var<storage, read> step_u: array<f32>;
@group(0) @binding(4) var<storage, read> step_rate: array<f32>;
@group(0) @binding(5) var<storage, read_write> step_uNext: array<f32>;
@group(0) @binding(6) var<storage, read_write> step_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn step(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let theta = step_theta[at(0u, p) + i];
  let d = step_g[at(1u, p) + i] + decay * theta;
  let next = momentum * step_u[at(2u, p) + i] + d;
  step_uNext[at(4u, p) + i] = next;
  step_out[at(5u, p) + i] = theta - step_rate[at(3u, p)] * select(next, d + momentum * next, nesterov != 0u);
}

@group(0) @binding(1) var<storage, read> backward_lambda: array<f32>;
@group(0) @binding(2) var<storage, read> backward_rate: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_v: array<f32>;
@group(0) @binding(4) var<storage, read_write> backward_uBar: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let moved = -backward_rate[at(1u, p)] * backward_lambda[at(0u, p) + i];
  let total = backward_uBar[at(3u, p) + i] + select(moved, momentum * moved, nesterov != 0u);
  backward_v[at(2u, p) + i] = select(total, total + moved, nesterov != 0u);
  backward_uBar[at(3u, p) + i] = momentum * total;
}

@group(0) @binding(1) var<storage, read> inPlace_g: array<f32>;
@group(0) @binding(2) var<storage, read> inPlace_schedule: array<f32>;
@group(0) @binding(3) var<storage, read> inPlace_state: array<u32>;
@group(0) @binding(4) var<storage, read_write> inPlace_theta: array<f32>;
@group(0) @binding(5) var<storage, read_write> inPlace_u: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn inPlace(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let row = at(1u, 0u) + 2u * min(inPlace_state[at(2u, 0u) + 2u], rows - 1u);
  let theta = inPlace_theta[at(3u, p) + i];
  let u = momentum * inPlace_u[at(4u, p) + i] + inPlace_g[at(0u, p) + i] + decay * theta;
  inPlace_u[at(4u, p) + i] = u;
  inPlace_theta[at(3u, p) + i] = theta - inPlace_schedule[row] * u;
}
