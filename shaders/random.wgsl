// Counter-based random numbers: Threefry-4x32 with 20 rounds, the same bits as src/util/random.ts.
//
// state[4] = (seed low, seed high, draw, first member), to which firstMember is added. Element i of member p is
// word i & 3 of the block with
//   key (seed low, seed high, stream, first + p)   counter (i >> 2, draw, 0, 0)
//
// out[M] = gain * number + shift     y[M] = mask * scale * x     states[count, 4]
// index[B] = the next B rows, every row once per epoch, of all or of one class: order[R], starts[K + 1]

override P: u32;
override M: u32;
override B: u32;
override K: u32;
override R: u32;
override rows: u32;
override stream: u32;
override firstMember: u32;
override firstClass: u32;
override gain: f32;
override shift: f32;
override masks: u32;
override drop: u32;
override scale: f32;
override count: u32;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

fn rotate(x: u32, distance: u32) -> u32 {
  return (x << distance) | (x >> (32u - distance));
}

// Two rounds: the first mixes (x, y) and (z, w), the second (x, w) and (z, y).
fn mix(before: vec4u, a: u32, b: u32, c: u32, d: u32) -> vec4u {
  var x = before;
  x.x += x.y;
  x.y = rotate(x.y, a) ^ x.x;
  x.z += x.w;
  x.w = rotate(x.w, b) ^ x.z;
  x.x += x.w;
  x.w = rotate(x.w, c) ^ x.x;
  x.z += x.y;
  x.y = rotate(x.y, d) ^ x.z;
  return x;
}

fn threefry(key: vec4u, counter: vec4u) -> vec4u {
  let parity = 0x1bd11bdau ^ key.x ^ key.y ^ key.z ^ key.w;
  var x = counter + key;
  x = mix(x, 10u, 26u, 11u, 21u);
  x = mix(x, 13u, 27u, 23u, 5u);
  x += vec4u(key.y, key.z, key.w, parity + 1u);
  x = mix(x, 6u, 20u, 17u, 11u);
  x = mix(x, 25u, 10u, 18u, 20u);
  x += vec4u(key.z, key.w, parity, key.x + 2u);
  x = mix(x, 10u, 26u, 11u, 21u);
  x = mix(x, 13u, 27u, 23u, 5u);
  x += vec4u(key.w, parity, key.x, key.y + 3u);
  x = mix(x, 6u, 20u, 17u, 11u);
  x = mix(x, 25u, 10u, 18u, 20u);
  x += vec4u(parity, key.x, key.y, key.z + 4u);
  x = mix(x, 10u, 26u, 11u, 21u);
  x = mix(x, 13u, 27u, 23u, 5u);
  x += vec4u(key.x, key.y, key.z, key.w + 5u);
  return x;
}

// (k + 1/2) / 2^24 with k the upper 24 bits; above one half it is rounded and may become 1.
fn uniformOf(bits: u32) -> f32 {
  return (f32(bits >> 8u) + 0.5) * exp2(-24.0);
}

// sqrt(-2 log u) with u = uniformOf(bits), to the last places even next to u = 1, where WGSL's log promises an
// absolute error only and a square root would magnify it (or be taken of a number below zero).
fn radius(bits: u32) -> f32 {
  let k = bits >> 8u;
  var exponent = 0.0;
  var above = 0.0; // m - 1, where u = m 2^exponent and m is from about 0.7 to 1.4
  if (k >= 0xb504f3u) {
    above = -(f32(0x1000000u - k) - 0.5) * 0x1p-24;
  } else {
    let twice = 2u * k + 1u; // u = twice / 2^25
    let bit = firstLeadingBit(twice);
    let m = f32(twice << (24u - bit)) * 0x1p-24; // from 1 to below 2
    let high = m > 1.4142135;
    above = select(m, 0.5 * m, high) - 1.0;
    exponent = f32(i32(bit) - 25) + select(0.0, 1.0, high);
  }
  let s = above / (2.0 + above); // log m = 2 artanh s, |s| below 0.172
  let q = s * s;
  let tail = q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0)))));
  let logarithm = exponent * 0.69314718 + 2.0 * (s + s * tail);
  return sqrt(-2.0 * logarithm);
}

