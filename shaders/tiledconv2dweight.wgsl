// Gradient of the weights of conv2d.wgsl as a matrix product in tiles (see tiledconv2d.wgsl):
//
//   [channels of y in a group] x [(channel of x, kernel position)], over the pixels of y of all images
//
// There are few weights and many pixels, so the sum is cut into SPLIT pieces: each is written to a place of its own,
// one whole wBar behind the other, and `pieces.sum` adds them up.

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

override ROWS: u32; // blocks of a lane
override COLUMNS: u32;
override LX: u32; // lanes along a tile, and down
override LY: u32;
override SLICES: u32;
override DEPTH: u32;
override LANES: u32 = LX * LY * SLICES;
override A_SLOTS: u32 = ROWS * LY;
override B_SLOTS: u32 = COLUMNS * LX;
override B_FIRST: u32 = DEPTH * (A_SLOTS + 1u);
override A_LOADS: u32 = (DEPTH * A_SLOTS + LANES - 1u) / LANES; // vectors a lane loads for a tile, at most 4
override B_LOADS: u32 = (DEPTH * B_SLOTS + LANES - 1u) / LANES;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

var<workgroup> tiles: array<vec4f, DEPTH * (A_SLOTS + B_SLOTS + 2u)>;
alias Sums = array<mat4x4f, 4>; // what a lane adds up

fn fourFrom(first: u32, apart: u32) -> vec4u {
  return first + apart * vec4u(0u, 1u, 2u, 3u);
}

// First row and first column of tile `index`, and which matrix it is of. Tiles of the same columns are neighbours.
fn tileOf(index: u32, rows: u32, columns: u32) -> vec3u {
  let down = (rows + 4u * A_SLOTS - 1u) / (4u * A_SLOTS);
  let across = (columns + 4u * B_SLOTS - 1u) / (4u * B_SLOTS);
  return vec3u(index % down * (4u * A_SLOTS), index / down % across * (4u * B_SLOTS), index / (down * across));
}

// The numbers of the next tile are in registers, and the present one may go once all lanes are here.
fn ready(lane: u32, sums: ptr<function, Sums>, a: ptr<function, array<vec4f, 4>>, b: ptr<function, array<vec4f, 4>>) {
  workgroupBarrier();
}

fn put(first: u32, slots: u32, k: u32, slot: u32, value: vec4f) {
  if (k < DEPTH && slot < slots) {
    tiles[first + k * (slots + 1u) + slot] = value;
  }
}

fn outer(a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(a.x * b, a.y * b, a.z * b, a.w * b);
}

// Adds the products of the terms in the tile. `sums` has only constant indices, so that it stays in registers.
fn multiply(lane: u32, sums: ptr<function, Sums>) {
  let a = lane % (LX * LY) / LX;
  let b = B_FIRST + lane % LX;
  for (var i = 0u; i < DEPTH / SLICES; i++) {
    let k = i * SLICES + lane / (LX * LY);
    let a0 = tiles[a + k * (A_SLOTS + 1u)];
    let a1 = tiles[a + k * (A_SLOTS + 1u) + (ROWS - 1u) * LY];
    let b0 = tiles[b + k * (B_SLOTS + 1u)];
    let b1 = tiles[b + k * (B_SLOTS + 1u) + (COLUMNS - 1u) * LX];
    (*sums)[0] += outer(a0, b0);
    if (COLUMNS > 1u) {
      (*sums)[1] += outer(a0, b1);
    }
    if (ROWS > 1u) {
      (*sums)[2] += outer(a1, b0);
      if (COLUMNS > 1u) {
        (*sums)[3] += outer(a1, b1);
      }
    }
  }
}

// The elements of a lane's blocks: slices are added to the first one, in order. The tile is no longer needed.
fn finish(lane: u32, sums: ptr<function, Sums>) -> array<mat4x4f, 4> {
  let i = lane % (LX * LY);
  for (var slice = 1u; slice < SLICES; slice++) {
    workgroupBarrier();
    if (lane / (LX * LY) == slice) {
      for (var j = 0u; j < 4u; j++) {
        tiles[j * LX * LY + i] = (*sums)[0][j];
      }
    }
    workgroupBarrier();
    if (lane < LX * LY) {
      (*sums)[0] += mat4x4f(tiles[i], tiles[LX * LY + i], tiles[2u * LX * LY + i], tiles[3u * LX * LY + i]);
    }
  }
  return *sums;
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
    for (var l = 0u; l < A_LOADS; l++) {
      put(0u, A_SLOTS, lane % DEPTH, lane / DEPTH + l * (LANES / DEPTH), nextA[l]);
    }
    for (var l = 0u; l < B_LOADS; l++) {
      put(B_FIRST, B_SLOTS, lane % DEPTH, lane / DEPTH + l * (LANES / DEPTH), nextB[l]);
    }
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
