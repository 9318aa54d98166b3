// Systems with a symmetric, positive definite matrix: factor L Lᵀ = A + ridge mean(diag A) I, and solve (L Lᵀ) x = b with it.
//
// a, l[n, n]: i * n + j     b, x[n, K]: i * K + k
//
// l holds L below its diagonal and Lᵀ above it. A workgroup per matrix, or per column of x; row i belongs to lane i mod LANES. Results
// are read by other lanes as they come, behind a barrier.

override P: u32;
override n: u32;
override K: u32;
override ridge: f32;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

// The first row of a lane that is not before i.
fn ownFrom(lane: u32, i: u32) -> u32 {
  return i + (lane + LANES - i % LANES) % LANES;
}

// NaN where there is no root: sqrt may return anything then.
fn root(pivot: f32) -> f32 {
  let nan = 0x7fc00000u;
  return select(bitcast<f32>(nan), sqrt(pivot), pivot > 0.0);
}

var<workgroup> pivot: f32;

@group(0) @binding(1) var<storage, read> factor_a: array<f32>;
@group(0) @binding(2) var<storage, read_write> factor_l: array<f32>;

// Column after column of L: what is left of a, then divided by the root of its first element. The lanes share up to n² terms a column.
// terms: n * n
// workgroups: P
@compute @workgroup_size(LANES)
fn factor(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let p = group.y * groups.x + group.x;
  if (p >= P) {
    return;
  }
  let a = at(0u, p);
  let l = at(1u, p);
  var trace = 0.0;
  for (var i = 0u; i < n; i++) {
    trace += factor_a[a + i * n + i];
  }
  for (var k = 0u; k < n; k++) {
    let first = ownFrom(lane, k);
    for (var i = first; i < n; i += LANES) {
      var sum = 0.0;
      for (var start = 0u; start < k; start += BLOCK) {
        var block = 0.0;
        for (var j = start; j < min(start + BLOCK, k); j++) {
          block += factor_l[l + j * n + k] * factor_l[l + j * n + i];
        }
        sum += block;
      }
      let left = factor_a[a + k * n + i] - sum;
      if (i == k) {
        pivot = left + ridge * trace / f32(n);
      } else {
        factor_l[l + k * n + i] = left;
      }
    }
    workgroupBarrier();
    let diagonal = root(pivot);
    for (var i = first; i < n; i += LANES) {
      let value = select(factor_l[l + k * n + i] / diagonal, diagonal, i == k);
      factor_l[l + k * n + i] = value;
      factor_l[l + i * n + k] = value;
    }
    workgroupBarrier();
    storageBarrier();
  }
}

@group(0) @binding(1) var<storage, read> solve_l: array<f32>;
@group(0) @binding(2) var<storage, read> solve_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> solve_x: array<f32>;

// With L from the first row to the last, then with Lᵀ back: each row, when it is known, is taken out of those that are not.
// terms: n
// workgroups: P * K
@compute @workgroup_size(LANES)
fn solve(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = group.y * groups.x + group.x;
  if (column >= P * K) {
    return;
  }
  let p = column / K;
  let l = at(0u, p);
  let b = at(1u, p) + column % K;
  let x = at(2u, p) + column % K;
  for (var i = lane; i < n; i += LANES) {
    solve_x[x + i * K] = solve_b[b + i * K];
  }
  for (var i = 0u; i < n; i++) {
    storageBarrier();
    let known = solve_x[x + i * K] / solve_l[l + i * n + i];
    for (var j = ownFrom(lane, i + 1u); j < n; j += LANES) {
      solve_x[x + j * K] -= solve_l[l + i * n + j] * known;
    }
  }
  storageBarrier();
  for (var i = lane; i < n; i += LANES) {
    solve_x[x + i * K] /= solve_l[l + i * n + i];
  }
  for (var back = 0u; back < n; back++) {
    let i = n - 1u - back;
    storageBarrier();
    let known = solve_x[x + i * K] / solve_l[l + i * n + i];
    for (var j = lane; j < i; j += LANES) {
      solve_x[x + j * K] -= solve_l[l + i * n + j] * known;
    }
  }
  storageBarrier();
  for (var i = lane; i < n; i += LANES) {
    solve_x[x + i * K] /= solve_l[l + i * n + i];
  }
}
