// The kernel of an infinitely wide fully connected network of inner products of images; see the definition for its layers.
//
// g, k, kBar, gBar [N, M] or, of images among themselves, [N, N]: i * M + j     a, aBar [N]     b, bBar [M]

override P: u32;
override N: u32;
override M: u32;
override layers: u32;
override gain: f32;
override weight: f32;
override bias: f32;
override tangent: f32;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum
const PI = 3.14159265358979;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

var<workgroup> partials: array<f32, LANES>;

// The sum over all lanes, in a fixed order; only lane 0 gets it.
fn sumOfLanes(lane: u32, own: f32) -> f32 {
  partials[lane] = own;
  workgroupBarrier();
  if (lane < SIDE) {
    var sum = 0.0;
    for (var i = lane; i < LANES; i += SIDE) {
      sum += partials[i];
    }
    partials[lane] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  if (lane == 0u) {
    for (var i = 0u; i < SIDE; i++) {
      sum += partials[i];
    }
  }
  return sum;
}

// asin(x) / x of z = x * x, for x up to 1/2: the interpolation at Chebyshev nodes.
fn arc(z: f32) -> f32 {
  let high = ((0.03767714 * z + 0.014295256) * z + 0.03185719) * z + 0.04450871;
  return ((high * z + 0.07500571) * z + 0.16666658) * z + 1.0;
}

// acos(-cosine): the language's own may be wrong from the fifth digit on.
fn angleOf(cosine: f32) -> f32 {
  let size = abs(cosine);
  if (size <= 0.5) {
    return 0.5 * PI + cosine * arc(size * size);
  }
  let z = 0.5 * (1.0 - size);
  let y = 2.0 * sqrt(z) * arc(z);
  return select(y, PI - y, cosine > 0.0);
}

// Of a pair of images: the kernel, and its derivatives by g and by b.
fn kernelOf(g: f32, a: f32, b: f32) -> vec3f {
  var q = gain * g + bias;
  var qa = gain * a + bias;
  var qb = gain * b + bias;
  var qg = gain;
  var qByB = 0.0;
  var norm = gain;
  var t = q;
  var tg = gain;
  var tb = 0.0;
  for (var layer = 0u; layer < layers; layer++) {
    let size = sqrt(qa) * sqrt(qb);
    // Not by clamp, which may lose a NaN.
    var cosine = q / size;
    cosine = select(cosine, 1.0, cosine > 1.0);
    cosine = select(cosine, -1.0, cosine < -1.0);
    let sine = sqrt((1.0 - cosine) * (1.0 + cosine));
    let angle = angleOf(cosine);
    let step = weight * angle / (2.0 * PI);
    var ofStep = 0.0;
    if (sine > 0.0) {
      ofStep = weight / (2.0 * PI * size * sine);
    }
    let ofSize = norm * weight * size * sine / (4.0 * PI * qb);
    tg = step * tg + t * ofStep * qg + step * qg;
    tb = step * tb + t * ofStep * (qByB - norm * q / (2.0 * qb)) + step * qByB + ofSize;
    qg *= step;
    qByB = step * qByB + ofSize;
    q = weight * size * (sine + angle * cosine) / (2.0 * PI) + bias;
    t = q + step * t;
    qa = 0.5 * weight * qa + bias;
    qb = 0.5 * weight * qb + bias;
    norm *= 0.5 * weight;
  }
  return select(vec3f(q, qg, qByB), vec3f(t, tg, tb), tangent != 0.0);
}

// Of an image with itself: the kernel, and its derivative by the squared norm.
fn kernelOfSame(a: f32) -> vec2f {
  var q = vec2f(gain * a + bias, gain);
  var t = q;
  for (var layer = 0u; layer < layers; layer++) {
    q = 0.5 * weight * q + vec2f(bias, 0.0);
    t = q + 0.5 * weight * t;
  }
  return select(q, t, tangent != 0.0);
}

@group(0) @binding(1) var<storage, read> cross_g: array<f32>;
@group(0) @binding(2) var<storage, read> cross_a: array<f32>;
@group(0) @binding(3) var<storage, read> cross_b: array<f32>;
@group(0) @binding(4) var<storage, read_write> cross_k: array<f32>;

// invocations: P * N * M
@compute @workgroup_size(64)
fn cross_(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * M) {
    return;
  }
  let p = index / (N * M);
  let i = index % (N * M);
  let pair = kernelOf(cross_g[at(0u, p) + i], cross_a[at(1u, p) + i / M], cross_b[at(2u, p) + i % M]);
  cross_k[at(3u, p) + i] = pair.x;
}

