// A norm per channel of each image, ReLU and average pooling of 2 x 2. With m and v the mean and the biased variance of a plane,
// inv = 1 / sqrt(v + eps) and n = (x - m) inv:
//
//   forward    r = max(gamma n + beta, 0),   y = the mean of r over windows of 2 x 2
//   backward   u = yBar / 4 for all pixels of a window where gamma n + beta > 0, else 0;
//              xBar = gamma inv (u - m(u) - n m(u n)),   sums: u n and u added up
//
// x, xBar[N, C, H, W]     y, yBar[N, C, H / 2, W / 2]     saved: N * C means, N * C variances, C gammas     sums[2, N, C]
// A workgroup has a plane: it adds up, and then writes.
// with: lanes

override P: u32;
override N: u32;
override C: u32;
override H: u32;
override W: u32;
override eps: f32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn inverse(variance: f32) -> f32 {
  return 1.0 / sqrt(variance + eps);
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read> forward_gamma: array<f32>;
@group(0) @binding(3) var<storage, read> forward_beta: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_y: array<f32>;
@group(0) @binding(5) var<storage, read_write> forward_saved: array<f32>;

// terms: H * W
// workgroups: P * N * C
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * N * C) {
    return;
  }
  let plane = index % (N * C);
  let p = index / (N * C);
  let map = H * W;
  let x = at(0u, p) + plane * map;
  var own = 0.0;
  for (var start = lane; start < map; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, map); i += LANES) {
      block += forward_x[x + i];
    }
    own += block;
  }
  let mean = sumForLanes(lane, vec4f(own, 0.0, 0.0, 0.0)).x / f32(map);
  own = 0.0;
  for (var start = lane; start < map; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, map); i += LANES) {
      let centred = forward_x[x + i] - mean;
      block += centred * centred;
    }
    own += block;
  }
  let variance = sumForLanes(lane, vec4f(own, 0.0, 0.0, 0.0)).x / f32(map);
  let gamma = forward_gamma[at(1u, p) + plane % C];
  let beta = forward_beta[at(2u, p) + plane % C];
  if (lane == 0u) {
    let saved = at(4u, p);
    forward_saved[saved + plane] = mean;
    forward_saved[saved + N * C + plane] = variance;
    if (plane < C) {
      forward_saved[saved + 2u * N * C + plane] = gamma;
    }
  }
  let inv = inverse(variance);
  let columns = W / 2u;
  for (var i = lane; i < map / 4u; i += LANES) {
    let corner = x + i / columns * 2u * W + i % columns * 2u;
    let pixels = vec4f(forward_x[corner], forward_x[corner + 1u], forward_x[corner + W], forward_x[corner + W + 1u]);
    let n = gamma * ((pixels - mean) * inv) + beta;
    let r = select(n, vec4f(), n < vec4f()); // not max(): a NaN must come through
    forward_y[at(3u, p) + plane * (map / 4u) + i] = 0.25 * (r.x + r.y + r.z + r.w);
  }
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_saved: array<f32>;
@group(0) @binding(3) var<storage, read> backward_beta: array<f32>;
@group(0) @binding(4) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(5) var<storage, read_write> backward_xBar: array<f32>;
@group(0) @binding(6) var<storage, read_write> backward_sums: array<f32>;

// terms: H * W
// workgroups: P * N * C
@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * N * C) {
    return;
  }
  let plane = index % (N * C);
  let p = index / (N * C);
  let map = H * W;
  let x = at(0u, p) + plane * map;
  let yBar = at(3u, p) + plane * (map / 4u);
  let saved = at(1u, p);
  let mean = backward_saved[saved + plane];
  let inv = inverse(backward_saved[saved + N * C + plane]);
  let gamma = backward_saved[saved + 2u * N * C + plane % C];
  let beta = backward_beta[at(2u, p) + plane % C];
  let columns = W / 2u;
  var own = vec2f();
  for (var start = lane; start < map; start += LANES * BLOCK) {
    var block = vec2f();
    for (var i = start; i < min(start + LANES * BLOCK, map); i += LANES) {
      let n = (backward_x[x + i] - mean) * inv;
      let u = 0.25 * backward_yBar[yBar + i / W / 2u * columns + i % W / 2u];
      block += select(vec2f(), vec2f(u * n, u), gamma * n + beta > 0.0);
    }
    own += block;
  }
  let sums = sumForLanes(lane, vec4f(own, 0.0, 0.0)).xy;
  if (lane == 0u) {
    backward_sums[at(5u, p) + plane] = sums.x;
    backward_sums[at(5u, p) + N * C + plane] = sums.y;
  }
  let m = gamma * sums / f32(map);
  for (var i = lane; i < map; i += LANES) {
    let n = (backward_x[x + i] - mean) * inv;
    let u = 0.25 * backward_yBar[yBar + i / W / 2u * columns + i % W / 2u];
    let d = select(0.0, gamma * u, gamma * n + beta > 0.0);
    backward_xBar[at(4u, p) + plane * map + i] = inv * (d - m.y - n * m.x);
  }
}
