// Recurrent layers, all steps of one direction; the formulae are in src/engine/cells.ts. A workgroup takes one sample of a member
// through all steps and a lane every LANES-th unit, with all gates. Lanes meet once a step, in the results themselves.
//
// h, hBar [T, N, H]: (t * N + n) * H + u     a, zBar [T, N, G * H]: ((t * N + n) * G + g) * H + u, kept and bars likewise
// wT [H, G * H]     w [G * H, H]     b [G * H]

override P: u32;
override N: u32;
override T: u32;
override H: u32;
override G: u32; // gates of the cell: 1 is tanh, 4 is LSTM with i, f, g, o
override given: u32; // steps whose hBar is given: T, or 1 for the last one walked
override reverse: u32;

const LANES = 128u;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

// Numbers that are kept of a unit, and gradients.
fn keptCount() -> u32 {
  return G + G / 4u;
}
fn barCount() -> u32 {
  return 1u + G / 4u;
}

// The row of a sample at step k of the walk.
fn rowOf(k: u32, n: u32) -> u32 {
  return select(k, T - 1u - k, reverse != 0u) * N + n;
}

// By its bits: compilers fold value != value to false.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// 1 - exp(t) for t <= 0, where e is exp(t): by its series next to zero, where the difference would cancel.
fn oneMinusExp(t: f32, e: f32) -> f32 {
  let series = 1.0 + t * (1.0 / 2.0 + t * (1.0 / 6.0 + t * (1.0 / 24.0 +
    t * (1.0 / 120.0 + t * (1.0 / 720.0 + t * (1.0 / 5040.0 + t * (1.0 / 40320.0)))))));
  return select(1.0 - e, -t * series, t > -0.35);
}

// A gate y = sigmoid z, kept as y where z is below 0 and as y - 1 elsewhere. Exponentials are only taken of numbers from -400 to 0: WGSL
// does not define what becomes of infinities.
fn gateOf(z: f32) -> f32 {
  if (is_nan(z)) {
    return z;
  }
  let e = exp(-min(abs(z), 87.0));
  let small = e / (1.0 + e);
  return select(-small, small, z < 0.0);
}
fn valuesOf(gates: vec3f) -> vec3f {
  return select(gates, 1.0 + gates, gates < vec3f());
}
fn slopesOf(gates: vec3f) -> vec3f {
  return abs(gates) * (1.0 - abs(gates));
}

// tanh and its two derivatives.
fn bend(x: f32) -> vec3f {
  if (is_nan(x)) {
    return vec3f(x);
  }
  let t = -2.0 * min(abs(x), 200.0);
  let e = exp(t);
  let size = oneMinusExp(t, e) / (1.0 + e);
  let value = select(size, -size, x < 0.0);
  let first = 4.0 * e / ((1.0 + e) * (1.0 + e));
  return vec3f(value, first, -2.0 * value * first);
}

@group(0) @binding(1) var<storage, read> forward_a: array<f32>;
@group(0) @binding(2) var<storage, read> forward_wT: array<f32>;
@group(0) @binding(3) var<storage, read> forward_b: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_h: array<f32>;
@group(0) @binding(5) var<storage, read_write> forward_kept: array<f32>;

// workgroups: P * N
@compute @workgroup_size(128)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * N) {
    return;
  }
  let p = index / N;
  let n = index % N;
  for (var k = 0u; k < T; k++) {
    let a = at(0u, p) + rowOf(k, n) * G * H;
    let h = at(3u, p) + rowOf(k, n) * H;
    let kept = at(4u, p) + rowOf(k, n) * keptCount() * H;
    for (var u = lane; u < H; u += LANES) {
      var z = vec4f();
      if (k > 0u) {
        let before = at(3u, p) + rowOf(k - 1u, n) * H;
        for (var j = 0u; j < H; j++) {
          let value = forward_h[before + j];
          for (var g = 0u; g < G; g++) {
            z[g] += value * forward_wT[at(1u, p) + (j * G + g) * H + u];
          }
        }
      }
      for (var g = 0u; g < G; g++) {
        z[g] += forward_a[a + g * H + u] + forward_b[at(2u, p) + g * H + u];
      }
      if (G == 1u) {
        forward_kept[kept + u] = z.x;
        forward_h[h + u] = bend(z.x).x;
        continue;
      }
      let gates = vec3f(gateOf(z.x), gateOf(z.y), gateOf(z.w));
      let y = valuesOf(gates);
      var c = y.x * bend(z.z).x;
      if (k > 0u) {
        c += y.y * forward_kept[at(4u, p) + (rowOf(k - 1u, n) * keptCount() + 4u) * H + u];
      }
      forward_kept[kept + u] = gates.x;
      forward_kept[kept + H + u] = gates.y;
      forward_kept[kept + 2u * H + u] = z.z;
      forward_kept[kept + 3u * H + u] = gates.z;
      forward_kept[kept + 4u * H + u] = c;
      forward_h[h + u] = y.z * bend(c).x;
    }
    storageBarrier();
  }
}

