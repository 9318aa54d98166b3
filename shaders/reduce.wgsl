// Sums in a fixed order. a, b, x [M], out [1]; members: x [M] of every member, out [M].

override P: u32;
override M: u32;
override factor: f32;
override HAS_scale: bool = false;
override ACCUMULATE: bool = false;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
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

@group(0) @binding(1) var<storage, read> dot_a: array<f32>;
@group(0) @binding(2) var<storage, read> dot_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> dot_out: array<f32>;

// out = sum of a[i] * b[i]
// terms: M
// workgroups: P
@compute @workgroup_size(LANES)
fn dot(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= P) {
    return;
  }
  let a = at(0u, p);
  let b = at(1u, p);
  var own = 0.0;
  for (var start = lane; start < M; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, M); i += LANES) {
      block += dot_a[a + i] * dot_b[b + i];
    }
    own += block;
  }
  let total = sumOfLanes(lane, own);
  if (lane == 0u) {
    let out = at(2u, p);
    if (ACCUMULATE) {
      dot_out[out] += total;
    } else {
      dot_out[out] = total;
    }
  }
}

@group(0) @binding(1) var<storage, read> sum_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum_out: array<f32>;

// out = factor * sum of x[i]
// terms: M
// workgroups: P
@compute @workgroup_size(LANES)
fn sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= P) {
    return;
  }
  let x = at(0u, p);
  var own = 0.0;
  for (var start = lane; start < M; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, M); i += LANES) {
      block += sum_x[x + i];
    }
    own += block;
  }
  let total = factor * sumOfLanes(lane, own);
  if (lane == 0u) {
    let out = at(1u, p);
    if (ACCUMULATE) {
      sum_out[out] += total;
    } else {
      sum_out[out] = total;
    }
  }
}

@group(0) @binding(1) var<storage, read> members_x: array<f32>;
@group(0) @binding(2) var<storage, read> members_scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> members_out: array<f32>;

// out[i] = factor * scale * sum over members of x[i]
// invocations: M
@compute @workgroup_size(64)
fn members(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear(id, groups);
  if (i >= M) {
    return;
  }
  var total = 0.0;
  for (var start = 0u; start < P; start += BLOCK) {
    var block = 0.0;
    for (var p = start; p < min(start + BLOCK, P); p++) {
      block += members_x[at(0u, p) + i];
    }
    total += block;
  }
  var by = factor;
  if (HAS_scale) {
    by *= members_scale[at(1u, 0u)];
  }
  let out = at(2u, 0u) + i;
  if (ACCUMULATE) {
    members_out[out] += by * total;
  } else {
    members_out[out] = by * total;
  }
}
