// Images as sums of M anisotropic Gaussians of 5 + C numbers each; see src/engine/ops/gaussians.ts.
//
// x[N, M, 5 + C]: (n * M + m) * (5 + C) + q        y[N, C, H, W]: ((n * C + c) * H + h) * W + w

override P: u32;
override N: u32;
override M: u32;
override C: u32;
override H: u32;
override W: u32;
override width: f32;
override inverse: f32 = 1.0 / (width * width);

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// How far a pixel lies from a centre: u and v of the definition, from the distance and the root of the inverse covariance.
fn spread(distance: vec2f, root: vec3f) -> vec2f {
  return inverse * vec2f(root.x * distance.x + root.y * distance.y, root.z * distance.y);
}

fn height(uv: vec2f) -> f32 {
  return exp(-0.5 * dot(uv, uv)) / width;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// invocations: P * N * C * H * W
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * H * W) {
    return;
  }
  let pixel = vec2f(f32(index % W), f32((index / W) % H));
  let c = (index / (W * H)) % C;
  let n = (index / (W * H * C)) % N;
  let p = index / (W * H * C * N);
  var sum = 0.0;
  for (var m = 0u; m < M; m++) {
    let x = at(0u, p) + (n * M + m) * (5u + C);
    let distance = pixel - vec2f(forward_x[x], forward_x[x + 1u]);
    let root = vec3f(forward_x[x + 2u], forward_x[x + 3u], forward_x[x + 4u]);
    sum += forward_x[x + 5u + c] * height(spread(distance, root));
  }
  forward_y[at(1u, p) + index % (W * H * C * N)] = sum;
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_xBar: array<f32>;

// One number of a Gaussian per invocation, row by row.
// invocations: P * N * M * (5 + C)
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * M * (5u + C)) {
    return;
  }
  let q = index % (5u + C);
  let n = (index / ((5u + C) * M)) % N;
  let p = index / ((5u + C) * M * N);
  let own = index % ((5u + C) * M * N);
  let x = at(0u, p) + own - q;
  let yBar = at(1u, p) + n * (C * H * W);
  let centre = vec2f(backward_x[x], backward_x[x + 1u]);
  let root = vec3f(backward_x[x + 2u], backward_x[x + 3u], backward_x[x + 4u]);
  var sum = 0.0;
  for (var h = 0u; h < H; h++) {
    var row = 0.0;
    for (var w = 0u; w < W; w++) {
      let pixel = yBar + h * W + w;
      let distance = vec2f(f32(w), f32(h)) - centre;
      let uv = spread(distance, root);
      let g = height(uv);
      if (q >= 5u) {
        row += g * backward_yBar[pixel + (q - 5u) * (H * W)];
        continue;
      }
      var t = 0.0;
      for (var c = 0u; c < C; c++) {
        t += backward_x[x + 5u + c] * backward_yBar[pixel + c * (H * W)];
      }
      let moved = inverse * g * t * uv;
      switch q {
        case 0u: { row += moved.x * root.x; }
        case 1u: { row += moved.x * root.y + moved.y * root.z; }
        case 2u: { row -= moved.x * distance.x; }
        case 3u: { row -= moved.x * distance.y; }
        default: { row -= moved.y * distance.y; }
      }
    }
    sum += row;
  }
  backward_xBar[at(2u, p) + own] = sum;
}
