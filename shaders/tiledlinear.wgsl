// Forward pass and gradient of the inputs of linear.wgsl as matrix products in tiles:
//
//   forward         [images] x [outputs], over inputs
//   backwardInput   [images] x [inputs], over outputs
//
// with: tiles

override P: u32;
override N: u32;
override I: u32;
override O: u32;
override HAS_x2: bool = false;
override HAS_w2: bool = false;
override HAS_yBar2: bool = false;
override HAS_b: bool = false;
override ACCUMULATE: bool = false;

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

// workgroups: P * ceil(N / (4 * ROWS * LY)) * ceil(O / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tileOf(group.y * groups.x + group.x, N, O);
  let p = tile.z;
  if (p >= P) {
    return;
  }
  let rows = fourFrom(tile.x + lane / DEPTH, A_SLOTS);
  let toX2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  let half = (I + DEPTH - 1u) / DEPTH;
  let steps = select(half, 2u * half, HAS_x2 && HAS_w2);
  var nextA: array<vec4f, 4>;
  var nextB: array<vec4f, 4>;
  var sums: Sums;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
      let second = step >= half;
      let i = (step - select(0u, half, second)) * DEPTH + lane % DEPTH;
      for (var l = 0u; l < A_LOADS; l++) {
        let images = rows + l * (LANES / DEPTH);
        let inA = (images < vec4u(N)) & vec4<bool>(i < I);
        nextA[l] = forwardX(at(0u, p) + images * I + i + select(0u, toX2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let columns = fourFrom(tile.y + lane / DEPTH + l * (LANES / DEPTH), B_SLOTS);
        let inB = (columns < vec4u(O)) & vec4<bool>(i < I);
        nextB[l] = forwardW(at(1u, p) + columns * I + i + select(0u, toW2, second), inB, second);
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
    storeOutputs(p, row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeOutputs(p, row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeOutputs(p, row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeOutputs(p, row + LY, column + LX, sum[3]);
      }
    }
  }
}

fn storeOutputs(p: u32, row: u32, column: u32, values: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    let down = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      let along = column + j * B_SLOTS;
      if (down < N && along < O) {
        let place = at(5u, p) + down * O + along;
        var value = values[i][j];
        if (HAS_b) {
          value += forward_b[at(4u, p) + along];
        }
        if (ACCUMULATE) {
          value += forward_y[place];
        }
        forward_y[place] = stored(p, down * O + along, value);
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

// workgroups: P * ceil(N / (4 * ROWS * LY)) * ceil(I / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn backwardInput(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tileOf(group.y * groups.x + group.x, N, I);
  let p = tile.z;
  if (p >= P) {
    return;
  }
  let rows = fourFrom(tile.x + lane / DEPTH, A_SLOTS);
  let columns = fourFrom(tile.y + lane % B_SLOTS, B_SLOTS);
  let toY2 = at(2u, p) - at(0u, p);
  let toW2 = at(3u, p) - at(1u, p);
  let half = (O + DEPTH - 1u) / DEPTH;
  let steps = select(half, 2u * half, HAS_yBar2 && HAS_w2);
  var nextA: array<vec4f, 4>;
  var nextB: array<vec4f, 4>;
  var sums: Sums;
  for (var step = 0u; step <= steps; step++) {
    if (step < steps) {
      let second = step >= half;
      let start = (step - select(0u, half, second)) * DEPTH;
      let o = start + lane % DEPTH;
      for (var l = 0u; l < A_LOADS; l++) {
        let images = rows + l * (LANES / DEPTH);
        let inA = (images < vec4u(N)) & vec4<bool>(o < O);
        nextA[l] = backwardInputY(at(0u, p) + images * O + o + select(0u, toY2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let k = start + lane / B_SLOTS + l * (LANES / B_SLOTS);
        let inB = (columns < vec4u(I)) & vec4<bool>(k < O);
        nextB[l] = backwardInputW(at(1u, p) + k * I + columns + select(0u, toW2, second), inB, second);
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
    storeInputs(p, row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeInputs(p, row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeInputs(p, row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeInputs(p, row + LY, column + LX, sum[3]);
      }
    }
  }
}

fn storeInputs(p: u32, row: u32, column: u32, values: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    let down = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      let along = column + j * B_SLOTS;
      if (down < N && along < I) {
        let place = at(4u, p) + down * I + along;
        var value = values[i][j];
        if (ACCUMULATE) {
          value += backwardInput_xBar[place];
        }
        backwardInput_xBar[place] = stored(p, down * I + along, value);
      }
    }
  }
}