@group(0) @binding(1) var<storage, read> tangent_aDot: array<f32>;
@group(0) @binding(2) var<storage, read> tangent_wT: array<f32>;
@group(0) @binding(3) var<storage, read> tangent_bDot: array<f32>;
@group(0) @binding(4) var<storage, read> tangent_kept: array<f32>;
@group(0) @binding(5) var<storage, read_write> tangent_hDot: array<f32>;
@group(0) @binding(6) var<storage, read_write> tangent_keptDot: array<f32>;

// workgroups: P * N
@compute @workgroup_size(128)
fn tangent(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * N) {
    return;
  }
  let p = index / N;
  let n = index % N;
  for (var k = 0u; k < T; k++) {
    let aDot = at(0u, p) + rowOf(k, n) * G * H;
    let hDot = at(4u, p) + rowOf(k, n) * H;
    let place = rowOf(k, n) * keptCount() * H;
    let kept = at(3u, p) + place;
    let keptDot = at(5u, p) + place;
    for (var u = lane; u < H; u += LANES) {
      var zDot = vec4f();
      if (k > 0u) {
        let before = at(4u, p) + rowOf(k - 1u, n) * H;
        for (var j = 0u; j < H; j++) {
          let value = tangent_hDot[before + j];
          for (var g = 0u; g < G; g++) {
            zDot[g] += value * tangent_wT[at(1u, p) + (j * G + g) * H + u];
          }
        }
      }
      for (var g = 0u; g < G; g++) {
        zDot[g] += tangent_aDot[aDot + g * H + u] + tangent_bDot[at(2u, p) + g * H + u];
      }
      if (G == 1u) {
        tangent_keptDot[keptDot + u] = zDot.x;
        tangent_hDot[hDot + u] = bend(tangent_kept[kept + u]).y * zDot.x;
        continue;
      }
      let gates = vec3f(tangent_kept[kept + u], tangent_kept[kept + H + u], tangent_kept[kept + 3u * H + u]);
      let y = valuesOf(gates);
      let yDot = slopesOf(gates) * zDot.xyw;
      let ofG = bend(tangent_kept[kept + 2u * H + u]);
      var cDot = yDot.x * ofG.x + y.x * ofG.y * zDot.z;
      if (k > 0u) {
        let before = (rowOf(k - 1u, n) * keptCount() + 4u) * H + u;
        cDot += yDot.y * tangent_kept[at(3u, p) + before] + y.y * tangent_keptDot[at(5u, p) + before];
      }
      tangent_keptDot[keptDot + u] = yDot.x;
      tangent_keptDot[keptDot + H + u] = yDot.y;
      tangent_keptDot[keptDot + 2u * H + u] = zDot.z;
      tangent_keptDot[keptDot + 3u * H + u] = yDot.z;
      tangent_keptDot[keptDot + 4u * H + u] = cDot;
      let f = bend(tangent_kept[kept + 4u * H + u]);
      tangent_hDot[hDot + u] = yDot.z * f.x + y.z * f.y * cDot;
    }
    storageBarrier();
  }
}

