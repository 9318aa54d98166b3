// Forward pass and gradient of the images of conv2d.wgsl as matrix products in tiles, for shapes that fill them:
//
//   forward         [channels of y in a group] x [pixels of y of all images], over (channel of x, kernel position)
//   backwardInput   [channels of x in a group] x [pixels of x of all images], over (channel of y, kernel position)
//
// Lanes load the vectors of the next tile while the terms of the present one are multiplied.
//
// with: tiles

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

const FAR = 0x40000000u; // outside of every map and kernel

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
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

// Four elements, 0 for those that are not inside.
fn forwardX(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_x2 && second) {
    return select(vec4f(), vec4f(forward_x2[i.x], forward_x2[i.y], forward_x2[i.z], forward_x2[i.w]), inside);
  }
  return select(vec4f(), vec4f(forward_x[i.x], forward_x[i.y], forward_x[i.z], forward_x[i.w]), inside);
}

fn forwardW(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_w2 && second) {
    return select(vec4f(), vec4f(forward_w2[i.x], forward_w2[i.y], forward_w2[i.z], forward_w2[i.w]), inside);
  }
  return select(vec4f(), vec4f(forward_w[i.x], forward_w[i.y], forward_w[i.z], forward_w[i.w]), inside);
}

// workgroups: P * G * ceil(OC / G / (4 * ROWS * LY)) * ceil(N * OH * OW / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let terms = C / G * KH * KW;
  let tile = tileOf(group.y * groups.x + group.x, OC / G, N * OH * OW);
  let g = tile.z % G;
  let p = tile.z / G;
  if (p >= P) {
    return;
  }
  // Lanes load along the terms of w, which are neighbours there, and along the pixels of x.
  let rows = fourFrom(tile.x + lane / DEPTH, A_SLOTS);
  let columns = fourFrom(tile.y + lane % B_SLOTS, B_SLOTS);
  let w = at(1u, p) + (g * (OC / G) + rows) * terms;
  let h = columns % (OH * OW) / OW * stride - padding;
  let left = columns % OW * stride - padding;
  let top = select(vec4u(FAR), h, columns < vec4u(N * OH * OW));
  let x = at(0u, p) + (columns / (OH * OW) * C + g * (C / G)) * (H * W) + h * W + left;
  let toX2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  let half = (terms + DEPTH - 1u) / DEPTH;
  let steps = select(half, 2u * half, HAS_x2 && HAS_w2);
  var nextA: array<vec4f, 4>;
  var nextB: array<vec4f, 4>;
  var sums: Sums;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
      let second = step >= half;
      let start = (step - select(0u, half, second)) * DEPTH;
      let term = start + lane % DEPTH;
      for (var l = 0u; l < A_LOADS; l++) {
        let row = l * (LANES / DEPTH);
        let inA = (rows + row < vec4u(OC / G)) & vec4<bool>(term < terms);
        nextA[l] = forwardW(w + row * terms + term + select(0u, toW2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let k = start + lane / B_SLOTS + l * (LANES / B_SLOTS);
        let down = k / KW % KH * dilation;
        let along = k % KW * dilation;
        let inB = (top + down < vec4u(H)) & (left + along < vec4u(W)) & vec4<bool>(k < terms);
        let place = x + k / (KH * KW) * (H * W) + down * W + along;
        nextB[l] = forwardX(place + select(0u, toX2, second), inB, second);
      }
    }
    if (step > 0u) {
      multiply(lane, &sums);
    }
    ready(lane, &sums, &nextA, &nextB);
    putLoads(lane, 0u, A_SLOTS, A_LOADS, true, &nextA);
    putLoads(lane, B_FIRST, B_SLOTS, B_LOADS, false, &nextB);
    workgroupBarrier();
  }
  let sum = finish(lane, &sums);
  if (lane < LX * LY) {
    let row = tile.x + lane / LX;
    let column = tile.y + lane % LX;
    storeMaps(p, g, row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeMaps(p, g, row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeMaps(p, g, row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeMaps(p, g, row + LY, column + LX, sum[3]);
      }
    }
  }
}

fn storeMaps(p: u32, g: u32, row: u32, column: u32, values: mat4x4f) {
  let columns = fourFrom(column, B_SLOTS);
  let y = at(5u, p) + (columns / (OH * OW) * OC + g * (OC / G)) * (OH * OW) + columns % (OH * OW);
  for (var i = 0u; i < 4u; i++) {
    let oc = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      if (oc < OC / G && columns[j] < N * OH * OW) {
        let place = y[j] + oc * (OH * OW);
        var value = values[i][j];
        if (HAS_b) {
          value += forward_b[at(4u, p) + g * (OC / G) + oc];
        }
        if (ACCUMULATE) {
          value += forward_y[place];
        }
        forward_y[place] = stored(p, place - at(5u, p), value);
      }
    }
  }
}

@group(0) @binding(1) var<storage, read> backwardInput_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backwardInput_w: array<f32>;
@group(0) @binding(3) var<storage, read> backwardInput_yBar2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardInput_w2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardInput_xBar: array<f32>;

fn backwardInputY(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_yBar2 && second) {
    let four = vec4f(
      backwardInput_yBar2[i.x], backwardInput_yBar2[i.y], backwardInput_yBar2[i.z], backwardInput_yBar2[i.w],
    );
    return select(vec4f(), four, inside);
  }
  let four = vec4f(backwardInput_yBar[i.x], backwardInput_yBar[i.y], backwardInput_yBar[i.z], backwardInput_yBar[i.w]);
  return select(vec4f(), four, inside);
}

