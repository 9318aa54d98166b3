// Gradient of the weights of conv2d.wgsl as a matrix product in tiles:
//
//   [channels of y in a group] x [(channel of x, kernel position)], over the pixels of y of all images
//
// There are few weights and many pixels, so the sum is cut into SPLIT pieces: each is written to a place of its own,
// one whole wBar behind the other, and `pieces.sum` adds them up.
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
override SPLIT: u32;
override HAS_x2: bool = false;
override HAS_yBar2: bool = false;
override ACCUMULATE: bool = false;
override BIAS: u32 = 0u; // 1: behind the gradient of the weights stands that of the bias

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> backwardWeight_x: array<f32>;
@group(0) @binding(2) var<storage, read> backwardWeight_yBar: array<f32>;
@group(0) @binding(3) var<storage, read> backwardWeight_x2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardWeight_yBar2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardWeight_wBar: array<f32>;

// Four elements, 0 for those that are not inside.
fn backwardWeightX(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_x2 && second) {
    return select(vec4f(), vec4f(backwardWeight_x2[i.x], backwardWeight_x2[i.y], backwardWeight_x2[i.z], backwardWeight_x2[i.w]), inside);
  }
  return select(vec4f(), vec4f(backwardWeight_x[i.x], backwardWeight_x[i.y], backwardWeight_x[i.z], backwardWeight_x[i.w]), inside);
}

fn backwardWeightY(place: vec4u, inside: vec4<bool>, second: bool) -> vec4f {
  let i = select(vec4u(), place, inside);
  if (HAS_yBar2 && second) {
    let four = vec4f(
      backwardWeight_yBar2[i.x], backwardWeight_yBar2[i.y], backwardWeight_yBar2[i.z], backwardWeight_yBar2[i.w],
    );
    return select(vec4f(), four, inside);
  }
  let four = vec4f(
    backwardWeight_yBar[i.x], backwardWeight_yBar[i.y], backwardWeight_yBar[i.z], backwardWeight_yBar[i.w],
  );
  return select(vec4f(), four, inside);
}

// The bias of a channel is its last weight, of a pixel that is always 1.
// workgroups: P * SPLIT * G * ceil(OC / G / (4 * ROWS * LY)) * ceil((C / G * KH * KW + BIAS) / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn backwardWeight(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let across = C / G * KH * KW;
  let tile = tileOf(group.y * groups.x + group.x, OC / G, across + BIAS);
  let g = tile.z % G;
  let piece = tile.z / G % SPLIT;
  let p = tile.z / (G * SPLIT);
  if (p >= P) {
    return;
  }
  let all = (N * OH * OW + DEPTH - 1u) / DEPTH;
  let first = min(piece * ((all + SPLIT - 1u) / SPLIT), all);
  // Lanes load along the pixels of both.
  let rows = fourFrom(tile.x + lane / DEPTH, A_SLOTS);
  let x = at(0u, p) + g * (C / G) * (H * W);
  let yBar = at(1u, p) + (g * (OC / G) + rows) * (OH * OW);
  let toX2 = at(2u, p) - at(0u, p);
  let toY2 = at(3u, p) - at(1u, p);
  let half = min((all + SPLIT - 1u) / SPLIT, all - first);
  let steps = select(half, 2u * half, HAS_x2 && HAS_yBar2);
  var nextA: array<vec4f, 4>;
  var nextB: array<vec4f, 4>;
  var sums: Sums;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
      let second = step >= half;
      let pixel = (first + step - select(0u, half, second)) * DEPTH + lane % DEPTH;
      let n = pixel / (OH * OW);
      let top = pixel % (OH * OW) / OW * stride - padding;
      let left = pixel % OW * stride - padding;
      let place = yBar + n * OC * (OH * OW) + pixel % (OH * OW);
      for (var l = 0u; l < A_LOADS; l++) {
        let row = l * (LANES / DEPTH);
        let inA = (rows + row < vec4u(OC / G)) & vec4<bool>(pixel < N * OH * OW);
        nextA[l] = backwardWeightY(place + row * (OH * OW) + select(0u, toY2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let columns = fourFrom(tile.y + lane / DEPTH + l * (LANES / DEPTH), B_SLOTS);
        let h = columns / KW % KH * dilation + top;
        let column = columns % KW * dilation + left;
        let inX = (h < vec4u(H)) & (column < vec4u(W));
        let inB = inX & (columns < vec4u(across)) & vec4<bool>(pixel < N * OH * OW);
        let pixels = x + (n * C + columns / (KH * KW)) * (H * W) + h * W + column;
        nextB[l] = backwardWeightX(pixels + select(0u, toX2, second), inB, second);
        if (BIAS > 0u && pixel < N * OH * OW && !second) {
          nextB[l] = select(nextB[l], vec4f(1.0), columns == vec4u(across));
        }
      }
    }
    if (step > 0u) {
      multiply(lane, &sums);
    }
    ready(lane, &sums, &nextA, &nextB);
    putLoads(lane, 0u, A_SLOTS, A_LOADS, true, &nextA);
    putLoads(lane, B_FIRST, B_SLOTS, B_LOADS, true, &nextB);
    workgroupBarrier();
  }
  let sum = finish(lane, &sums);
  if (lane < LX * LY) {
    let row = tile.x + lane / LX;
    let column = tile.y + lane % LX;
    storeKernels(at(4u, p) + piece * OC * (across + BIAS), g * (OC / G), row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeKernels(at(4u, p) + piece * OC * (across + BIAS), g * (OC / G), row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeKernels(at(4u, p) + piece * OC * (across + BIAS), g * (OC / G), row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeKernels(at(4u, p) + piece * OC * (across + BIAS), g * (OC / G), row + LY, column + LX, sum[3]);
      }
    }
  }
}

// The gradients of the biases stand behind those of all weights; `first` is the first channel of the group.
fn storeKernels(wBar: u32, first: u32, row: u32, column: u32, values: mat4x4f) {
  let across = C / G * KH * KW;
  for (var i = 0u; i < 4u; i++) {
    let oc = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      let weight = column + j * B_SLOTS;
      if (oc < OC / G && weight < across + BIAS) {
        let ofBias = BIAS > 0u && weight == across;
        let place = wBar + select((first + oc) * across + weight, OC * across + first + oc, ofBias);
        var value = values[i][j];
        if (ACCUMULATE) {
          value += backwardWeight_wBar[place];
        }
        backwardWeight_wBar[place] = value;
      }
    }
  }
}
