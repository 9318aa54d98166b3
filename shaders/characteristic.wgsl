// Characteristic functions of phases: means over n of cosines and sines, the way back, and how far two of them are apart.
//
//   forward           phi[0, f] = mean of cos x[n, f],   phi[1, f] = mean of sin x[n, f]
//   backward          xBar[n, f] = (phiBar[1, f] cos x[n, f] - phiBar[0, f] sin x[n, f]) / N
//   distance          distances = scale sqrt(alpha (|a| - |b|)^2 + 2 (1 - alpha) (|a||b| - a b)),   aBar, bBar
//
// x, xBar [N, F]: n * F + f     phi, phiBar, a, b, aBar, bBar [2, F]     distances [F]

override P: u32;
override N: u32;
override F: u32;
override alpha: f32;
override scale: f32;
override ONE_MINUS_alpha: f32;

const BLOCK = 64u; // terms added up before they join the running sum

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// (cos, sin) of x up to 10,000 in size: the nearest multiple of a right angle is taken off in three parts, two of which have so few
// bits that the product is exact, then Taylor polynomials; WGSL promises no more than 2^-11 for its own, and that next to zero.
fn circle(x: f32) -> vec2f {
  let n = round(x * 0.63661977);
  let r = ((x - n * 1.5703125) - n * 0.0004837512969970703) - n * 7.5497899549e-8;
  let q = r * r;
  let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q * (1.0 / 3628800.0)))));
  let sine = r + r * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0))));
  switch (i32(n) & 3) {
    case 0: {
      return vec2f(cosine, sine);
    }
    case 1: {
      return vec2f(-sine, cosine);
    }
    case 2: {
      return vec2f(-cosine, -sine);
    }
    default: {
      return vec2f(sine, -cosine);
    }
  }
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_phi: array<f32>;

// invocations: P * F
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * F) {
    return;
  }
  let f = index % F;
  let x = at(0u, index / F) + f;
  var total = vec2f();
  for (var start = 0u; start < N; start += BLOCK) {
    var block = vec2f();
    for (var n = start; n < min(start + BLOCK, N); n++) {
      block += circle(forward_x[x + n * F]);
    }
    total += block;
  }
  let mean = total / f32(N);
  let phi = at(1u, index / F) + f;
  forward_phi[phi] = mean.x;
  forward_phi[phi + F] = mean.y;
}

@group(0) @binding(1) var<storage, read> backward_x: array<f32>;
@group(0) @binding(2) var<storage, read> backward_phiBar: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_xBar: array<f32>;

// invocations: P * N * F
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * F) {
    return;
  }
  let i = index % (N * F);
  let p = index / (N * F);
  let phiBar = at(1u, p) + i % F;
  let c = circle(backward_x[at(0u, p) + i]);
  backward_xBar[at(2u, p) + i] = (backward_phiBar[phiBar + F] * c.x - backward_phiBar[phiBar] * c.y) / f32(N);
}

@group(0) @binding(1) var<storage, read> distance_a: array<f32>;
@group(0) @binding(2) var<storage, read> distance_b: array<f32>;
@group(0) @binding(3) var<storage, read_write> distance_distances: array<f32>;
@group(0) @binding(4) var<storage, read_write> distance_aBar: array<f32>;
@group(0) @binding(5) var<storage, read_write> distance_bBar: array<f32>;

// The gradient with respect to one of the two: its unit vector and that turned by a right angle, a part of each. `longer` is by how much
// it is longer than the other, `cross` the product from it to the other.
fn gradient(own: vec2f, longer: f32, apart: f32, cross: f32, whole: f32) -> vec2f {
  let size = length(own);
  if (size == 0.0 || whole == 0.0) {
    return vec2f();
  }
  let along = alpha * longer + ONE_MINUS_alpha * apart / size;
  let across = -ONE_MINUS_alpha * cross / size;
  return scale * (along * own + across * vec2f(-own.y, own.x)) / size / whole;
}

// invocations: P * F
@compute @workgroup_size(64)
fn distance(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * F) {
    return;
  }
  let f = index % F;
  let p = index / F;
  let a = vec2f(distance_a[at(0u, p) + f], distance_a[at(0u, p) + F + f]);
  let b = vec2f(distance_b[at(1u, p) + f], distance_b[at(1u, p) + F + f]);
  let product = dot(a, b);
  let cross = a.x * b.y - a.y * b.x;
  let sizes = length(a) * length(b);
  var apart = sizes - product;
  if (product > 0.0) {
    apart = cross * cross / (sizes + product);
  }
  let longer = length(a) - length(b);
  let own = sqrt(alpha * longer * longer + 2.0 * ONE_MINUS_alpha * apart);
  distance_distances[at(2u, p) + f] = scale * own;
  let aBar = gradient(a, longer, apart, cross, own);
  distance_aBar[at(3u, p) + f] = aBar.x;
  distance_aBar[at(3u, p) + F + f] = aBar.y;
  let bBar = gradient(b, -longer, apart, -cross, own);
  distance_bBar[at(4u, p) + f] = bBar.x;
  distance_bBar[at(4u, p) + F + f] = bBar.y;
}
