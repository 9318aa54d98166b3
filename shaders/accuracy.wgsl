// Right answers: how many of the N rows have their largest logit where the largest label is.
//
//   count     correct[1], of all rows
//   byClass   correct[K], of the rows of each class
//
// z[N, K]: n * K + k     y[N, K]

override P: u32;
override N: u32;
override K: u32;
override ACCUMULATE: bool = false;

const LANES = 64u;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> count_z: array<f32>;
@group(0) @binding(2) var<storage, read> count_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> count_correct: array<f32>;

// Whole numbers: any order of summation gives the same count.
var<workgroup> counts: array<u32, LANES>;

// workgroups: P
@compute @workgroup_size(64)
fn count(
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
  var own = 0u;
  for (var n = lane; n < N; n += LANES) {
    // The first one wins on a tie.
    var answer = 0u;
    var label = 0u;
    for (var k = 1u; k < K; k++) {
      if (count_z[z + n * K + k] > count_z[z + n * K + answer]) {
        answer = k;
      }
      if (count_y[y + n * K + k] > count_y[y + n * K + label]) {
        label = k;
      }
    }
    own += select(0u, 1u, answer == label);
  }
  counts[lane] = own;
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0u;
    for (var i = 0u; i < LANES; i++) {
      sum += counts[i];
    }
    let correct = at(2u, p);
    if (ACCUMULATE) {
      count_correct[correct] += f32(sum);
    } else {
      count_correct[correct] = f32(sum);
    }
  }
}

@group(0) @binding(1) var<storage, read> byClass_z: array<f32>;
@group(0) @binding(2) var<storage, read> byClass_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> byClass_correct: array<f32>;

const NONE = 0xffffffffu;

// The class of each of LANES rows that is right, or NONE.
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
  // A lane adds up the classes lane, lane + LANES, … and nobody else touches them.
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
      // The first one wins on a tie.
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
