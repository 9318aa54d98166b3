// Group and batch norm. Group (a, b) holds the elements ((a * S + s) * B + b) * L + l; element i has channel i / map mod C,
// and a run of `map` elements is in one group. With m the mean over a group and inv = 1 / sqrt(variance + eps):
//
//   forward           n = (x - m(x)) inv,   y = gamma n + beta          (frozen: with given statistics)
//   tangent           nDot = inv (xDot - m(xDot) - n m(n xDot)),   yDot = gamma nDot + gammaDot n + betaDot
//   backward          d = gamma yBar,   xBar = inv (d - m(d) - n m(d n))
//   tangentBackward   dDot = gammaDot yBar + gamma yBarDot,
//                     xBarDot = inv (dDot - m(dDot) - nDot m(d n) - n m(dDot n + d nDot) - m(n xDot) xBar)
//
// saved: A * B means, A * B variances, C gammas.     savedDot: A * B of m(xDot), A * B of m(n xDot), C of gammaDot.
// sums[2, maps]: yBar n and yBar of every map added up; sumsDot their tangents. Where frozen is 1 every m(...) of a
// derivative is zero. A workgroup has a group: it adds up, and then writes.
// with: lanes

override P: u32;
override A: u32;
override S: u32;
override B: u32;
override L: u32;
override C: u32;
override map: u32;
override frozen: u32;
override eps: f32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

// Element e of a group, counted from the member's first.
fn element(group: u32, e: u32) -> u32 {
  return (((group / B) * S + e / L) * B + group % B) * L + e % L;
}

fn channel(i: u32) -> u32 {
  return (i / map) % C;
}

fn inverse(variance: f32) -> f32 {
  return 1.0 / sqrt(variance + eps);
}

// What a result gets for element i: see with/rectified.wgsl and with/masked.wgsl.
fn stored(p: u32, i: u32, result: f32) -> f32 {
  return result;
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read> forward_gamma: array<f32>;
@group(0) @binding(3) var<storage, read> forward_beta: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_y: array<f32>;
@group(0) @binding(5) var<storage, read_write> forward_saved: array<f32>;

// terms: S * L
// workgroups: P * A * B
@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * A * B) {
    return;
  }
  let group = index % (A * B);
  let p = index / (A * B);
  let x = at(0u, p);
  var own = 0.0;
  for (var start = lane; start < S * L; start += LANES * BLOCK) {
    var block = 0.0;
    for (var e = start; e < min(start + LANES * BLOCK, S * L); e += LANES) {
      block += forward_x[x + element(group, e)];
    }
    own += block;
  }
  let mean = sumForLanes(lane, vec4f(own, 0.0, 0.0, 0.0)).x / f32(S * L);
  own = 0.0;
  for (var start = lane; start < S * L; start += LANES * BLOCK) {
    var block = 0.0;
    for (var e = start; e < min(start + LANES * BLOCK, S * L); e += LANES) {
      let centred = forward_x[x + element(group, e)] - mean;
      block += centred * centred;
    }
    own += block;
  }
  let variance = sumForLanes(lane, vec4f(own, 0.0, 0.0, 0.0)).x / f32(S * L);
  let saved = at(4u, p);
  if (lane == 0u) {
    forward_saved[saved + group] = mean;
    forward_saved[saved + A * B + group] = variance;
  }
  for (var c = group * LANES + lane; c < C; c += A * B * LANES) {
    forward_saved[saved + 2u * A * B + c] = forward_gamma[at(1u, p) + c];
  }
  let inv = inverse(variance);
  for (var e = lane; e < S * L; e += LANES) {
    let i = element(group, e);
    let c = channel(i);
    let n = (forward_x[x + i] - mean) * inv;
    let y = forward_gamma[at(1u, p) + c] * n + forward_beta[at(2u, p) + c];
    forward_y[at(3u, p) + i] = stored(p, i, y);
  }
}

