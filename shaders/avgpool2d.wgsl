// Average pooling: y[n, c, oh, ow] = sum over kh, kw of x[n, c, oh * stride + kh - padding, ow * stride + kw - padding] / (KH KW);
// pixels outside x are zero and count.
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        y[N, C, OH, OW]: ((n * C + c) * OH + oh) * OW + ow

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

// What a result gets for element i: see with/rectified.wgsl and with/masked.wgsl.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return result;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// One output per invocation, a short sum for each row of its window.
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
  var sum = 0.0;
  for (var kh = 0u; kh < KH; kh++) {
    let h = oh * stride + kh - padding; // before the first row it wraps round and is past the end as well
    if (h >= H) {
      continue;
    }
    var row = 0.0;
    for (var kw = 0u; kw < KW; kw++) {
      let w = ow * stride + kw - padding;
      if (w < W) {
        row += forward_x[x + h * W + w];
      }
    }
    sum += row;
  }
  forward_y[at(1u, p) + i] = sum / f32(KH * KW);
}

@group(0) @binding(1) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(2) var<storage, read_write> backward_xBar: array<f32>;

// One input pixel per invocation: it adds up the windows that contain it, so that nothing is scattered.
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
  let yBar = at(0u, p) + (i / (W * H)) * (OH * OW);
  // Windows that contain pixel h start at oh * stride <= h + padding and end after it.
  let top = select(0u, (h + padding - KH) / stride + 1u, h + padding >= KH);
  let left = select(0u, (w + padding - KW) / stride + 1u, w + padding >= KW);
  var sum = 0.0;
  for (var oh = top; oh < OH && oh * stride <= h + padding; oh++) {
    for (var ow = left; ow < OW && ow * stride <= w + padding; ow++) {
      sum += backward_yBar[yBar + oh * OW + ow];
    }
  }
  backward_xBar[at(1u, p) + i] = stored(p, i, sum / f32(KH * KW));
}