fn backwardInputW(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_w2 && second) {
    return select(vec4f(), vec4f(backwardInput_w2[i.x], backwardInput_w2[i.y], backwardInput_w2[i.z], backwardInput_w2[i.w]), inside);
  }
  return select(vec4f(), vec4f(backwardInput_w[i.x], backwardInput_w[i.y], backwardInput_w[i.z], backwardInput_w[i.w]), inside);
}

// The smallest kernel position that reaches padded position `position` modulo stride; past all kernels if none does.
fn tapOf(position: u32) -> u32 {
  for (var k = 0u; k < stride; k++) {
    if (k * dilation % stride == position % stride) {
      return k;
    }
  }
  return FAR;
}

// How far it is from one such kernel position to the next.
fn tapStep() -> u32 {
  var k = 1u;
  while (k * dilation % stride != 0u) {
    k++;
  }
  return k;
}

// Pixels of one position modulo stride see the same kernel positions: each of these phases is a product of its own.
// workgroups: P * G * stride * stride * ceil(C / G / (4 * ROWS * LY)) * ceil(N * ceil(H / stride) * ceil(W / stride) / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn backwardInput(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let high = (H + stride - 1u) / stride; // pixels of a phase
  let wide = (W + stride - 1u) / stride;
  let tile = tileOf(group.y * groups.x + group.x, C / G, N * high * wide);
  let phase = vec2u(tile.z / stride, tile.z) % stride;
  let g = tile.z / (stride * stride) % G;
  let p = tile.z / (stride * stride * G);
  if (p >= P) {
    return;
  }
  let tap = vec2u(tapOf(phase.x + padding), tapOf(phase.y + padding));
  let next = tapStep();
  let taps = select(vec2u(), (vec2u(KH, KW) - tap + next - 1u) / next, tap < vec2u(KH, KW));
  let all = taps.x * taps.y; // no division by 0: then there are no terms
  let terms = OC / G * all;
  // The output pixel that the first of them leads from to the first pixel of the phase; it may lie outside.
  let lead = bitcast<vec2u>(vec2i(phase + padding - tap * dilation) / i32(stride));
  let back = next * dilation / stride; // output pixels from one of them to the next
  let rows = fourFrom(tile.x + lane / DEPTH, A_SLOTS);
  let columns = fourFrom(tile.y + lane % B_SLOTS, B_SLOTS);
  let w = at(1u, p) + (g * (OC / G) * (C / G) + rows) * (KH * KW);
  let down = columns % (high * wide) / wide;
  let along = columns % wide;
  let inside = (down * stride + phase.x < vec4u(H)) & (along * stride + phase.y < vec4u(W));
  let bottom = select(vec4u(FAR), down + lead.x, inside & (columns < vec4u(N * high * wide)));
  let right = along + lead.y;
  let yBar = at(0u, p) + (columns / (high * wide) * OC + g * (OC / G)) * (OH * OW);
  let toY2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  let half = (terms + DEPTH - 1u) / DEPTH;
  let steps = select(half, 2u * half, HAS_yBar2 && HAS_w2);
  var nextA: array<vec4f, 4>;
  var nextB: array<vec4f, 4>;
  var sums: Sums;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
      let second = step >= half;
      let start = (step - select(0u, half, second)) * DEPTH;
      let term = start + lane % DEPTH;
      let kh = tap.x + term % all / taps.y * next;
      let kw = tap.y + term % taps.y * next;
      let weight = w + term / all * (C / G * KH * KW) + kh * KW + kw;
      for (var l = 0u; l < A_LOADS; l++) {
        let row = l * (LANES / DEPTH);
        let inA = (rows + row < vec4u(C / G)) & vec4<bool>(term < terms);
        nextA[l] = backwardInputW(weight + row * (KH * KW) + select(0u, toW2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let k = start + lane / B_SLOTS + l * (LANES / B_SLOTS);
        let oh = bottom - k % all / taps.y * back;
        let ow = right - k % taps.y * back;
        let inB = (oh < vec4u(OH)) & (ow < vec4u(OW)) & vec4<bool>(k < terms);
        let place = yBar + (k / all * OH + oh) * OW + ow;
        nextB[l] = backwardInputY(place + select(0u, toY2, second), inB, second);
      }
    }
    if (step > 0u) {
      multiply(lane, &sums);
    }
    ready(lane, &sums, &nextA, &nextB);
    putLoads(lane, 0u, A_SLOTS, A_LOADS, true, &nextA);
    putLoads(lane, B_FIRST, B_SLOTS, B_LOADS, false, &nextB);
    workgroupBarrier();
  }
  let sum = finish(lane, &sums);
  if (lane < LX * LY) {
    let row = tile.x + lane / LX;
    let column = tile.y + lane % LX;
    storeImages(p, g, phase, row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeImages(p, g, phase, row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeImages(p, g, phase, row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeImages(p, g, phase, row + LY, column + LX, sum[3]);
      }
    }
  }
}

fn storeImages(p: u32, g: u32, phase: vec2u, row: u32, column: u32, values: mat4x4f) {
  let high = (H + stride - 1u) / stride;
  let wide = (W + stride - 1u) / stride;
  let columns = fourFrom(column, B_SLOTS);
  let h = columns % (high * wide) / wide * stride + phase.x;
  let along = columns % wide * stride + phase.y;
  let xBar = at(4u, p) + (columns / (high * wide) * C + g * (C / G)) * (H * W) + h * W + along;
  let inside = (columns < vec4u(N * high * wide)) & (h < vec4u(H)) & (along < vec4u(W));
  for (var i = 0u; i < 4u; i++) {
    let c = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      if (c < C / G && inside[j]) {
        let place = xBar[j] + c * (H * W);
        if (ACCUMULATE) {
          backwardInput_xBar[place] += values[i][j];
        } else {
          backwardInput_xBar[place] = stored(p, place - at(4u, p), values[i][j]);
        }
      }
    }
  }
}
