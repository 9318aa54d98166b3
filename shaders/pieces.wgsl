// out[i] = parts[0][i] + parts[1][i] + ..., the pieces that the tiled gradients of weights leave behind.
//
// parts[S, M]: s * M + i     out[M]

override P: u32;
override S: u32;
override M: u32;
override ACCUMULATE: bool = false;

const SHARES = 16u; // lanes that share one sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> sum_parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum_out: array<f32>;

var<workgroup> shares: array<f32, 256>;

// Sixteen sums per workgroup, neighbours in memory; each of the sixteen lanes of a sum takes every sixteenth piece.
// workgroups: P * ceil(M / 16)
@compute @workgroup_size(256)
fn sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocks = (M + 15u) / 16u;
  let index = group.y * groups.x + group.x;
  let p = index / blocks;
  let i = index % blocks * 16u + lane % 16u;
  let parts = at(0u, p) + i;
  var own = 0.0;
  if (p < P && i < M) {
    for (var s = lane / 16u; s < S; s += SHARES) {
      own += sum_parts[parts + s * M];
    }
  }
  shares[lane] = own;
  workgroupBarrier();
  if (lane < 16u && p < P && i < M) {
    var total = 0.0;
    for (var share = 0u; share < SHARES; share++) {
      total += shares[share * 16u + lane];
    }
    let out = at(1u, p) + i;
    if (ACCUMULATE) {
      total += sum_out[out];
    }
    sum_out[out] = total;
  }
}
