// Adam: a step, its adjoint, and a step in place; d = g + decay theta, or g alone when decoupled:
//
//   step      m' = beta1 m + (1 - beta1) d;   s' = beta2 s + (1 - beta2) d d;   c1', c2' likewise of ones
//             q = sqrt(s' / c2');   a = m' / c1' / (q + epsilon), + decay theta when decoupled;   out = theta - rate a
//   backward  mBar = mBar - rate lambda / (c1' (q + epsilon))
//             sBar = sBar + rate lambda m' / (c1' (q + epsilon)^2 2 q c2'), or sBar where q is 0
//             v = (1 - beta1) mBar + 2 (1 - beta2) d sBar;   direction = a;   momentsBar = (beta1 mBar, beta2 sBar)
//   inPlace   m = beta1 m + (1 - beta1) g;  s = beta2 s + (1 - beta2) g g
//             theta = theta - schedule[t, 0] m / (sqrt(s) schedule[t, 1] + epsilon),  t = state[2], at most rows - 1
//
// moments and next [2, M + 1]: m, c1, s, c2     momentsBar [2, M]: mBar, sBar     rate, scale [1]     all others [M]

override P: u32;
override M: u32;
override decoupled: u32;
override rows: u32;
override beta1: f32;
override beta2: f32;
override epsilon: f32;
override decay: f32;
override ONE_MINUS_beta1: f32;
override ONE_MINUS_beta2: f32;
override HAS_scale: bool = false;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> step_theta: array<f32>;
@group(0) @binding(2) var<storage, read> step_g: array<f32>;
@group(0) @binding(3) var<storage, read> step_moments: array<f32>;
@group(0) @binding(4) var<storage, read> step_rate: array<f32>;
@group(0) @binding(5) var<storage, read_write> step_next: array<f32>;
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
  let m = at(2u, p);
  let s = m + M + 1u;
  let mNext = at(4u, p);
  let sNext = mNext + M + 1u;
  // Behind the moments, the same running means of ones.
  let c1 = beta1 * step_moments[m + M] + ONE_MINUS_beta1;
  let c2 = beta2 * step_moments[s + M] + ONE_MINUS_beta2;
  if (i == 0u) {
    step_next[mNext + M] = c1;
    step_next[sNext + M] = c2;
  }
  let theta = step_theta[at(0u, p) + i];
  let penalty = decay * theta;
  let g = step_g[at(1u, p) + i];
  let d = select(g + penalty, g, decoupled != 0u);
  let mean = beta1 * step_moments[m + i] + ONE_MINUS_beta1 * d;
  let square = beta2 * step_moments[s + i] + ONE_MINUS_beta2 * d * d;
  step_next[mNext + i] = mean;
  step_next[sNext + i] = square;
  let a = mean / c1 / (sqrt(square / c2) + epsilon);
  step_out[at(5u, p) + i] = theta - step_rate[at(3u, p)] * select(a, a + penalty, decoupled != 0u);
}

@group(0) @binding(1) var<storage, read> backward_theta: array<f32>;
@group(0) @binding(2) var<storage, read> backward_g: array<f32>;
@group(0) @binding(3) var<storage, read> backward_next: array<f32>;
@group(0) @binding(4) var<storage, read> backward_rate: array<f32>;
@group(0) @binding(5) var<storage, read> backward_lambda: array<f32>;
@group(0) @binding(6) var<storage, read_write> backward_v: array<f32>;
@group(0) @binding(7) var<storage, read_write> backward_direction: array<f32>;
@group(0) @binding(8) var<storage, read_write> backward_momentsBar: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let m = at(2u, p);
  let s = m + M + 1u;
  let c1 = backward_next[m + M];
  let c2 = backward_next[s + M];
  let penalty = decay * backward_theta[at(0u, p) + i];
  let g = backward_g[at(1u, p) + i];
  let d = select(g + penalty, g, decoupled != 0u);
  let q = sqrt(backward_next[s + i] / c2);
  let a = backward_next[m + i] / c1 / (q + epsilon);
  let moved = -backward_rate[at(3u, p)] * backward_lambda[at(4u, p) + i] / (q + epsilon);
  let bar = at(7u, p) + i;
  let mean = backward_momentsBar[bar] + moved / c1;
  // q = 0: nothing but zeros so far, and the limit of this is 0. (A comparison by == leaves NaN to the other branch.)
  let square = backward_momentsBar[bar + M] - select(moved * a / (2.0 * q * c2), 0.0, q == 0.0);
  backward_v[at(5u, p) + i] = ONE_MINUS_beta1 * mean + 2.0 * ONE_MINUS_beta2 * d * square;
  backward_direction[at(6u, p) + i] = select(a, a + penalty, decoupled != 0u);
  backward_momentsBar[bar] = beta1 * mean;
  backward_momentsBar[bar + M] = beta2 * square;
}

@group(0) @binding(1) var<storage, read> inPlace_g: array<f32>;
@group(0) @binding(2) var<storage, read> inPlace_scale: array<f32>;
@group(0) @binding(3) var<storage, read> inPlace_schedule: array<f32>;
@group(0) @binding(4) var<storage, read> inPlace_state: array<u32>;
@group(0) @binding(5) var<storage, read_write> inPlace_theta: array<f32>;
@group(0) @binding(6) var<storage, read_write> inPlace_m: array<f32>;
@group(0) @binding(7) var<storage, read_write> inPlace_s: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn inPlace(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  var g = inPlace_g[at(0u, p) + i];
  if (HAS_scale) {
    g *= inPlace_scale[at(1u, 0u)];
  }
  let row = at(2u, 0u) + 2u * min(inPlace_state[at(3u, 0u) + 2u], rows - 1u);
  let m = beta1 * inPlace_m[at(5u, p) + i] + ONE_MINUS_beta1 * g;
  let s = beta2 * inPlace_s[at(6u, p) + i] + ONE_MINUS_beta2 * g * g;
  inPlace_m[at(5u, p) + i] = m;
  inPlace_s[at(6u, p) + i] = s;
  inPlace_theta[at(4u, p) + i] -= inPlace_schedule[row] * m / (sqrt(s) * inPlace_schedule[row + 1u] + epsilon);
}
