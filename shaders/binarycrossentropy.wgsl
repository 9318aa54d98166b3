// Binary cross-entropy of logits, the mean over batch and classes; sigma(z) = 1 / (1 + exp(-z)):
//
//   forward           losses[n] = 1/K sum over k of softplus(z[k]) - y[k] z[k]
//   backward          zBar = scale / K (sigma(z) - y)
//   tangentBackward   zBarDot = scale / K sigma(z) (1 - sigma(z)) zDot,   yBarDot = -scale / K zDot
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

fn sigma(z: f32) -> f32 {
  // exp of a number above 0 may overflow, and WGSL does not define infinities; both branches are sigmoid(z).
  let e = exp(-abs(z));
  return select(1.0, e, z < 0.0) / (1.0 + e);
}

// log(1 + e) for 0 <= e <= 1, to the last places for small e too: 2 artanh(e / (2 + e)) by its series, where WGSL's
// log promises no more than an absolute error of 2^-21.
fn log1p(e: f32) -> f32 {
  let s = e / (2.0 + e); // at most 1/3
  let q = s * s;
  let tail = q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 +
    q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0)))))));
  return 2.0 * (s + s * tail);
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
    let value = forward_z[z + k];
    total += select(value, 0.0, value < 0.0) - forward_y[y + k] * value + log1p(exp(-abs(value)));
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
  backward_zBar[at(2u, p) + i] = scale / f32(K) * (sigma(backward_z[at(0u, p) + i]) - backward_y[at(1u, p) + i]);
}

@group(0) @binding(1) var<storage, read> tangentBackward_z: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_zDot: array<f32>;
@group(0) @binding(3) var<storage, read_write> tangentBackward_zBarDot: array<f32>;
@group(0) @binding(4) var<storage, read_write> tangentBackward_yBarDot: array<f32>;

// invocations: P * N * K
@compute @workgroup_size(64)
fn tangentBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * K) {
    return;
  }
  let i = index % (N * K);
  let p = index / (N * K);
  let z = tangentBackward_z[at(0u, p) + i];
  let zDot = scale / f32(K) * tangentBackward_zDot[at(1u, p) + i];
  // The complement as sigma(-z): 1 - sigma(z) has no digits left for large z.
  tangentBackward_zBarDot[at(2u, p) + i] = sigma(z) * sigma(-z) * zDot;
  tangentBackward_yBarDot[at(3u, p) + i] = -zDot;
}
