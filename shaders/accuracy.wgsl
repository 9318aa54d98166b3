// How many samples of each class are classified correctly: the largest logit is where the largest label is.
//
// z, y [N, K]: n * K + k     correct [K]

override P: u32;
override N: u32;
override K: u32;
override ACCUMULATE: bool = false;

const LANES = 64u;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> byClass_z: array<f32>;
@group(0) @binding(2) var<storage, read> byClass_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> byClass_correct: array<f32>;

const NONE = 0xffffffffu;

// The class of each of LANES samples that is classified correctly, or NONE.
var<workgroup> right: array<u32, LANES>;

// workgroups: P
@compute @workgroup_size(64)
fn byClass(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= P) {
    return;
  }
  let z = at(0u, p);
  let y = at(1u, p);
  let correct = at(2u, p);
  // A lane counts the classes lane, lane + LANES, … alone.
  if (!ACCUMULATE) {
    for (var k = lane; k < K; k += LANES) {
      byClass_correct[correct + k] = 0.0;
    }
  }
  for (var start = 0u; start < N; start += LANES) {
    let n = start + lane;
    var answer = 0u;
    var label = 0u;
    if (n < N) {
      // The first one counts on a tie.
      for (var k = 1u; k < K; k++) {
        if (byClass_z[z + n * K + k] > byClass_z[z + n * K + answer]) {
          answer = k;
        }
        if (byClass_y[y + n * K + k] > byClass_y[y + n * K + label]) {
          label = k;
        }
      }
    }
    right[lane] = select(NONE, label, n < N && answer == label);
    workgroupBarrier();
    for (var k = lane; k < K; k += LANES) {
      var sum = 0u;
      for (var i = 0u; i < LANES; i++) {
        sum += select(0u, 1u, right[i] == k);
      }
      byClass_correct[correct + k] += f32(sum);
    }
    workgroupBarrier();
  }
}