@group(0) @binding(1) var<storage, read> backward_hBar: array<f32>;
@group(0) @binding(2) var<storage, read> backward_w: array<f32>;
@group(0) @binding(3) var<storage, read> backward_kept: array<f32>;
@group(0) @binding(4) var<storage, read_write> backward_zBar: array<f32>;
@group(0) @binding(5) var<storage, read_write> backward_bars: array<f32>;

// workgroups: P * N
@compute @workgroup_size(128)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * N) {
    return;
  }
  let p = index / N;
  let n = index % N;
  for (var step = 0u; step < T; step++) {
    let k = T - 1u - step;
    let zBar = at(3u, p) + rowOf(k, n) * G * H;
    let kept = at(2u, p) + rowOf(k, n) * keptCount() * H;
    let bars = at(4u, p) + rowOf(k, n) * barCount() * H;
    for (var u = lane; u < H; u += LANES) {
      var sums = vec4f(); // one of each gate
      if (step > 0u) {
        let behind = at(3u, p) + rowOf(k + 1u, n) * G * H;
        for (var j = 0u; j < H; j++) {
          for (var g = 0u; g < G; g++) {
            sums[g] += backward_zBar[behind + g * H + j] * backward_w[at(1u, p) + (g * H + j) * H + u];
          }
        }
      }
      var hBar = (sums.x + sums.y) + (sums.z + sums.w);
      if (given == T) {
        hBar += backward_hBar[at(0u, p) + rowOf(k, n) * H + u];
      } else if (step == 0u) {
        hBar += backward_hBar[at(0u, p) + n * H + u];
      }
      backward_bars[bars + u] = hBar;
      if (G == 1u) {
        backward_zBar[zBar + u] = bend(backward_kept[kept + u]).y * hBar;
        continue;
      }
      let gates = vec3f(backward_kept[kept + u], backward_kept[kept + H + u], backward_kept[kept + 3u * H + u]);
      let y = valuesOf(gates);
      let slopes = slopesOf(gates);
      let ofG = bend(backward_kept[kept + 2u * H + u]);
      let f = bend(backward_kept[kept + 4u * H + u]);
      var cBar = hBar * y.z * f.y;
      if (step > 0u) {
        let behind = rowOf(k + 1u, n);
        let forget = valuesOf(vec3f(backward_kept[at(2u, p) + (behind * keptCount() + 1u) * H + u]));
        cBar += backward_bars[at(4u, p) + (behind * barCount() + 1u) * H + u] * forget.x;
      }
      var before = 0.0;
      if (k > 0u) {
        before = backward_kept[at(2u, p) + (rowOf(k - 1u, n) * keptCount() + 4u) * H + u];
      }
      backward_bars[bars + H + u] = cBar;
      backward_zBar[zBar + u] = cBar * ofG.x * slopes.x;
      backward_zBar[zBar + H + u] = cBar * before * slopes.y;
      backward_zBar[zBar + 2u * H + u] = cBar * y.x * ofG.y;
      backward_zBar[zBar + 3u * H + u] = hBar * f.x * slopes.z;
    }
    storageBarrier();
  }
}

@group(0) @binding(1) var<storage, read> tangentBackward_hBarDot: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_w: array<f32>;
@group(0) @binding(3) var<storage, read> tangentBackward_kept: array<f32>;
@group(0) @binding(4) var<storage, read> tangentBackward_keptDot: array<f32>;
@group(0) @binding(5) var<storage, read> tangentBackward_bars: array<f32>;
@group(0) @binding(6) var<storage, read_write> tangentBackward_zBarDot: array<f32>;
@group(0) @binding(7) var<storage, read_write> tangentBackward_barsDot: array<f32>;

