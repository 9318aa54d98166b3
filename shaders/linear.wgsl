// Fully connected layer, bilinear in (x, w): y[n, o] = b[o] + sum over i of x[n, i] * w[o, i]. A second pair of factors
// (x2, w2 and so on, of the same shapes) is added up beside the first, product by product.
//
// x[N, I]: n * I + i     w[O, I]: o * I + i     b[O]     y[N, O]: n * O + o

override P: u32;
override N: u32;
override I: u32;
override O: u32;
override HAS_x2: bool = false;
override HAS_w2: bool = false;
override HAS_yBar2: bool = false;
override HAS_b: bool = false;
override ACCUMULATE: bool = false;
override BIAS: u32 = 0u; // 1: behind the gradient of the weights stands that of the bias

const BLOCK = 64u; // terms added up before they join the running sum

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
@group(0) @binding(2) var<storage, read> forward_w: array<f32>;
@group(0) @binding(3) var<storage, read> forward_x2: array<f32>;
@group(0) @binding(4) var<storage, read> forward_w2: array<f32>;
@group(0) @binding(5) var<storage, read> forward_b: array<f32>;
@group(0) @binding(6) var<storage, read_write> forward_y: array<f32>;

// invocations: P * N * O
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * O) {
    return;
  }
  let o = index % O;
  let n = (index / O) % N;
  let p = index / (O * N);
  let x = at(0u, p) + n * I;
  let w = at(1u, p) + o * I;
  let x2 = at(2u, p) + n * I;
  let w2 = at(3u, p) + o * I;
  var sum = 0.0;
  for (var start = 0u; start < I; start += BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + BLOCK, I); i++) {
      block += forward_x[x + i] * forward_w[w + i];
      if (HAS_x2 && HAS_w2) {
        block += forward_x2[x2 + i] * forward_w2[w2 + i];
      }
    }
    sum += block;
  }
  if (HAS_b) {
    sum += forward_b[at(4u, p) + o];
  }
  let y = at(5u, p) + n * O + o;
  if (ACCUMULATE) {
    forward_y[y] += sum;
  } else {
    forward_y[y] = stored(p, n * O + o, sum);
  }
}

@group(0) @binding(1) var<storage, read> backwardInput_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backwardInput_w: array<f32>;
@group(0) @binding(3) var<storage, read> backwardInput_yBar2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardInput_w2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardInput_xBar: array<f32>;

// invocations: P * N * I
@compute @workgroup_size(64)
fn backwardInput(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * I) {
    return;
  }
  let i = index % I;
  let n = (index / I) % N;
  let p = index / (I * N);
  let yBar = at(0u, p) + n * O;
  let w = at(1u, p) + i;
  let yBar2 = at(2u, p) + n * O;
  let w2 = at(3u, p) + i;
  var sum = 0.0;
  for (var start = 0u; start < O; start += BLOCK) {
    var block = 0.0;
    for (var o = start; o < min(start + BLOCK, O); o++) {
      block += backwardInput_yBar[yBar + o] * backwardInput_w[w + o * I];
      if (HAS_yBar2 && HAS_w2) {
        block += backwardInput_yBar2[yBar2 + o] * backwardInput_w2[w2 + o * I];
      }
    }
    sum += block;
  }
  let xBar = at(4u, p) + n * I + i;
  if (ACCUMULATE) {
    backwardInput_xBar[xBar] += sum;
  } else {
    backwardInput_xBar[xBar] = stored(p, n * I + i, sum);
  }
}

@group(0) @binding(1) var<storage, read> backwardWeight_x: array<f32>;
@group(0) @binding(2) var<storage, read> backwardWeight_yBar: array<f32>;
@group(0) @binding(3) var<storage, read> backwardWeight_x2: array<f32>;
@group(0) @binding(4) var<storage, read> backwardWeight_yBar2: array<f32>;
@group(0) @binding(5) var<storage, read_write> backwardWeight_wBar: array<f32>;

// A bias is the weight of an input I that is always 1; its gradient stands behind those of all weights.
// invocations: P * O * (I + BIAS)
@compute @workgroup_size(64)
fn backwardWeight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  let inputs = I + BIAS;
  if (index >= P * O * inputs) {
    return;
  }
  let i = index % inputs;
  let o = (index / inputs) % O;
  let p = index / (inputs * O);
  let ofBias = BIAS > 0u && i == I;
  let x = at(0u, p) + i;
  let yBar = at(1u, p) + o;
  let x2 = at(2u, p) + i;
  let yBar2 = at(3u, p) + o;
  var sum = 0.0;
  for (var start = 0u; start < N; start += BLOCK) {
    var block = 0.0;
    for (var n = start; n < min(start + BLOCK, N); n++) {
      if (ofBias) {
        block += backwardWeight_yBar[yBar + n * O];
        continue;
      }
      block += backwardWeight_yBar[yBar + n * O] * backwardWeight_x[x + n * I];
      if (HAS_x2 && HAS_yBar2) {
        block += backwardWeight_yBar2[yBar2 + n * O] * backwardWeight_x2[x2 + n * I];
      }
    }
    sum += block;
  }
  let wBar = at(4u, p) + select(o * I + i, O * I + o, ofBias);
  if (ACCUMULATE) {
    backwardWeight_wBar[wBar] += sum;
  } else {
    backwardWeight_wBar[wBar] = sum;
  }
}
