// The states of several draws in succession: row t of states[count, 4] is state[4] with its draw, word 2, raised by t.

override P: u32;
override count: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> following_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> following_states: array<u32>;

// invocations: P * count
@compute @workgroup_size(64)
fn following(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * count) {
    return;
  }
  let t = index % count;
  let state = at(0u, 0u);
  let row = at(1u, index / count) + 4u * t;
  for (var i = 0u; i < 4u; i++) {
    following_states[row + i] = following_state[state + i];
  }
  following_states[row + 2u] += t;
}