// workgroups: P * N
@compute @workgroup_size(128)
fn tangentBackward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * N) {
    return;
  }
  let p = index / N;
  let n = index % N;
  for (var step = 0u; step < T; step++) {
    let k = T - 1u - step;
    let zBarDot = at(5u, p) + rowOf(k, n) * G * H;
    let place = rowOf(k, n) * keptCount() * H;
    let kept = at(2u, p) + place;
    let keptDot = at(3u, p) + place;
    let barPlace = rowOf(k, n) * barCount() * H;
    let bars = at(4u, p) + barPlace;
    let barsDot = at(6u, p) + barPlace;
    for (var u = lane; u < H; u += LANES) {
      var sums = vec4f(); // one of each gate
      if (step > 0u) {
        let behind = at(5u, p) + rowOf(k + 1u, n) * G * H;
        for (var j = 0u; j < H; j++) {
          for (var g = 0u; g < G; g++) {
            sums[g] += tangentBackward_zBarDot[behind + g * H + j] * tangentBackward_w[at(1u, p) + (g * H + j) * H + u];
          }
        }
      }
      var hBarDot = (sums.x + sums.y) + (sums.z + sums.w);
      if (given == T) {
        hBarDot += tangentBackward_hBarDot[at(0u, p) + rowOf(k, n) * H + u];
      } else if (step == 0u) {
        hBarDot += tangentBackward_hBarDot[at(0u, p) + n * H + u];
      }
      tangentBackward_barsDot[barsDot + u] = hBarDot;
      let hBar = tangentBackward_bars[bars + u];
      if (G == 1u) {
        let f = bend(tangentBackward_kept[kept + u]);
        tangentBackward_zBarDot[zBarDot + u] = f.y * hBarDot + f.z * tangentBackward_keptDot[keptDot + u] * hBar;
        continue;
      }
      var gates = vec3f(tangentBackward_kept[kept + u], tangentBackward_kept[kept + H + u], 0.0);
      var yDot = vec3f(tangentBackward_keptDot[keptDot + u], tangentBackward_keptDot[keptDot + H + u], 0.0);
      gates.z = tangentBackward_kept[kept + 3u * H + u];
      yDot.z = tangentBackward_keptDot[keptDot + 3u * H + u];
      let y = valuesOf(gates);
      let zgDot = tangentBackward_keptDot[keptDot + 2u * H + u];
      let cDot = tangentBackward_keptDot[keptDot + 4u * H + u];
      let cBar = tangentBackward_bars[bars + H + u];
      let ofG = bend(tangentBackward_kept[kept + 2u * H + u]);
      let f = bend(tangentBackward_kept[kept + 4u * H + u]);
      var cBarDot = hBarDot * y.z * f.y + hBar * (yDot.z * f.y + y.z * f.z * cDot);
      if (step > 0u) {
        let ofF = (rowOf(k + 1u, n) * keptCount() + 1u) * H + u;
        let ofC = (rowOf(k + 1u, n) * barCount() + 1u) * H + u;
        let forget = valuesOf(vec3f(tangentBackward_kept[at(2u, p) + ofF]));
        cBarDot += tangentBackward_barsDot[at(6u, p) + ofC] * forget.x
          + tangentBackward_bars[at(4u, p) + ofC] * tangentBackward_keptDot[at(3u, p) + ofF];
      }
      var before = 0.0;
      var beforeDot = 0.0;
      if (k > 0u) {
        let c = (rowOf(k - 1u, n) * keptCount() + 4u) * H + u;
        before = tangentBackward_kept[at(2u, p) + c];
        beforeDot = tangentBackward_keptDot[at(3u, p) + c];
      }
      tangentBackward_barsDot[barsDot + H + u] = cBarDot;
      // Of the gates i, f and o: gradients and their tangents, times the slopes.
      let all = vec3f(cBar * ofG.x, cBar * before, hBar * f.x);
      let allDot = vec3f(
        cBarDot * ofG.x + cBar * ofG.y * zgDot,
        cBarDot * before + cBar * beforeDot,
        hBarDot * f.x + hBar * f.y * cDot,
      );
      let ofGates = allDot * slopesOf(gates) + all * (1.0 - 2.0 * y) * yDot;
      tangentBackward_zBarDot[zBarDot + u] = ofGates.x;
      tangentBackward_zBarDot[zBarDot + H + u] = ofGates.y;
      tangentBackward_zBarDot[zBarDot + 2u * H + u] =
        (cBarDot * y.x + cBar * yDot.x) * ofG.y + cBar * y.x * ofG.z * zgDot;
      tangentBackward_zBarDot[zBarDot + 3u * H + u] = ofGates.z;
    }
    storageBarrier();
  }
}
