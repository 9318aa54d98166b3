// Sums over a workgroup for all of its lanes: joined to each module that says so by scripts/generate.mjs. Where a device has
// subgroups, with/subgroups.wgsl replaces the function.

override SIDE: u32 = 8u; // more for long sums: see "terms" above the entry points
override LANES: u32 = SIDE * SIDE;

var<workgroup> partials: array<vec4f, LANES>;
var<workgroup> whole: vec4f;

// The sums over all lanes, in a fixed order, for every lane; four at once.
fn sumForLanes(lane: u32, own: vec4f) -> vec4f {
  partials[lane] = own;
  workgroupBarrier();
  if (lane < SIDE) {
    var sum = vec4f();
    for (var i = lane; i < LANES; i += SIDE) {
      sum += partials[i];
    }
    partials[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var sum = vec4f();
    for (var i = 0u; i < SIDE; i++) {
      sum += partials[i];
    }
    whole = sum;
  }
  return workgroupUniformLoad(&whole);
}