@group(0) @binding(1) var<storage, read> forwardFrozen_x: array<f32>;
@group(0) @binding(2) var<storage, read> forwardFrozen_statistics: array<f32>;
@group(0) @binding(3) var<storage, read> forwardFrozen_gamma: array<f32>;
@group(0) @binding(4) var<storage, read> forwardFrozen_beta: array<f32>;
@group(0) @binding(5) var<storage, read_write> forwardFrozen_y: array<f32>;
@group(0) @binding(6) var<storage, read_write> forwardFrozen_saved: array<f32>;

// terms: S * L
// workgroups: P * A * B
@compute @workgroup_size(LANES)
fn forwardFrozen(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * A * B) {
    return;
  }
  let group = index % (A * B);
  let p = index / (A * B);
  let mean = forwardFrozen_statistics[at(1u, p) + group];
  let variance = forwardFrozen_statistics[at(1u, p) + A * B + group];
  let saved = at(5u, p);
  if (lane == 0u) {
    forwardFrozen_saved[saved + group] = mean;
    forwardFrozen_saved[saved + A * B + group] = variance;
  }
  for (var c = group * LANES + lane; c < C; c += A * B * LANES) {
    forwardFrozen_saved[saved + 2u * A * B + c] = forwardFrozen_gamma[at(2u, p) + c];
  }
  let inv = inverse(variance);
  for (var e = lane; e < S * L; e += LANES) {
    let i = element(group, e);
    let c = channel(i);
    let n = (forwardFrozen_x[at(0u, p) + i] - mean) * inv;
    let y = forwardFrozen_gamma[at(2u, p) + c] * n + forwardFrozen_beta[at(3u, p) + c];
    forwardFrozen_y[at(4u, p) + i] = stored(p, i, y);
  }
}

override HAS_xDot: bool = false;

@group(0) @binding(1) var<storage, read> tangent_x: array<f32>;
@group(0) @binding(2) var<storage, read> tangent_saved: array<f32>;
@group(0) @binding(3) var<storage, read> tangent_xDot: array<f32>;
@group(0) @binding(4) var<storage, read> tangent_gammaDot: array<f32>;
@group(0) @binding(5) var<storage, read> tangent_betaDot: array<f32>;
@group(0) @binding(6) var<storage, read_write> tangent_yDot: array<f32>;
@group(0) @binding(7) var<storage, read_write> tangent_savedDot: array<f32>;

// terms: S * L
// workgroups: P * A * B
@compute @workgroup_size(LANES)
fn tangent(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * A * B) {
    return;
  }
  let group = index % (A * B);
  let p = index / (A * B);
  let x = at(0u, p);
  let xDot = at(2u, p);
  let saved = at(1u, p);
  let mean = tangent_saved[saved + group];
  let inv = inverse(tangent_saved[saved + A * B + group]);
  var meanDot = 0.0;
  var slope = 0.0;
  if (HAS_xDot && frozen == 0u) {
    var own = vec2f();
    for (var start = lane; start < S * L; start += LANES * BLOCK) {
      var block = vec2f();
      for (var e = start; e < min(start + LANES * BLOCK, S * L); e += LANES) {
        let i = element(group, e);
        let value = tangent_xDot[xDot + i];
        block += vec2f(value, (tangent_x[x + i] - mean) * inv * value);
      }
      own += block;
    }
    let sums = sumForLanes(lane, vec4f(own, 0.0, 0.0)) / f32(S * L);
    meanDot = sums.x;
    slope = sums.y;
  }
  let savedDot = at(6u, p);
  if (lane == 0u) {
    tangent_savedDot[savedDot + group] = meanDot;
    tangent_savedDot[savedDot + A * B + group] = slope;
  }
  for (var c = group * LANES + lane; c < C; c += A * B * LANES) {
    tangent_savedDot[savedDot + 2u * A * B + c] = tangent_gammaDot[at(3u, p) + c];
  }
  for (var e = lane; e < S * L; e += LANES) {
    let i = element(group, e);
    let c = channel(i);
    let n = (tangent_x[x + i] - mean) * inv;
    var yDot = tangent_gammaDot[at(3u, p) + c] * n + tangent_betaDot[at(4u, p) + c];
    if (HAS_xDot) {
      let nDot = inv * (tangent_xDot[xDot + i] - meanDot - n * slope);
      yDot += tangent_saved[saved + 2u * A * B + c] * nDot;
    }
    tangent_yDot[at(5u, p) + i] = stored(p, i, yDot);
  }
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_saved: array<f32>;
@group(0) @binding(3) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(4) var<storage, read_write> backward_xBar: array<f32>;
@group(0) @binding(5) var<storage, read_write> backward_sums: array<f32>;

