// Two-dimensional convolution, bilinear in (x, w):
//
//   y[n, oc, oh, ow] = b[oc] + sum over c, kh, kw of x[n, c, oh * stride + kh - padding, ow * stride + kw - padding] * w[oc, c, kh, kw]
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        w[OC, C, KH, KW]: ((oc * C + c) * KH + kh) * KW + kw
// y[N, OC, OH, OW]: ((n * OC + oc) * OH + oh) * OW + ow     b[OC]
//
// Pixels outside x are zero: the loops run over the part of the kernel that lies inside. Divisions stay out of the
// inner loops.

override P: u32;
override N: u32;
override C: u32;
override H: u32;
override W: u32;
override OC: u32;
override KH: u32;
override KW: u32;
override OH: u32;
override OW: u32;
override stride: u32;
override padding: u32;
override HAS_b: bool = false;
override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

const FOURS = 4u; // channels per invocation

// The first and the end of the kernel positions k with 0 <= start + k - padding < size.
fn inside(start: u32, kernel: u32, size: u32) -> vec2u {
  return vec2u(
    select(0u, padding - start, padding > start),
    select(0u, min(kernel, size + padding - start), size + padding > start),
  );
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read> forward_w: array<f32>;
@group(0) @binding(3) var<storage, read> forward_b: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_y: array<f32>;

// One output pixel of four channels per invocation, so that a pixel of x is loaded once for four products; one short
// sum per input channel. Past the last channel the last one is computed again and not stored.
// invocations: P * N * ceil(OC / 4) * OH * OW
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let blocks = (OC + FOURS - 1u) / FOURS;
  let index = linear(id, groups);
  if (index >= P * N * blocks * OH * OW) {
    return;
  }
  let ow = index % OW;
  let oh = (index / OW) % OH;
  let oc = FOURS * ((index / (OW * OH)) % blocks);
  let n = (index / (OW * OH * blocks)) % N;
  let p = index / (OW * OH * blocks * N);
  let channels = min(vec4u(oc) + vec4u(0u, 1u, 2u, 3u), vec4u(OC - 1u));
  let x = at(0u, p) + n * (C * H * W);
  let w = at(1u, p) + channels * (C * KH * KW);
  let rows = inside(oh * stride, KH, H);
  let columns = inside(ow * stride, KW, W);
  var sum = vec4f();
  for (var c = 0u; c < C; c++) {
    var channel = vec4f();
    for (var kh = rows.x; kh < rows.y; kh++) {
      let xRow = x + (c * H + oh * stride + kh - padding) * W + ow * stride - padding;
      let wRow = w + (c * KH + kh) * KW;
      for (var kw = columns.x; kw < columns.y; kw++) {
        let value = forward_x[xRow + kw];
        channel.x += value * forward_w[wRow.x + kw];
        if (OC > 1u) {
          channel.y += value * forward_w[wRow.y + kw];
        }
        if (OC > 2u) {
          channel.z += value * forward_w[wRow.z + kw];
        }
        if (OC > 3u) {
          channel.w += value * forward_w[wRow.w + kw];
        }
      }
    }
    sum += channel;
  }
  let y = at(3u, p) + ((n * OC + oc) * OH + oh) * OW + ow;
  for (var j = 0u; j < min(FOURS, OC - oc); j++) {
    var value = sum[j];
    if (HAS_b) {
      value += forward_b[at(2u, p) + oc + j];
    }
    if (ACCUMULATE) {
      forward_y[y + j * (OH * OW)] += value;
    } else {
      forward_y[y + j * (OH * OW)] = value;
    }
  }
}

@group(0) @binding(1) var<storage, read> backwardInput_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backwardInput_w: array<f32>;
@group(0) @binding(3) var<storage, read_write> backwardInput_xBar: array<f32>;

