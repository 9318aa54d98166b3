// How far rows point from the rows of a target, and the gradient of that. With d = |x| |target| + epsilon:
//
//   match             losses[r] = 1 - x target / d,   xBar = -target / d + (x target) |target| / (d^2 |x|) x
//
// x, target, xBar [R, L]: r * L + l     losses [R]
// with: lanes

override P: u32;
override R: u32;
override L: u32;
override epsilon: f32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> match_x: array<f32>;
@group(0) @binding(2) var<storage, read> match_target: array<f32>;
@group(0) @binding(3) var<storage, read_write> match_losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> match_xBar: array<f32>;

// A workgroup has a row.
// terms: L
// workgroups: P * R
@compute @workgroup_size(LANES)
fn match_(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * R) {
    return;
  }
  let row = index % R;
  let p = index / R;
  let x = at(0u, p) + row * L;
  let t = at(1u, p) + row * L;
  var own = vec3f();
  for (var start = lane; start < L; start += LANES * BLOCK) {
    var block = vec3f();
    for (var i = start; i < min(start + LANES * BLOCK, L); i += LANES) {
      let pair = vec2f(match_x[x + i], match_target[t + i]);
      block += vec3f(pair * pair, pair.x * pair.y);
    }
    own += block;
  }
  let sums = sumForLanes(lane, vec4f(own, 0.0));
  let norms = sqrt(sums.xy);
  let d = norms.x * norms.y + epsilon;
  var byX = 0.0;
  if (norms.x > 0.0) {
    byX = sums.z / norms.x * (norms.y / d) / d;
  }
  if (lane == 0u) {
    match_losses[at(2u, p) + row] = 1.0 - sums.z / d;
  }
  let xBar = at(3u, p) + row * L;
  for (var i = lane; i < L; i += LANES) {
    match_xBar[xBar + i] = byX * match_x[x + i] - match_target[t + i] / d;
  }
}
