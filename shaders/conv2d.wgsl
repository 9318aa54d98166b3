// Two-dimensional convolution, bilinear in (x, w):
//
//   y[n, oc, oh, ow] = b[oc] + sum over c, kh, kw of
//     x[n, g * C / G + c, oh * stride + kh * dilation - padding, ow * stride + kw * dilation - padding] * w[oc, c, kh, kw]
//
// where g is the group of oc: both kinds of channels are cut into G groups of neighbours. A second pair of factors (x2,
// w2 and so on, of the same shapes) is added up beside the first, product by product.
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        w[OC, C / G, KH, KW]: ((oc * (C / G) + c) * KH + kh) * KW + kw
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
override G: u32;
override dilation: u32;
override HAS_x2: bool = false;
override HAS_w2: bool = false;
override HAS_yBar2: bool = false;
override HAS_b: bool = false;
override ACCUMULATE: bool = false;
override BIAS: u32 = 0u; // 1: behind the gradient of the weights stands that of the bias

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

const FOURS = 4u; // channels per invocation

// The first and the end of the kernel positions k with 0 <= start + k * dilation - padding < size.
fn inside(start: u32, kernel: u32, size: u32) -> vec2u {
  return vec2u(
    select(0u, (padding - start + dilation - 1u) / dilation, padding > start),
    select(0u, min(kernel, (size + padding - start - 1u) / dilation + 1u), size + padding > start),
  );
}

// Block `block` of at most four neighbours, of channels in groups of `size`: its first channel, and its group.
fn blockOf(block: u32, size: u32) -> vec2u {
  let blocks = (size + FOURS - 1u) / FOURS;
  let group = block / blocks;
  return vec2u(group * size + FOURS * (block % blocks), group);
}

// What a result gets for element i: see with/rectified.wgsl and with/masked.wgsl.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return result;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read> forward_w: array<f32>;
@group(0) @binding(3) var<storage, read> forward_x2: array<f32>;
@group(0) @binding(4) var<storage, read> forward_w2: array<f32>;
@group(0) @binding(5) var<storage, read> forward_b: array<f32>;
@group(0) @binding(6) var<storage, read_write> forward_y: array<f32>;

// One output pixel of four channels per invocation, so that a pixel of x is loaded once for four products; one short
// sum per input channel. Past the last channel of a group the last one is computed again and not stored.
// invocations: P * N * G * ceil(OC / G / 4) * OH * OW
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let own = OC / G; // channels of a group
  let seen = C / G;
  let blocks = G * ((own + FOURS - 1u) / FOURS);
  let index = linear(id, groups);
  if (index >= P * N * blocks * OH * OW) {
    return;
  }
  let ow = index % OW;
  let oh = (index / OW) % OH;
  let block = blockOf((index / (OW * OH)) % blocks, own);
  let oc = block.x;
  let end = (block.y + 1u) * own; // of the channels of the group
  let n = (index / (OW * OH * blocks)) % N;
  let p = index / (OW * OH * blocks * N);
  let channels = min(vec4u(oc) + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u));
  let x = at(0u, p) + (n * C + block.y * seen) * (H * W);
  let w = at(1u, p) + channels * (seen * KH * KW);
  // How much further on the second pair is; below zero wraps round, and back.
  let toX2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  let rows = inside(oh * stride, KH, H);
  let columns = inside(ow * stride, KW, W);
  var sum = vec4f();
  for (var c = 0u; c < seen; c++) {
    var channel = vec4f();
    for (var kh = rows.x; kh < rows.y; kh++) {
      let xRow = x + (c * H + oh * stride + kh * dilation - padding) * W + ow * stride - padding;
      let wRow = w + (c * KH + kh) * KW;
      for (var kw = columns.x; kw < columns.y; kw++) {
        let value = forward_x[xRow + kw * dilation];
        channel.x += value * forward_w[wRow.x + kw];
        if (own > 1u) {
          channel.y += value * forward_w[wRow.y + kw];
        }
        if (own > 2u) {
          channel.z += value * forward_w[wRow.z + kw];
        }
        if (own > 3u) {
          channel.w += value * forward_w[wRow.w + kw];
        }
        if (HAS_x2 && HAS_w2) {
          let value2 = forward_x2[toX2 + xRow + kw * dilation];
          let k2 = toW2 + kw;
          channel.x += value2 * forward_w2[wRow.x + k2];
          if (own > 1u) {
            channel.y += value2 * forward_w2[wRow.y + k2];
          }
          if (own > 2u) {
            channel.z += value2 * forward_w2[wRow.z + k2];
          }
          if (own > 3u) {
            channel.w += value2 * forward_w2[wRow.w + k2];
          }
        }
      }
    }
    sum += channel;
  }
  let first = ((n * OC + oc) * OH + oh) * OW + ow;
  let y = at(5u, p) + first;
  for (var j = 0u; j < min(FOURS, end - oc); j++) {
    var value = sum[j];
    if (HAS_b) {
      value += forward_b[at(4u, p) + oc + j];
    }
    if (ACCUMULATE) {
      forward_y[y + j * (OH * OW)] += value;
    } else {
      forward_y[y + j * (OH * OW)] = stored(p, first + j * (OH * OW), value);
    }
  }
}

