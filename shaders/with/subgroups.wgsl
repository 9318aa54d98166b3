// Sums over a workgroup by subgroup operations: replaces the functions of the same names. They take one barrier and
// at most LANES / SUBGROUP numbers of workgroup memory, or neither where a subgroup holds all lanes.

enable subgroups;

const SUBGROUP = 4u; // of the device
override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;

var<workgroup> partials: array<f32, LANES>;
var<workgroup> quads: array<vec4f, LANES>;

// The sum over all lanes, in a fixed order; only lane 0 gets it.
fn sumOfLanes(lane: u32, own: f32) -> f32 {
  var sum = subgroupAdd(own);
  if (LANES > SUBGROUP) {
    let size = subgroupAdd(1u);
    if (lane % size == 0u) {
      partials[lane / size] = sum;
    }
    workgroupBarrier();
    sum = 0.0;
    if (lane == 0u) {
      for (var i = 0u; i < LANES / size; i++) {
        sum += partials[i];
      }
    }
  }
  return sum;
}

// The sums over all lanes, in a fixed order, for every lane; four at once.
fn sumForLanes(lane: u32, own: vec4f) -> vec4f {
  var sum = subgroupAdd(own);
  if (LANES > SUBGROUP) {
    let size = subgroupAdd(1u);
    workgroupBarrier(); // everyone has read the sums before
    if (lane % size == 0u) {
      quads[lane / size] = sum;
    }
    workgroupBarrier();
    sum = vec4f();
    for (var i = 0u; i < LANES / size; i++) {
      sum += quads[i];
    }
  }
  return sum;
}