// (cos, sin) of 2 pi uniformOf(bits): exact reduction to an eighth of a turn around the nearest quarter, then Taylor
// polynomials; WGSL promises no more than 2^-11 for its own.
fn direction(bits: u32) -> vec2f {
  let k = bits >> 8u;
  let quarter = (k + 0x200000u) >> 22u;
  let x = (f32(i32(k) - i32(quarter << 22u)) + 0.5) * (6.2831853 * 0x1p-24);
  let q = x * x;
  let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q * (1.0 / 3628800.0)))));
  let sine = x + x * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0))));
  switch (quarter & 3u) {
    case 0u: {
      return vec2f(cosine, sine);
    }
    case 1u: {
      return vec2f(-sine, cosine);
    }
    case 2u: {
      return vec2f(-cosine, -sine);
    }
    default: {
      return vec2f(sine, -cosine);
    }
  }
}

@group(0) @binding(1) var<storage, read> normal_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> normal_out: array<f32>;

// Four elements per invocation: one block. Words (0, 1) and (2, 3) make a Box-Muller pair each.
// invocations: P * ceil(M / 4)
@compute @workgroup_size(64)
fn normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  let blocks = (M + 3u) / 4u;
  if (index >= P * blocks) {
    return;
  }
  let block = index % blocks;
  let p = index / blocks;
  let state = at(0u, 0u);
  let key = vec4u(normal_state[state], normal_state[state + 1u], stream, normal_state[state + 3u] + firstMember + p);
  let words = threefry(key, vec4u(block, normal_state[state + 2u], 0u, 0u));
  let values = vec4f(radius(words.x) * direction(words.y), radius(words.z) * direction(words.w));
  let out = at(1u, p);
  for (var lane = 0u; lane < 4u && 4u * block + lane < M; lane++) {
    normal_out[out + 4u * block + lane] = gain * values[lane] + shift;
  }
}

@group(0) @binding(1) var<storage, read> uniform_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> uniform_out: array<f32>;

// Four elements per invocation: one block.
// invocations: P * ceil(M / 4)
@compute @workgroup_size(64)
fn uniform_(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  let blocks = (M + 3u) / 4u;
  if (index >= P * blocks) {
    return;
  }
  let block = index % blocks;
  let p = index / blocks;
  let state = at(0u, 0u);
  let key = vec4u(uniform_state[state], uniform_state[state + 1u], stream, uniform_state[state + 3u] + firstMember + p);
  let words = threefry(key, vec4u(block, uniform_state[state + 2u], 0u, 0u));
  let out = at(1u, p);
  for (var lane = 0u; lane < 4u && 4u * block + lane < M; lane++) {
    uniform_out[out + 4u * block + lane] = gain * uniformOf(words[lane]) + shift;
  }
}

@group(0) @binding(1) var<storage, read> dropout_state: array<u32>;
@group(0) @binding(2) var<storage, read> dropout_x: array<f32>;
@group(0) @binding(3) var<storage, read_write> dropout_y: array<f32>;

// Four elements per invocation: one block. Kept where the upper 24 bits are at least `drop`.
// invocations: P * ceil(M / 4)
@compute @workgroup_size(64)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  let blocks = (M + 3u) / 4u;
  if (index >= P * blocks) {
    return;
  }
  let block = index % blocks;
  let p = index / blocks;
  let state = at(0u, 0u);
  let key = vec4u(dropout_state[state], dropout_state[state + 1u], stream, dropout_state[state + 3u] + p % masks);
  let words = threefry(key, vec4u(block, dropout_state[state + 2u], 0u, 0u));
  let x = at(1u, p);
  let y = at(2u, p);
  for (var lane = 0u; lane < 4u && 4u * block + lane < M; lane++) {
    let i = 4u * block + lane;
    dropout_y[y + i] = select(0.0, scale * dropout_x[x + i], (words[lane] >> 8u) >= drop);
  }
}

@group(0) @binding(1) var<storage, read> fork_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> fork_states: array<u32>;

