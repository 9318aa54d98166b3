// A factor for every column, and products of columns.
//
//   scale             out[r, l] = gain[l] x[r, l]
//   dot               out[l] = sum over r of a[r, l] b[r, l]
//
// x, a, b [R, L]: r * L + l     gain [L]

override P: u32;
override R: u32;
override L: u32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> scale_x: array<f32>;
@group(0) @binding(2) var<storage, read> scale_gain: array<f32>;
@group(0) @binding(3) var<storage, read_write> scale_out: array<f32>;

// invocations: P * R * L
@compute @workgroup_size(64)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * R * L) {
    return;
  }
  let i = index % (R * L);
  let p = index / (R * L);
  scale_out[at(2u, p) + i] = scale_gain[at(1u, p) + i % L] * scale_x[at(0u, p) + i];
}

@group(0) @binding(1) var<storage, read> dot_a: array<f32>;
@group(0) @binding(2) var<storage, read> dot_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> dot_out: array<f32>;

// invocations: P * L
@compute @workgroup_size(64)
fn dot(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * L) {
    return;
  }
  let l = index % L;
  let p = index / L;
  var total = 0.0;
  for (var start = 0u; start < R; start += BLOCK) {
    var block = 0.0;
    for (var r = start; r < min(start + BLOCK, R); r++) {
      block += dot_a[at(0u, p) + r * L + l] * dot_b[at(1u, p) + r * L + l];
    }
    total += block;
  }
  dot_out[at(2u, p) + l] = total;
}
