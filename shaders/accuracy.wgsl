// How many samples of class i, where the largest label is, are classified as class j, where the largest logit is.
//
// z, y [N, K]: n * K + k     counts [K, K]: i * K + j

override P: u32;
override N: u32;
override K: u32;
override ACCUMULATE: bool = false;

const LANES = 64u;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

@group(0) @binding(1) var<storage, read> confusion_z: array<f32>;
@group(0) @binding(2) var<storage, read> confusion_y: array<f32>;
@group(0) @binding(3) var<storage, read_write> confusion_counts: array<f32>;

const NONE = 0xffffffffu;

// Class and answer of each of LANES samples; of those beyond the last the class is NONE.
var<workgroup> labels: array<u32, LANES>;
var<workgroup> answers: array<u32, LANES>;

// workgroups: P
@compute @workgroup_size(64)
fn confusion(
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
  let counts = at(2u, p);
  // A lane counts the rows of the classes lane, lane + LANES, … alone.
  if (!ACCUMULATE) {
    for (var k = lane; k < K; k += LANES) {
      for (var j = 0u; j < K; j++) {
        confusion_counts[counts + k * K + j] = 0.0;
      }
    }
  }
  for (var start = 0u; start < N; start += LANES) {
    let n = start + lane;
    var answer = 0u;
    var label = 0u;
    if (n < N) {
      // The first one counts on a tie.
      for (var k = 1u; k < K; k++) {
        if (confusion_z[z + n * K + k] > confusion_z[z + n * K + answer]) {
          answer = k;
        }
        if (confusion_y[y + n * K + k] > confusion_y[y + n * K + label]) {
          label = k;
        }
      }
    }
    labels[lane] = select(NONE, label, n < N);
    answers[lane] = answer;
    workgroupBarrier();
    for (var k = lane; k < K; k += LANES) {
      for (var i = 0u; i < LANES; i++) {
        if (labels[i] == k) {
          confusion_counts[counts + k * K + answers[i]] += 1.0;
        }
      }
    }
    workgroupBarrier();
  }
}
