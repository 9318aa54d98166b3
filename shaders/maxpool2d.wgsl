// Max pooling: y[n, c, oh, ow] = max over kh, kw of x[n, c, oh * stride + kh - padding, ow * stride + kw - padding];
// pixels outside x do not count. index is the winning pixel h * W + w of its map, the first one on a tie and the
// first NaN where there is one; the other passes are linear with that choice held fixed.
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        y, index[N, C, OH, OW]: ((n * C + c) * OH + oh) * OW + ow

override P: u32;
override N: u32;
override C: u32;
override H: u32;
override W: u32;
override OH: u32;
override OW: u32;
override KH: u32;
override KW: u32;
override stride: u32;
override padding: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// By its bits: compilers fold value != value to false.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// What a result gets for element i: see with/rectified.wgsl and with/masked.wgsl.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return result;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> forward_index: array<u32>;

// invocations: P * N * C * OH * OW
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * OH * OW) {
    return;
  }
  let ow = index % OW;
  let oh = (index / OW) % OH;
  let i = index % (OW * OH * C * N);
  let p = index / (OW * OH * C * N);
  let x = at(0u, p) + (i / (OW * OH)) * (H * W);
  var best = 0.0;
  var winner = 0xffffffffu; // none yet
  for (var kh = 0u; kh < KH; kh++) {
    let h = oh * stride + kh - padding;
    if (h >= H) {
      continue;
    }
    for (var kw = 0u; kw < KW; kw++) {
      let w = ow * stride + kw - padding;
      if (w < W) {
        let value = forward_x[x + h * W + w];
        if (winner == 0xffffffffu || (!is_nan(best) && (value > best || is_nan(value)))) {
          best = value;
          winner = h * W + w;
        }
      }
    }
  }
  forward_y[at(1u, p) + i] = stored(p, i, best);
  forward_index[at(2u, p) + i] = winner;
}

@group(0) @binding(1) var<storage, read> tangent_xDot: array<f32>;
@group(0) @binding(2) var<storage, read> tangent_index: array<u32>;
@group(0) @binding(3) var<storage, read_write> tangent_yDot: array<f32>;

// invocations: P * N * C * OH * OW
@compute @workgroup_size(64)
fn tangent(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * OH * OW) {
    return;
  }
  let i = index % (OW * OH * C * N);
  let p = index / (OW * OH * C * N);
  let x = at(0u, p) + (i / (OW * OH)) * (H * W);
  tangent_yDot[at(2u, p) + i] = stored(p, i, tangent_xDot[x + tangent_index[at(1u, p) + i]]);
}

@group(0) @binding(1) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backward_index: array<u32>;
@group(0) @binding(3) var<storage, read_write> backward_xBar: array<f32>;

// One input pixel per invocation: it looks through the windows that contain it, so that nothing is scattered.
// invocations: P * N * C * H * W
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * H * W) {
    return;
  }
  let w = index % W;
  let h = (index / W) % H;
  let i = index % (W * H * C * N);
  let p = index / (W * H * C * N);
  let map = (i / (W * H)) * (OH * OW);
  let yBar = at(0u, p) + map;
  let winners = at(1u, p) + map;
  // Windows that contain pixel h start at oh * stride <= h + padding and end after it.
  let top = select(0u, (h + padding - KH) / stride + 1u, h + padding >= KH);
  let left = select(0u, (w + padding - KW) / stride + 1u, w + padding >= KW);
  var sum = 0.0;
  for (var oh = top; oh < OH && oh * stride <= h + padding; oh++) {
    for (var ow = left; ow < OW && ow * stride <= w + padding; ow++) {
      if (backward_index[winners + oh * OW + ow] == h * W + w) {
        sum += backward_yBar[yBar + oh * OW + ow];
      }
    }
  }
  backward_xBar[at(2u, p) + i] = sum;
}