@group(0) @binding(1) var<storage, read> backwardInput_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backwardInput_w: array<f32>;
@group(0) @binding(3) var<storage, read> backwardInput_yBar2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardInput_w2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardInput_xBar: array<f32>;

// The smallest kernel position k that reaches padded position `position` from some output position, before borders:
// k * dilation = position modulo stride. Past every kernel where there is none.
fn firstTap(position: u32) -> u32 {
  if (dilation == 1u) {
    return position % stride;
  }
  for (var k = 0u; k < stride; k++) {
    if (k * dilation <= position && (position - k * dilation) % stride == 0u) {
      return k;
    }
  }
  return 0xffffffffu;
}

// How far it is from one such kernel position to the next.
fn tapStep() -> u32 {
  var k = 1u;
  while (k * dilation % stride != 0u) {
    k++;
  }
  return k;
}

// One input pixel of four channels per invocation, as in forward; one short sum per output channel.
// invocations: P * N * G * ceil(C / G / 4) * H * W
@compute @workgroup_size(64)
fn backwardInput(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let own = C / G; // channels of a group
  let seen = OC / G;
  let blocks = G * ((own + FOURS - 1u) / FOURS);
  let index = linear(id, groups);
  if (index >= P * N * blocks * H * W) {
    return;
  }
  let column = index % W;
  let h = (index / W) % H;
  let block = blockOf((index / (W * H)) % blocks, own);
  let c = block.x;
  let end = (block.y + 1u) * own;
  let n = (index / (W * H * blocks)) % N;
  let p = index / (W * H * blocks * N);
  let channels = min(vec4u(c) + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u)) - block.y * own;
  let yBar = at(0u, p) + (n * OC + block.y * seen) * (OH * OW);
  let w = at(1u, p) + (block.y * seen * own + channels) * (KH * KW);
  let toY2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  // Every step-th kernel position reaches this pixel, each from `back` output pixels before the last one's; those
  // before the first wrap round and are past the end as well.
  let step = tapStep();
  let back = step * dilation / stride;
  let firstRow = firstTap(h + padding);
  let firstColumn = firstTap(column + padding);
  let lastRow = (h + padding - firstRow * dilation) / stride;
  let lastColumn = (column + padding - firstColumn * dilation) / stride;
  var sum = vec4f();
  for (var oc = 0u; oc < seen; oc++) {
    var channel = vec4f();
    var oh = lastRow;
    for (var kh = firstRow; kh < KH; kh += step) {
      if (oh < OH) {
        let yRow = yBar + (oc * OH + oh) * OW;
        let wRow = w + (oc * own * KH + kh) * KW;
        var ow = lastColumn;
        for (var kw = firstColumn; kw < KW; kw += step) {
          if (ow < OW) {
            let value = backwardInput_yBar[yRow + ow];
            channel.x += value * backwardInput_w[wRow.x + kw];
            if (own > 1u) {
              channel.y += value * backwardInput_w[wRow.y + kw];
            }
            if (own > 2u) {
              channel.z += value * backwardInput_w[wRow.z + kw];
            }
            if (own > 3u) {
              channel.w += value * backwardInput_w[wRow.w + kw];
            }
            if (HAS_yBar2 && HAS_w2) {
              let value2 = backwardInput_yBar2[toY2 + yRow + ow];
              let k2 = toW2 + kw;
              channel.x += value2 * backwardInput_w2[wRow.x + k2];
              if (own > 1u) {
                channel.y += value2 * backwardInput_w2[wRow.y + k2];
              }
              if (own > 2u) {
                channel.z += value2 * backwardInput_w2[wRow.z + k2];
              }
              if (own > 3u) {
                channel.w += value2 * backwardInput_w2[wRow.w + k2];
              }
            }
          }
          ow -= back;
        }
      }
      oh -= back;
    }
    sum += channel;
  }
  let first = ((n * C + c) * H + h) * W + column;
  let xBar = at(4u, p) + first;
  for (var j = 0u; j < min(FOURS, end - c); j++) {
    if (ACCUMULATE) {
      backwardInput_xBar[xBar + j * (H * W)] += sum[j];
    } else {
      backwardInput_xBar[xBar + j * (H * W)] = stored(p, first + j * (H * W), sum[j]);
    }
  }
}

