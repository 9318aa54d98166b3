// Pointwise functions y = f(x) and their two derivatives; all operands [M].

override P: u32;
override M: u32;
override curve: u32; // the place of f in `curves` of the definition
override slope: f32; // of a leaky ReLU below zero
override HAS_yBarDot: bool = false;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// By its bits: compilers fold value != value to false.
fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// log(1 + e) for 0 <= e <= 1, to the last places for small e too: 2 artanh(e / (2 + e)) by its series, where WGSL's
// log promises no more than an absolute error of 2^-21.
fn log1p(e: f32) -> f32 {
  let s = e / (2.0 + e); // at most 1/3
  let q = s * s;
  let tail = q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 +
    q * (1.0 / 11.0 + q * (1.0 / 13.0 + q * (1.0 / 15.0)))))));
  return 2.0 * (s + s * tail);
}

// 1 - exp(t) for t <= 0, where e is exp(t): by its series next to zero, where the difference would cancel.
fn oneMinusExp(t: f32, e: f32) -> f32 {
  let series = 1.0 + t * (1.0 / 2.0 + t * (1.0 / 6.0 + t * (1.0 / 24.0 +
    t * (1.0 / 120.0 + t * (1.0 / 720.0 + t * (1.0 / 5040.0 + t * (1.0 / 40320.0)))))));
  return select(1.0 - e, -t * series, t > -0.35);
}

// The upper tail of the standard normal distribution over exp(-a²/2), for 0 <= a <= 13.5: a polynomial in 1 / (1 + a/4),
// fitted to a relative error of 1.3e-8 (weighted least squares, Lawson's iteration).
fn normalTail(a: f32) -> f32 {
  let t = 1.0 / (1.0 + 0.25 * a);
  return -2.3532249542768113e-05 + t * (0.100265733897686 + t * (0.09451978653669357 + t * (0.12295544892549515 +
    t * (-0.02437390200793743 + t * (0.31190305948257446 + t * (-0.34239131212234497 + t * (0.40171030163764954 +
    t * (-0.1990428864955902 + t * 0.03447728604078293))))))));
}

// f(x), f'(x) and f''(x). Exponentials are only taken of numbers from -400 to 0, far enough for f32: WGSL does not define
// what becomes of infinities.
fn values(x: f32) -> vec3f {
  let a = select(abs(x), 200.0, abs(x) > 200.0);
  let below = x < 0.0;
  if (curve != 0u && is_nan(x)) {
    return vec3f(x); // what exp makes of it is up to the device
  }
  switch (curve) {
    case 0u: { // leaky ReLU
      return vec3f(select(x, slope * x, below), select(slope, 1.0, x > 0.0), 0.0);
    }
    case 1u: { // tanh
      let t = -2.0 * a;
      let e = exp(t);
      let size = oneMinusExp(t, e) / (1.0 + e);
      let value = select(size, -size, below);
      let first = 4.0 * e / ((1.0 + e) * (1.0 + e));
      return vec3f(value, first, -2.0 * value * first);
    }
    case 4u: { // GELU
      // Beyond 13.5 the density is zero.
      let c = select(a, 13.5, a > 13.5);
      let clamped = select(c, -c, below);
      let e = exp(-0.5 * c * c);
      let tail = e * normalTail(c);
      let share = select(1.0 - tail, tail, below);
      let density = 0.3989422804014327 * e;
      return vec3f(select(x, clamped, below) * share, share + clamped * density, (2.0 - c * c) * density);
    }
    default: { // sigmoid; softplus, whose derivative it is; or swish
      let e = exp(-a);
      let sigmoid = select(1.0, e, below) / (1.0 + e);
      let first = e / ((1.0 + e) * (1.0 + e));
      if (curve == 3u) {
        return vec3f(select(x, 0.0, below) + log1p(e), sigmoid, first);
      }
      let size = first * oneMinusExp(-a, e) / (1.0 + e);
      let slant = select(-size, size, below);
      if (curve == 5u) {
        // Beyond 200 all derivatives of the sigmoid are zero.
        let clamped = select(a, -a, below);
        return vec3f(select(x, clamped, below) * sigmoid, sigmoid + clamped * first, 2.0 * first + clamped * slant);
      }
      return vec3f(sigmoid, first, slant);
    }
  }
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  forward_y[at(1u, p) + i] = values(forward_x[at(0u, p) + i]).x;
}

@group(0) @binding(1) var<storage, read> derivative_x: array<f32>;
@group(0) @binding(2) var<storage, read> derivative_u: array<f32>;
@group(0) @binding(3) var<storage, read_write> derivative_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn derivative(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  derivative_out[at(2u, p) + i] = values(derivative_x[at(0u, p) + i]).y * derivative_u[at(1u, p) + i];
}

@group(0) @binding(1) var<storage, read> tangentBackward_x: array<f32>;
@group(0) @binding(2) var<storage, read> tangentBackward_xDot: array<f32>;
@group(0) @binding(3) var<storage, read> tangentBackward_yBar: array<f32>;
@group(0) @binding(4) var<storage, read> tangentBackward_yBarDot: array<f32>;
@group(0) @binding(5) var<storage, read_write> tangentBackward_xBarDot: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn tangentBackward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let f = values(tangentBackward_x[at(0u, p) + i]);
  var xBarDot = f.z * tangentBackward_xDot[at(1u, p) + i] * tangentBackward_yBar[at(2u, p) + i];
  if (HAS_yBarDot) {
    xBarDot += f.y * tangentBackward_yBarDot[at(3u, p) + i];
  }
  tangentBackward_xBarDot[at(4u, p) + i] = xBarDot;
}
