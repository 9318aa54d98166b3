// Softmax cross-entropy with soft labels; with logp = z - logsumexp(z) per sample, p = exp(logp), Y = sum of y:
//
//   forward           logp;  losses[n] = -sum over k of y[k] logp[k]
//   backward          zBar = scale (p Y - y)
//   tangentBackward   with c = zDot - sum of p zDot:   zBarDot = scale Y p c,   yBarDot = -scale c
//
// z, logp, y and all their derivatives [N, K]: n * K + k     losses[N]. One sample per invocation.

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
@group(0) @binding(3) var<storage, read_write> forward_logp: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_losses: array<f32>;

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
  let logp = at(2u, p) + n * K;
  var largest = forward_z[z];
  for (var k = 1u; k < K; k++) {
    // A NaN is never larger; it propagates through the sum.
    let value = forward_z[z + k];
    largest = select(largest, value, value > largest);
  }
  var sum = 0.0;
  for (var k = 0u; k < K; k++) {
    sum += exp(forward_z[z + k] - largest);
  }
  let logSum = log(sum);
  var loss = 0.0;
  for (var k = 0u; k < K; k++) {
    let value = (forward_z[z + k] - largest) - logSum;
    forward_logp[logp + k] = value;
    loss -= forward_y[y + k] * value;
  }
  forward_losses[at(3u, p) + n] = loss;
}

@group(0) @binding(1) var<storage, read> backward_logp: array<f32>;
@group(0) @binding(2) var<storage, read> backward_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_zBar: array<f32>;

// invocations: P * N
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N) {
    return;
  }
  let n = index % N;
  let p = index / N;
  let logp = at(0u, p) + n * K;
  let y = at(1u, p) + n * K;
  let zBar = at(2u, p) + n * K;
  var total = 0.0;
  for (var k = 0u; k < K; k++) {
    total += backward_y[y + k];
  }
  for (var k = 0u; k < K; k++) {
    backward_zBar[zBar + k] = scale * (exp(backward_logp[logp + k]) * total - backward_y[y + k]);
  }
}

@group(0) @binding(1) var<storage, read> tangentBackward_logp: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_y: array<f32>;
@group(0) @binding(3) var<storage, read> tangentBackward_zDot: array<f32>;
@group(0) @binding(4) var<storage, read_write> tangentBackward_zBarDot: array<f32>;
@group(0) @binding(5) var<storage, read_write> tangentBackward_yBarDot: array<f32>;

// invocations: P * N
@compute @workgroup_size(64)
fn tangentBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N) {
    return;
  }
  let n = index % N;
  let p = index / N;
  let logp = at(0u, p) + n * K;
  let y = at(1u, p) + n * K;
  let zDot = at(2u, p) + n * K;
  let zBarDot = at(3u, p) + n * K;
  let yBarDot = at(4u, p) + n * K;
  var total = 0.0;
  var mean = 0.0;
  for (var k = 0u; k < K; k++) {
    total += tangentBackward_y[y + k];
    mean += exp(tangentBackward_logp[logp + k]) * tangentBackward_zDot[zDot + k];
  }
  for (var k = 0u; k < K; k++) {
    let centred = tangentBackward_zDot[zDot + k] - mean;
    tangentBackward_zBarDot[zBarDot + k] = scale * total * exp(tangentBackward_logp[logp + k]) * centred;
    tangentBackward_yBarDot[yBarDot + k] = -scale * centred;
  }
}