@group(0) @binding(1) var<storage, read> crossBackward_g: array<f32>;
@group(0) @binding(2) var<storage, read> crossBackward_a: array<f32>;
@group(0) @binding(3) var<storage, read> crossBackward_b: array<f32>;
@group(0) @binding(4) var<storage, read> crossBackward_kBar: array<f32>;
@group(0) @binding(5) var<storage, read_write> crossBackward_gBar: array<f32>;
@group(0) @binding(6) var<storage, read_write> crossBackward_bBar: array<f32>;

// A workgroup has a column.
// terms: N
// workgroups: P * M
@compute @workgroup_size(LANES)
fn crossBackward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * M) {
    return;
  }
  let p = index / M;
  let j = index % M;
  let b = crossBackward_b[at(2u, p) + j];
  var own = 0.0;
  for (var start = lane; start < N; start += LANES * BLOCK) {
    var block = 0.0;
    for (var i = start; i < min(start + LANES * BLOCK, N); i += LANES) {
      let element = i * M + j;
      let pair = kernelOf(crossBackward_g[at(0u, p) + element], crossBackward_a[at(1u, p) + i], b);
      let bar = crossBackward_kBar[at(3u, p) + element];
      crossBackward_gBar[at(4u, p) + element] = bar * pair.y;
      block += bar * pair.z;
    }
    own += block;
  }
  let total = sumOfLanes(lane, own);
  if (lane == 0u) {
    crossBackward_bBar[at(5u, p) + j] = total;
  }
}

@group(0) @binding(1) var<storage, read> gram_g: array<f32>;
@group(0) @binding(2) var<storage, read_write> gram_k: array<f32>;

// invocations: P * N * N
@compute @workgroup_size(64)
fn gram(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * N) {
    return;
  }
  let p = index / (N * N);
  let i = index / N % N;
  let j = index % N;
  let g = at(0u, p);
  let own = gram_g[g + i * N + i];
  var k = kernelOfSame(own).x;
  if (i != j) {
    k = kernelOf(gram_g[g + i * N + j], gram_g[g + j * N + j], own).x;
  }
  gram_k[at(1u, p) + i * N + j] = k;
}

@group(0) @binding(1) var<storage, read> gramBackward_g: array<f32>;
@group(0) @binding(2) var<storage, read> gramBackward_kBar: array<f32>;
@group(0) @binding(3) var<storage, read> gramBackward_aBar: array<f32>;
@group(0) @binding(4) var<storage, read_write> gramBackward_gBar: array<f32>;

// A workgroup has a row.
// terms: N
// workgroups: P * N
@compute @workgroup_size(LANES)
fn gramBackward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= P * N) {
    return;
  }
  let p = index / N;
  let i = index % N;
  let g = at(0u, p);
  let kBar = at(1u, p);
  let gBar = at(3u, p);
  let norm = gramBackward_g[g + i * N + i];
  var own = 0.0;
  for (var start = lane; start < N; start += LANES * BLOCK) {
    var block = 0.0;
    for (var j = start; j < min(start + LANES * BLOCK, N); j += LANES) {
      if (j != i) {
        let pair = kernelOf(gramBackward_g[g + i * N + j], gramBackward_g[g + j * N + j], norm);
        let bar = gramBackward_kBar[kBar + i * N + j];
        gramBackward_gBar[gBar + i * N + j] = bar * pair.y;
        block += (bar + gramBackward_kBar[kBar + j * N + i]) * pair.z;
      }
    }
    own += block;
  }
  let total = sumOfLanes(lane, own);
  if (lane == 0u) {
    let diagonal = gramBackward_kBar[kBar + i * N + i] * kernelOfSame(norm).y;
    gramBackward_gBar[gBar + i * N + i] = total + diagonal + gramBackward_aBar[at(2u, p) + i];
  }
}
