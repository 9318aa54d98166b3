// Gradient of the weights of linear.wgsl as a matrix product in tiles: [outputs] x [inputs], over images,
// in SPLIT pieces as in tiledconv2dweight.wgsl.
//
// with: tiles

override P: u32;
override N: u32;
override I: u32;
override O: u32;
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

// The bias is the weight of an input I that is always 1.
// workgroups: P * SPLIT * ceil(O / (4 * ROWS * LY)) * ceil((I + BIAS) / (4 * COLUMNS * LX))
@compute @workgroup_size(LANES)
fn backwardWeight(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tile = tileOf(group.y * groups.x + group.x, O, I + BIAS);
  let piece = tile.z % SPLIT;
  let p = tile.z / SPLIT;
  if (p >= P) {
    return;
  }
  let all = (N + DEPTH - 1u) / DEPTH;
  let first = min(piece * ((all + SPLIT - 1u) / SPLIT), all);
  let rows = fourFrom(tile.x + lane % A_SLOTS, A_SLOTS);
  let columns = fourFrom(tile.y + lane % B_SLOTS, B_SLOTS);
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
      let start = (first + step - select(0u, half, second)) * DEPTH;
      for (var l = 0u; l < A_LOADS; l++) {
        let n = start + lane / A_SLOTS + l * (LANES / A_SLOTS);
        let inA = (rows < vec4u(O)) & vec4<bool>(n < N);
        nextA[l] = backwardWeightY(at(1u, p) + n * O + rows + select(0u, toY2, second), inA, second);
      }
      for (var l = 0u; l < B_LOADS; l++) {
        let k = start + lane / B_SLOTS + l * (LANES / B_SLOTS);
        let inB = (columns < vec4u(I)) & vec4<bool>(k < N);
        nextB[l] = backwardWeightX(at(0u, p) + k * I + columns + select(0u, toX2, second), inB, second);
        if (BIAS > 0u && k < N && !second) {
          nextB[l] = select(nextB[l], vec4f(1.0), columns == vec4u(I));
        }
      }
    }
    if (step > 0u) {
      multiply(lane, &sums);
    }
    ready(lane, &sums, &nextA, &nextB);
    putLoads(lane, 0u, A_SLOTS, A_LOADS, false, &nextA);
    putLoads(lane, B_FIRST, B_SLOTS, B_LOADS, false, &nextB);
    workgroupBarrier();
  }
  let sum = finish(lane, &sums);
  if (lane < LX * LY) {
    let row = tile.x + lane / LX;
    let column = tile.y + lane % LX;
    storeWeights(at(4u, p) + piece * O * (I + BIAS), row, column, sum[0]);
    if (COLUMNS > 1u) {
      storeWeights(at(4u, p) + piece * O * (I + BIAS), row, column + LX, sum[1]);
    }
    if (ROWS > 1u) {
      storeWeights(at(4u, p) + piece * O * (I + BIAS), row + LY, column, sum[2]);
      if (COLUMNS > 1u) {
        storeWeights(at(4u, p) + piece * O * (I + BIAS), row + LY, column + LX, sum[3]);
      }
    }
  }
}

// The gradient of the bias stands behind those of all weights.
fn storeWeights(wBar: u32, row: u32, column: u32, values: mat4x4f) {
  for (var i = 0u; i < 4u; i++) {
    let down = row + i * A_SLOTS;
    for (var j = 0u; j < 4u; j++) {
      let along = column + j * B_SLOTS;
      if (down < O && along < I + BIAS) {
        let place = wBar + select(down * I + along, O * I + down, BIAS > 0u && along == I);
        var value = values[i][j];
        if (ACCUMULATE) {
          value += backwardWeight_wBar[place];
        }
        backwardWeight_wBar[place] = value;
      }
    }
  }
}
