// Gradient of a bias: bBar[c] = sum over n and s of yBar[n, c, s].
//
// yBar[N, C, S]: (n * C + c) * S + s     bBar[C]     several SETS of both lie one behind the other

override P: u32;
override N: u32;
override C: u32;
override S: u32;
override ACCUMULATE: bool = false;
override SETS: u32 = 1u;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

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

@group(0) @binding(1) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(2) var<storage, read_write> backward_bBar: array<f32>;

// terms: N * S
// workgroups: P * SETS * C
@compute @workgroup_size(LANES)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * SETS * C) {
    return;
  }
  let c = index % C;
  let which = (index / C) % SETS;
  let p = index / (C * SETS);
  let yBar = at(0u, p) + which * (N * C * S);
  var own = 0.0;
  for (var start = lane; start < N * S; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, N * S); i += LANES) {
      block += backward_yBar[yBar + ((i / S) * C + c) * S + i % S];
    }
    own += block;
  }
  let sum = sumOfLanes(lane, own);
  if (lane == 0u) {
    let bBar = at(1u, p) + which * C + c;
    if (ACCUMULATE) {
      backward_bBar[bBar] += sum;
    } else {
      backward_bBar[bBar] = sum;
    }
  }
}