// yBar n and yBar, added up over every `stride`-th element of a map of a member.
fn backwardSums(p: u32, group: u32, first: u32, start: u32, stride: u32) -> vec2f {
  let saved = at(1u, p);
  let mean = backward_saved[saved + group];
  let inv = inverse(backward_saved[saved + A * B + group]);
  var sums = vec2f();
  for (var head = start; head < map; head += stride * BLOCK) {
    var block = vec2f();
    for (var e = head; e < min(head + stride * BLOCK, map); e += stride) {
      let yBar = backward_yBar[at(2u, p) + first + e];
      block += vec2f((backward_x[at(0u, p) + first + e] - mean) * inv * yBar, yBar);
    }
    sums += block;
  }
  return sums;
}

// Small maps have a lane each, large ones all lanes together.
// terms: S * L
// workgroups: P * A * B
@compute @workgroup_size(LANES)
fn backward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * A * B) {
    return;
  }
  let group = index % (A * B);
  let p = index / (A * B);
  let saved = at(1u, p);
  let sumsAt = at(4u, p);
  let maps = A * S * B * L / map;
  var m = vec2f(); // slope, mean
  if (map < 64u) {
    for (var q = lane; q < S * L / map; q += LANES) {
      let first = element(group, q * map);
      let sums = backwardSums(p, group, first, 0u, 1u);
      backward_sums[sumsAt + first / map] = sums.x;
      backward_sums[sumsAt + maps + first / map] = sums.y;
      let gamma = backward_saved[saved + 2u * A * B + channel(first)];
      m += gamma * sums;
    }
    m = sumForLanes(lane, vec4f(m, 0.0, 0.0)).xy;
  } else {
    for (var q = 0u; q < S * L / map; q++) {
      let first = element(group, q * map);
      let own = backwardSums(p, group, first, lane, LANES);
      let sums = sumForLanes(lane, vec4f(own, 0.0, 0.0)).xy;
      if (lane == 0u) {
        backward_sums[sumsAt + first / map] = sums.x;
        backward_sums[sumsAt + maps + first / map] = sums.y;
      }
      let gamma = backward_saved[saved + 2u * A * B + channel(first)];
      m += gamma * sums;
    }
  }
  m *= select(1.0 / f32(S * L), 0.0, frozen != 0u);
  let meanOfX = backward_saved[saved + group];
  let inv = inverse(backward_saved[saved + A * B + group]);
  for (var e = lane; e < S * L; e += LANES) {
    let i = element(group, e);
    let n = (backward_x[at(0u, p) + i] - meanOfX) * inv;
    let d = backward_saved[saved + 2u * A * B + channel(i)] * backward_yBar[at(2u, p) + i];
    backward_xBar[at(3u, p) + i] = inv * (d - m.y - n * m.x);
  }
}

override HAS_yBarDot: bool = false;

@group(0) @binding(1) var<storage, read> tangentBackward_x: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_saved: array<f32>;
@group(0) @binding(3) var<storage, read> tangentBackward_yBar: array<f32>;
@group(0) @binding(4) var<storage, read> tangentBackward_xDot: array<f32>;
@group(0) @binding(5) var<storage, read> tangentBackward_savedDot: array<f32>;
@group(0) @binding(6) var<storage, read> tangentBackward_yBarDot: array<f32>;
@group(0) @binding(7) var<storage, read_write> tangentBackward_xBarDot: array<f32>;
@group(0) @binding(8) var<storage, read_write> tangentBackward_sumsDot: array<f32>;

