// Rows brought to one length, and the way back.
//
//   forward           y = length x / |x|
//   backward          xBar = length (yBar - x (x yBar) / |x|^2) / |x|
//
// x, y, yBar, xBar [R, L]: r * L + l. A row of zeros stays one.
// with: lanes

override P: u32;
override R: u32;
override L: u32;
override length: f32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// A workgroup has a row.
// terms: L
// workgroups: P * R
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * R) {
    return;
  }
  let x = at(0u, index / R) + index % R * L;
  var own = 0.0;
  for (var start = lane; start < L; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, L); i += LANES) {
      block += forward_x[x + i] * forward_x[x + i];
    }
    own += block;
  }
  let squared = sumForLanes(lane, vec4f(own, 0.0, 0.0, 0.0)).x;
  var by = 0.0;
  if (squared != 0.0) {
    by = length / sqrt(squared);
  }
  let y = at(1u, index / R) + index % R * L;
  for (var i = lane; i < L; i += LANES) {
    forward_y[y + i] = by * forward_x[x + i];
  }
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_xBar: array<f32>;

// A workgroup has a row.
// terms: L
// workgroups: P * R
@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * R) {
    return;
  }
  let x = at(0u, index / R) + index % R * L;
  let yBar = at(1u, index / R) + index % R * L;
  var own = vec2f();
  for (var start = lane; start < L; start += LANES * BLOCK) {
    var block = vec2f();
    for (var i = start; i < min(start + LANES * BLOCK, L); i += LANES) {
      block += backward_x[x + i] * vec2f(backward_x[x + i], backward_yBar[yBar + i]);
    }
    own += block;
  }
  let sums = sumForLanes(lane, vec4f(own, 0.0, 0.0));
  var by = 0.0;
  var along = 0.0;
  if (sums.x != 0.0) {
    by = length / sqrt(sums.x);
    along = sums.y / sums.x;
  }
  let xBar = at(2u, index / R) + index % R * L;
  for (var i = lane; i < L; i += LANES) {
    backward_xBar[xBar + i] = by * (backward_yBar[yBar + i] - along * backward_x[x + i]);
  }
}