// invocations: P * count
@compute @workgroup_size(64)
fn fork(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * count) {
    return;
  }
  let t = index % count;
  let state = at(0u, 0u);
  let key = vec4u(fork_state[state], fork_state[state + 1u], stream, 0u);
  let words = threefry(key, vec4u(t, fork_state[state + 2u], 0u, 0u));
  let row = at(1u, index / count) + 4u * t;
  fork_states[row] = words.x;
  fork_states[row + 1u] = words.y;
  fork_states[row + 2u] = 0u;
  fork_states[row + 3u] = fork_state[state + 3u];
}

// Fisher-Yates followed backwards, for n below 2^16: `shuffled` of src/util/random.ts.
fn shuffled(key: vec4u, n: u32, index: u32, part: u32) -> u32 {
  var place = index;
  var block = 0xffffffffu;
  var words = vec4u();
  for (var i = max(1u, index); i < n; i++) {
    if (i >> 2u != block) {
      block = i >> 2u;
      words = threefry(key, vec4u(block, 0u, 0x66796b73u, part));
    }
    let word = words[i & 3u];
    let other = ((word >> 16u) * (i + 1u) + (((word & 0xffffu) * (i + 1u)) >> 16u)) >> 16u; // floor(word (i + 1) / 2^32)
    if (place == i) {
      place = other;
    } else if (place == other) {
      place = i;
    }
  }
  return place;
}

// Four Feistel rounds on the smallest even number of bits that holds n, again until the value is below n.
fn feistel(key: vec4u, n: u32, index: u32, part: u32) -> u32 {
  let bits = 32u - countLeadingZeros(n - 1u);
  let half = max(1u, (bits + 1u) >> 1u);
  let mask = (1u << half) - 1u;
  var value = index;
  loop {
    var left = value >> half;
    var right = value & mask;
    for (var round = 0u; round < 4u; round++) {
      let word = threefry(key, vec4u(right, round, 0x70657256u, part)).x;
      let next = left ^ (word & mask);
      left = right;
      right = next;
    }
    value = (left << half) | right;
    if (value < n) {
      break;
    }
  }
  return value;
}

// Row `position` of the sequence of keyed permutations of n rows; the key's last word is 0 and becomes the epoch.
fn rowAt(key: vec4u, n: u32, position: u32, part: u32) -> u32 {
  let ofEpoch = vec4u(key.xyz, position / n);
  if (n <= 99u) {
    return shuffled(ofEpoch, n, position % n, part);
  }
  return feistel(ofEpoch, n, position % n, part);
}

@group(0) @binding(1) var<storage, read> batch_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> batch_index: array<u32>;

// invocations: P * B
@compute @workgroup_size(64)
fn batch(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B) {
    return;
  }
  let b = index % B;
  let p = index / B;
  let state = at(0u, 0u);
  let key = vec4u(batch_state[state], batch_state[state + 1u], stream, 0u);
  batch_index[at(1u, p) + b] = rowAt(key, rows, batch_state[state + 2u] * B + b, 0u);
}

@group(0) @binding(1) var<storage, read> batchByClass_state: array<u32>;
@group(0) @binding(2) var<storage, read> batchByClass_order: array<u32>;
@group(0) @binding(3) var<storage, read> batchByClass_starts: array<u32>;
@group(0) @binding(4) var<storage, read_write> batchByClass_index: array<u32>;

// invocations: P * B
@compute @workgroup_size(64)
fn batchByClass(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * B) {
    return;
  }
  let b = index % B;
  let p = index / B;
  let k = p % K;
  let state = at(0u, 0u);
  let key = vec4u(batchByClass_state[state], batchByClass_state[state + 1u], stream, 0u);
  let draw = batchByClass_state[state + 2u] * (P / K) + p / K;
  let start = batchByClass_starts[at(2u, 0u) + k];
  let n = max(1u, batchByClass_starts[at(2u, 0u) + k + 1u] - start);
  let place = start + rowAt(key, n, draw * B + b, firstClass + k + 1u);
  batchByClass_index[at(3u, p) + b] = batchByClass_order[at(1u, 0u) + min(place, R - 1u)];
}

@group(0) @binding(1) var<storage, read_write> advance_state: array<u32>;

// invocations: P
@compute @workgroup_size(64)
fn advance(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  if (linear(id, groups) == 0u) {
    advance_state[at(0u, 0u) + 2u] += 1u;
  }
}
