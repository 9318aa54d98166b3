// Vectors made orthonormal in place, one after the other, times gain: element k of vector i is w[i next + k along]. A
// workgroup per member; a lane reads and writes the same elements of every vector, so that only sums pass between lanes.

override P: u32;
override vectors: u32;
override length: u32;
override next: u32;
override along: u32;
override gain: f32;

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

var<workgroup> total: f32;

// The same for every lane, call after call.
fn sumForEvery(lane: u32, own: f32) -> f32 {
  let sum = sumOfLanes(lane, own);
  if (lane == 0u) {
    total = sum;
  }
  workgroupBarrier();
  return total;
}

@group(0) @binding(1) var<storage, read_write> inPlace_w: array<f32>;

fn innerProduct(lane: u32, a: u32, b: u32) -> f32 {
  var own = 0.0;
  for (var start = lane; start < length; start += LANES * BLOCK) {
    var block = 0.0;
    for (var k = start; k < min(start + LANES * BLOCK, length); k += LANES) {
      block += inPlace_w[a + k * along] * inPlace_w[b + k * along];
    }
    own += block;
  }
  return sumForEvery(lane, own);
}

// terms: length
// workgroups: P
@compute @workgroup_size(LANES)
fn inPlace(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= P) {
    return;
  }
  let w = at(0u, p);
  for (var i = 0u; i < vectors; i++) {
    let own = w + i * next;
    for (var round = 0u; round < 2u * i; round++) {
      let other = w + (round % i) * next;
      let part = innerProduct(lane, own, other);
      for (var k = lane; k < length; k += LANES) {
        inPlace_w[own + k * along] -= part * inPlace_w[other + k * along];
      }
    }
    let norm = sqrt(innerProduct(lane, own, own));
    for (var k = lane; k < length; k += LANES) {
      inPlace_w[own + k * along] /= norm;
    }
  }
  for (var i = 0u; i < vectors; i++) {
    for (var k = lane; k < length; k += LANES) {
      inPlace_w[w + i * next + k * along] *= gain;
    }
  }
}