// One element of a member: n, nDot, yBar, yBarDot.
fn tangentsOf(p: u32, group: u32, i: u32) -> vec4f {
  let saved = at(1u, p);
  let savedDot = at(4u, p);
  let inv = inverse(tangentBackward_saved[saved + A * B + group]);
  let n = (tangentBackward_x[at(0u, p) + i] - tangentBackward_saved[saved + group]) * inv;
  let meanDot = tangentBackward_savedDot[savedDot + group];
  let slope = tangentBackward_savedDot[savedDot + A * B + group];
  var nDot = 0.0;
  if (HAS_xDot) {
    nDot = inv * (tangentBackward_xDot[at(3u, p) + i] - meanDot - n * slope);
  }
  var yBarDot = 0.0;
  if (HAS_yBarDot) {
    yBarDot = tangentBackward_yBarDot[at(5u, p) + i];
  }
  return vec4f(n, nDot, tangentBackward_yBar[at(2u, p) + i], yBarDot);
}

// yBar n, yBar, their tangents, added up over every `stride`-th element of a map of a member.
fn tangentSums(p: u32, group: u32, first: u32, start: u32, stride: u32) -> vec4f {
  var sums = vec4f();
  for (var head = start; head < map; head += stride * BLOCK) {
    var block = vec4f();
    for (var e = head; e < min(head + stride * BLOCK, map); e += stride) {
      let t = tangentsOf(p, group, first + e);
      block += vec4f(t.z * t.x, t.z, t.w * t.x + t.z * t.y, t.w);
    }
    sums += block;
  }
  return sums;
}

// What the sums over a map add to those over its group: d n, d, their tangents.
fn withGamma(p: u32, first: u32, sums: vec4f) -> vec4f {
  let gamma = tangentBackward_saved[at(1u, p) + 2u * A * B + channel(first)];
  let gammaDot = tangentBackward_savedDot[at(4u, p) + 2u * A * B + channel(first)];
  return vec4f(gamma * sums.xy, gammaDot * sums.xy + gamma * sums.zw);
}

// terms: S * L
// workgroups: P * A * B
@compute @workgroup_size(LANES)
fn tangentBackward(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = id.y * groups.x + id.x;
  if (index >= P * A * B) {
    return;
  }
  let group = index % (A * B);
  let p = index / (A * B);
  let sumsAt = at(7u, p);
  let maps = A * S * B * L / map;
  var m = vec4f(); // slope, mean, slopeDot, meanDot
  if (map < 64u) {
    for (var q = lane; q < S * L / map; q += LANES) {
      let first = element(group, q * map);
      let sums = tangentSums(p, group, first, 0u, 1u);
      tangentBackward_sumsDot[sumsAt + first / map] = sums.z;
      tangentBackward_sumsDot[sumsAt + maps + first / map] = sums.w;
      m += withGamma(p, first, sums);
    }
    m = sumForLanes(lane, m);
  } else {
    for (var q = 0u; q < S * L / map; q++) {
      let first = element(group, q * map);
      let sums = sumForLanes(lane, tangentSums(p, group, first, lane, LANES));
      if (lane == 0u) {
        tangentBackward_sumsDot[sumsAt + first / map] = sums.z;
        tangentBackward_sumsDot[sumsAt + maps + first / map] = sums.w;
      }
      m += withGamma(p, first, sums);
    }
  }
  m *= select(1.0 / f32(S * L), 0.0, frozen != 0u);
  let inv = inverse(tangentBackward_saved[at(1u, p) + A * B + group]);
  let slopeOfX = tangentBackward_savedDot[at(4u, p) + A * B + group];
  for (var e = lane; e < S * L; e += LANES) {
    let i = element(group, e);
    let t = tangentsOf(p, group, i);
    let gamma = tangentBackward_saved[at(1u, p) + 2u * A * B + channel(i)];
    let gammaDot = tangentBackward_savedDot[at(4u, p) + 2u * A * B + channel(i)];
    let xBar = inv * (gamma * t.z - m.y - t.x * m.x);
    let dDot = gammaDot * t.z + gamma * t.w;
    tangentBackward_xBarDot[at(6u, p) + i] = inv * (dDot - m.w - t.y * m.x - t.x * m.z - slopeOfX * xBar);
  }
}