@group(0) @binding(1) var<storage, read> backwardWeight_x: array<f32>;
@group(0) @binding(2) var<storage, read> backwardWeight_yBar: array<f32>;
@group(0) @binding(3) var<storage, read> backwardWeight_x2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardWeight_yBar2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardWeight_wBar: array<f32>;

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

// The first and the end of the output positions o with 0 <= o * stride + reach - padding < size.
fn outputs(reach: u32, count: u32, size: u32) -> vec2u {
  return vec2u(
    select(0u, (padding - reach + stride - 1u) / stride, padding > reach),
    select(0u, min(count, (size + padding - reach - 1u) / stride + 1u), size + padding > reach),
  );
}

// One weight per workgroup: there are few weights and many output pixels to add up. The bias of a channel is a weight behind its
// others, of a pixel that is always 1; its gradient stands behind those of all weights.
// terms: N * OH * OW
// workgroups: P * OC * (C / G * KH * KW + BIAS)
@compute @workgroup_size(LANES)
fn backwardWeight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  let seen = C / G; // input channels of a group
  let weights = seen * KH * KW; // of an output channel
  let each = weights + BIAS;
  if (index >= P * OC * each) {
    return;
  }
  let weight = index % each;
  let ofBias = BIAS > 0u && weight == weights;
  let kw = weight % KW;
  let kh = (weight / KW) % KH;
  let oc = (index / each) % OC;
  let c = oc / (OC / G) * seen + (weight / (KW * KH)) % seen;
  let p = index / (each * OC);
  let x = at(0u, p) + c * (H * W);
  let yBar = at(1u, p) + oc * (OH * OW);
  let toX2 = at(2u, p) - at(0u, p);
  let toY2 = at(3u, p) - at(1u, p);
  let columns = outputs(kw * dilation, OW, W);
  var own = 0.0;
  // A lane takes every LANES-th row of yBar; the sum of a row is one term.
  for (var i = lane; i < N * OH; i += LANES) {
    let n = i / OH;
    let oh = i % OH;
    let h = oh * stride + kh * dilation - padding;
    let yRow = yBar + (n * OC * OH + oh) * OW;
    var row = 0.0;
    if (ofBias) {
      for (var ow = 0u; ow < OW; ow++) {
        row += backwardWeight_yBar[yRow + ow];
      }
      own += row;
    } else if (h < H) {
      let xRow = x + (n * C * H + h) * W + kw * dilation - padding;
      for (var ow = columns.x; ow < columns.y; ow++) {
        row += backwardWeight_x[xRow + ow * stride] * backwardWeight_yBar[yRow + ow];
        if (HAS_x2 && HAS_yBar2) {
          row += backwardWeight_x2[toX2 + xRow + ow * stride] * backwardWeight_yBar2[toY2 + yRow + ow];
        }
      }
      own += row;
    }
  }
  let sum = sumOfLanes(lane, own);
  if (lane == 0u) {
    let wBar = at(4u, p) + select(oc * weights + weight, OC * weights + oc, ofBias);
    if (ACCUMULATE) {
      backwardWeight_wBar[wBar] += sum;
    } else {
      backwardWeight_wBar[wBar] = sum;
    }
  }
}
