// Local response normalisation over channels, with a = alpha / window and W(i) = i - window/2 .. i + (window-1)/2:
//
//   forward           d[i] = k + a sum over j in W(i) of x[j]^2             y = x d^-beta
//   tangent           dDot[i] = 2 a sum over j in W(i) of x[j] xDot[j]      yDot = d^-beta (xDot - beta x dDot / d)
//   backward          xBar[j] = yBar[j] d[j]^-beta - 2 beta a x[j] sum over i with j in W(i) of t[i],
//                     t = yBar x d^-beta / d
//   tangentBackward   the tangent of backward
//
// All operands [N, C, S]: (n * C + c) * S + s. One element per invocation; it walks over the channels of its window.

override P: u32;
override N: u32;
override C: u32;
override S: u32;
override window: u32;
override alpha: f32;
override beta: f32;
override ONE_MINUS_beta: f32;
override k: f32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// The first channel of W(c) and the one behind its last; the transposed window of c is the mirror image.
fn windowOf(c: u32) -> vec2u {
  return vec2u(c - min(c, window / 2u), min(C, c + (window - 1u) / 2u + 1u));
}

fn transposedWindowOf(c: u32) -> vec2u {
  return vec2u(c - min(c, (window - 1u) / 2u), min(C, c + window / 2u + 1u));
}

// d^-beta, with a division at the end: pow need not propagate a NaN.
fn power(d: f32) -> f32 {
  return pow(d, ONE_MINUS_beta) / d;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> forward_d: array<f32>;

// invocations: P * N * C * S
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * S) {
    return;
  }
  let i = index % (N * C * S);
  let p = index / (N * C * S);
  let c = (i / S) % C;
  let x = at(0u, p);
  let channels = windowOf(c);
  var sum = 0.0;
  for (var j = channels.x; j < channels.y; j++) {
    let value = forward_x[x + i - c * S + j * S];
    sum += value * value;
  }
  let d = k + alpha / f32(window) * sum;
  forward_y[at(1u, p) + i] = forward_x[x + i] * power(d);
  forward_d[at(2u, p) + i] = d;
}

@group(0) @binding(1) var<storage, read> tangent_x: array<f32>;
@group(0) @binding(2) var<storage, read> tangent_d: array<f32>;
@group(0) @binding(3) var<storage, read> tangent_xDot: array<f32>;
@group(0) @binding(4) var<storage, read_write> tangent_yDot: array<f32>;
@group(0) @binding(5) var<storage, read_write> tangent_dDot: array<f32>;

// invocations: P * N * C * S
@compute @workgroup_size(64)
fn tangent(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * S) {
    return;
  }
  let i = index % (N * C * S);
  let p = index / (N * C * S);
  let c = (i / S) % C;
  let x = at(0u, p);
  let xDot = at(2u, p);
  let channels = windowOf(c);
  var sum = 0.0;
  for (var j = channels.x; j < channels.y; j++) {
    let offset = i - c * S + j * S;
    sum += tangent_x[x + offset] * tangent_xDot[xDot + offset];
  }
  let dDot = 2.0 * alpha / f32(window) * sum;
  let d = tangent_d[at(1u, p) + i];
  tangent_yDot[at(3u, p) + i] = power(d) * (tangent_xDot[xDot + i] - beta * tangent_x[x + i] * dDot / d);
  tangent_dDot[at(4u, p) + i] = dDot;
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_d: array<f32>;
@group(0) @binding(3) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(4) var<storage, read_write> backward_xBar: array<f32>;

// invocations: P * N * C * S
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * S) {
    return;
  }
  let own = index % (N * C * S);
  let p = index / (N * C * S);
  let c = (own / S) % C;
  let x = at(0u, p);
  let d = at(1u, p);
  let yBar = at(2u, p);
  let channels = transposedWindowOf(c);
  var sum = 0.0;
  for (var j = channels.x; j < channels.y; j++) {
    let i = own - c * S + j * S;
    let di = backward_d[d + i];
    sum += backward_yBar[yBar + i] * backward_x[x + i] * (power(di) / di);
  }
  backward_xBar[at(3u, p) + own] = backward_yBar[yBar + own] * power(backward_d[d + own])
    - 2.0 * beta * alpha / f32(window) * backward_x[x + own] * sum;
}

override HAS_yBarDot: bool = false;

@group(0) @binding(1) var<storage, read> tangentBackward_x: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_d: array<f32>;
@group(0) @binding(3) var<storage, read> tangentBackward_yBar: array<f32>;
@group(0) @binding(4) var<storage, read> tangentBackward_xDot: array<f32>;
@group(0) @binding(5) var<storage, read> tangentBackward_dDot: array<f32>;
@group(0) @binding(6) var<storage, read> tangentBackward_yBarDot: array<f32>;
@group(0) @binding(7) var<storage, read_write> tangentBackward_xBarDot: array<f32>;

// invocations: P * N * C * S
@compute @workgroup_size(64)
fn tangentBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * S) {
    return;
  }
  let own = index % (N * C * S);
  let p = index / (N * C * S);
  let c = (own / S) % C;
  let x = at(0u, p);
  let xDot = at(3u, p);
  let channels = transposedWindowOf(c);
  var sum = 0.0;
  var sumDot = 0.0;
  var ofOwn = 0.0;
  for (var j = channels.x; j < channels.y; j++) {
    let i = own - c * S + j * S;
    let d = tangentBackward_d[at(1u, p) + i];
    let yBar = tangentBackward_yBar[at(2u, p) + i];
    let ratio = tangentBackward_dDot[at(4u, p) + i] / d;
    var yBarDot = 0.0;
    if (HAS_yBarDot) {
      yBarDot = tangentBackward_yBarDot[at(5u, p) + i];
    }
    let xi = tangentBackward_x[x + i];
    let scale = power(d);
    sum += yBar * xi * (scale / d);
    sumDot += scale / d * (yBarDot * xi + yBar * tangentBackward_xDot[xDot + i] - (beta + 1.0) * yBar * xi * ratio);
    if (j == c) {
      ofOwn = scale * (yBarDot - beta * yBar * ratio);
    }
  }
  tangentBackward_xBarDot[at(6u, p) + own] = ofOwn - 2.0 * beta * alpha / f32(window)
    * (tangentBackward_xDot[xDot + own] * sum + tangentBackward_x[x + own] * sumDot);
}
