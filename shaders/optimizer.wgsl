// SGD, and what all optimisers share; theta, g, lambda, hv, v, out [M], rate, squaredNorm, squaredStep and
// scale [1], average [2].
//
//   sgd            out = theta - rate (g + decay theta)
//   adjoint        out = lambda + hv + decay v - rate shrink lambda
//   clip           scale = min(1, limit / sqrt(squaredNorm))
//   clipByAverage  scale = min(1, factor average[0] / average[1] / sqrt(squaredNorm)), 1 where average[1] is 0
//                  average = decay average + (1 - decay) [scale sqrt(squaredNorm), 1]
//   trust          scale = sqrt(squaredNorm / squaredStep), 1 where either is 0

override P: u32;
override M: u32;
override decay: f32;
override shrink: f32;
override limit: f32;
override factor: f32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

@group(0) @binding(1) var<storage, read> sgd_theta: array<f32>;
@group(0) @binding(2) var<storage, read> sgd_g: array<f32>;
@group(0) @binding(3) var<storage, read> sgd_rate: array<f32>;
@group(0) @binding(4) var<storage, read_write> sgd_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let theta = sgd_theta[at(0u, p) + i];
  sgd_out[at(3u, p) + i] = theta - sgd_rate[at(2u, p)] * (sgd_g[at(1u, p) + i] + decay * theta);
}

@group(0) @binding(1) var<storage, read> adjoint_lambda: array<f32>;
@group(0) @binding(2) var<storage, read> adjoint_hv: array<f32>;
@group(0) @binding(3) var<storage, read> adjoint_v: array<f32>;
@group(0) @binding(4) var<storage, read> adjoint_rate: array<f32>;
@group(0) @binding(5) var<storage, read_write> adjoint_out: array<f32>;

// invocations: P * M
@compute @workgroup_size(64)
fn adjoint(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * M) {
    return;
  }
  let i = index % M;
  let p = index / M;
  let keep = 1.0 - adjoint_rate[at(3u, p)] * shrink;
  adjoint_out[at(4u, p) + i] = keep * adjoint_lambda[at(0u, p) + i] + adjoint_hv[at(1u, p) + i] + decay * adjoint_v[at(2u, p) + i];
}

@group(0) @binding(1) var<storage, read> clip_squaredNorm: array<f32>;
@group(0) @binding(2) var<storage, read_write> clip_scale: array<f32>;

// invocations: P
@compute @workgroup_size(64)
fn clip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let p = linear(id, groups);
  if (p >= P) {
    return;
  }
  let norm = sqrt(clip_squaredNorm[at(0u, p)]);
  clip_scale[at(1u, p)] = select(1.0, limit / norm, norm > limit);
}

@group(0) @binding(1) var<storage, read> trust_squaredNorm: array<f32>;
@group(0) @binding(2) var<storage, read> trust_squaredStep: array<f32>;
@group(0) @binding(3) var<storage, read_write> trust_scale: array<f32>;

// invocations: P
@compute @workgroup_size(64)
fn trust(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let p = linear(id, groups);
  if (p >= P) {
    return;
  }
  let norm = trust_squaredNorm[at(0u, p)];
  let step = trust_squaredStep[at(1u, p)];
  trust_scale[at(2u, p)] = select(sqrt(norm) / sqrt(step), 1.0, norm == 0.0 || step == 0.0);
}

@group(0) @binding(1) var<storage, read> clipByAverage_squaredNorm: array<f32>;
@group(0) @binding(2) var<storage, read_write> clipByAverage_average: array<f32>;
@group(0) @binding(3) var<storage, read_write> clipByAverage_scale: array<f32>;

// invocations: P
@compute @workgroup_size(64)
fn clipByAverage(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let p = linear(id, groups);
  if (p >= P) {
    return;
  }
  let norm = sqrt(clipByAverage_squaredNorm[at(0u, p)]);
  let average = at(1u, p);
  let total = clipByAverage_average[average];
  let weight = clipByAverage_average[average + 1u];
  // norm > factor total / weight, without a division by a weight of 0.
  let clips = weight > 0.0 && norm * weight > factor * total;
  let clipped = select(norm, factor * total / weight, clips);
  clipByAverage_scale[at(2u, p)] = select(1.0, clipped / norm, clips);
  // One that is infinite, or no number, says nothing about those to come.
  if (!(norm <= 3.4e38)) {
    return;
  }
  clipByAverage_average[average] = decay * total + (1.0 - decay) * clipped;
  clipByAverage_average[average + 1u] = decay * weight + (1.0 - decay);
}