// One input pixel of four channels per invocation, as in forward; one short sum per output channel.
// invocations: P * N * ceil(C / 4) * H * W
@compute @workgroup_size(64)
fn backwardInput(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let blocks = (C + FOURS - 1u) / FOURS;
  let index = linear(id, groups);
  if (index >= P * N * blocks * H * W) {
    return;
  }
  let column = index % W;
  let h = (index / W) % H;
  let c = FOURS * ((index / (W * H)) % blocks);
  let n = (index / (W * H * blocks)) % N;
  let p = index / (W * H * blocks * N);
  let channels = min(vec4u(c) + vec4u(0u, 1u, 2u, 3u), vec4u(C - 1u));
  let yBar = at(0u, p) + n * (OC * OH * OW);
  let w = at(1u, p) + channels * (KH * KW);
  // Every stride-th kernel position reaches this pixel, each from the output pixel before the last one's; those
  // before the first wrap round and are past the end as well.
  let lastRow = (h + padding) / stride;
  let lastColumn = (column + padding) / stride;
  var sum = vec4f();
  for (var oc = 0u; oc < OC; oc++) {
    var channel = vec4f();
    var oh = lastRow;
    for (var kh = (h + padding) % stride; kh < KH; kh += stride) {
      if (oh < OH) {
        let yRow = yBar + (oc * OH + oh) * OW;
        let wRow = w + (oc * C * KH + kh) * KW;
        var ow = lastColumn;
        for (var kw = (column + padding) % stride; kw < KW; kw += stride) {
          if (ow < OW) {
            let value = backwardInput_yBar[yRow + ow];
            channel.x += value * backwardInput_w[wRow.x + kw];
            if (C > 1u) {
              channel.y += value * backwardInput_w[wRow.y + kw];
            }
            if (C > 2u) {
              channel.z += value * backwardInput_w[wRow.z + kw];
            }
            if (C > 3u) {
              channel.w += value * backwardInput_w[wRow.w + kw];
            }
          }
          ow--;
        }
      }
      oh--;
    }
    sum += channel;
  }
  let xBar = at(2u, p) + ((n * C + c) * H + h) * W + column;
  for (var j = 0u; j < min(FOURS, C - c); j++) {
    if (ACCUMULATE) {
      backwardInput_xBar[xBar + j * (H * W)] += sum[j];
    } else {
      backwardInput_xBar[xBar + j * (H * W)] = sum[j];
    }
  }
}

@group(0) @binding(1) var<storage, read> backwardWeight_x: array<f32>;
@group(0) @binding(2) var<storage, read> backwardWeight_yBar: array<f32>;
@group(0) @binding(3) var<storage, read_write> backwardWeight_wBar: array<f32>;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;

var<workgroup> partials: array<f32, LANES>;

// The sum over all lanes, in a fixed order; only lane 0 gets it.
fn sumOfLanes(lane: u32, own: f32) -> f32 {
  partials[lane] = own;
  workgroupBarrier();
  if (lane < SIDE) {
    var sum = 0.0;
    for (var i = lane; i < LANES; i += SIDE) {
      sum += partials[i];
    }
    partials[lane] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  if (lane == 0u) {
    for (var i = 0u; i < SIDE; i++) {
      sum += partials[i];
    }
  }
  return sum;
}

// The first and the end of the output positions o with 0 <= o * stride + k - padding < size.
fn outputs(k: u32, count: u32, size: u32) -> vec2u {
  return vec2u(
    select(0u, (padding - k + stride - 1u) / stride, padding > k),
    select(0u, min(count, (size + padding - k - 1u) / stride + 1u), size + padding > k),
  );
}

// One weight per workgroup: there are few weights and many output pixels to add up.
// terms: N * OH * OW
// workgroups: P * OC * C * KH * KW
@compute @workgroup_size(LANES)
fn backwardWeight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * OC * C * KH * KW) {
    return;
  }
  let kw = index % KW;
  let kh = (index / KW) % KH;
  let c = (index / (KW * KH)) % C;
  let oc = (index / (KW * KH * C)) % OC;
  let p = index / (KW * KH * C * OC);
  let x = at(0u, p) + c * (H * W);
  let yBar = at(1u, p) + oc * (OH * OW);
  let columns = outputs(kw, OW, W);
  var own = 0.0;
  // A lane takes every LANES-th row of yBar; the sum of a row is one term.
  for (var i = lane; i < N * OH; i += LANES) {
    let n = i / OH;
    let oh = i % OH;
    let h = oh * stride + kh - padding;
    if (h < H) {
      let xRow = x + (n * C * H + h) * W + kw - padding;
      let yRow = yBar + (n * OC * OH + oh) * OW;
      var row = 0.0;
      for (var ow = columns.x; ow < columns.y; ow++) {
        row += backwardWeight_x[xRow + ow * stride] * backwardWeight_yBar[yRow + ow];
      }
      own += row;
    }
  }
  let sum = sumOfLanes(lane, own);
  if (lane == 0u) {
    let wBar = at(2u, p) + index % (KW * KH * C * OC);
    if (ACCUMULATE) {
      backwardWeight_wBar[wBar] += sum;
    } else {
      backwardWeight_wBar[wBar] = sum;
    }
  }
}
