// Rows for augment.wgsl: draws[R, 8] of every member. Image n of member p takes the block
//   key (seed low, seed high, stream, first + p)   counter (n, draw, 0, 0)
// of Threefry-4x32 with 20 rounds; state[4] = (seed low, seed high, draw, first member), to which firstMember is added.
// Word 0 chooses one of `families` (a bit for each: color, crop, cutout, flip, scale, rotate, shift, resize, turn, resizedcrop,
// cutmix), the block of image 0 for all images unless `mixed` is 1; words 1 to 3 are its parameters.
// Further blocks, with counter (n, draw, attempt, 0), are those of resized crops that do not fit.

override P: u32;
override R: u32;
override H: u32;
override W: u32;
override stream: u32;
override firstMember: u32;
override families: u32;
override mixed: u32;
override shiftH: u32;
override shiftW: u32;
override cutH: u32;
override cutW: u32;
override sizeFrom: u32;
override sizeSpan: u32;
override degrees: u32;
override mirrored: u32;
override brightness: f32;
override saturation: f32;
override contrast: f32;
override scaleLow: f32;
override scaleHigh: f32;
override turn: f32;
override areaLow: f32;
override areaHigh: f32;

const COLUMNS = 8u;
const STRETCH = 0.20751874963942190927; // log2(4 / 3) / 2

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

// From -1 to 1: 2 u - 1 with u as in uniformOf, but exact.
fn signedOf(bits: u32) -> f32 {
  return f32(2 * i32(bits >> 8u) + 1 - 0x1000000) * exp2(-24.0);
}

// Number `index` of the families whose bits are set.
fn chosen(index: u32) -> u32 {
  var left = index;
  for (var family = 0u; family < 11u; family++) {
    if (((families >> family) & 1u) == 1u) {
      if (left == 0u) {
        return family;
      }
      left -= 1u;
    }
  }
  return 0u;
}

// A whole number from -most to most.
fn shift(word: u32, most: u32) -> f32 {
  return f32(i32(word % (2u * most + 1u)) - i32(most));
}

// The first pixel of `size` whose middle is anywhere from 0 to `side`.
fn cut(word: u32, size: u32, side: u32) -> f32 {
  return f32(i32(word % (side + 1u - size % 2u)) - i32(size / 2u));
}

// A whole number from -most to most - 1.
fn below(word: u32, most: u32) -> f32 {
  return f32(i32(word % (2u * most)) - i32(most));
}

// A side times a factor, in whole numbers.
fn sized(word: u32, side: u32) -> u32 {
  return max(1u, (side * (sizeFrom + (((word >> 16u) * sizeSpan) >> 16u))) >> 16u);
}

// How far the middle of the image is from that of a frame just large enough for it when it is turned.
fn offMiddle(direction: vec2f, side: f32, other: f32) -> f32 {
  let more = floor(abs(direction.x) * side + abs(direction.y) * other + 0.5) - side;
  return floor(0.5 * more) - 0.5 * more;
}

fn factor(word: u32) -> f32 {
  return scaleLow + uniformOf(word) * (scaleHigh - scaleLow);
}

// (cos, sin) of 2 pi turns, for at most half a turn: the nearest quarter is taken off exactly, then Taylor polynomials to
// the last places on an eighth of a turn around it; WGSL promises no more than 2^-11 for its own.
fn ofTurns(turns: f32) -> vec2f {
  let quarter = round(4.0 * turns);
  let x = (4.0 * turns - quarter) * 1.57079633;
  let q = x * x;
  let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q * (1.0 / 3628800.0)))));
  let sine = x + x * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0))));
  switch (i32(quarter) & 3) {
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

// Where a crop of so many pixels is, in units of 2^-16 of the room it has: how far its middle is from that of the image.
fn offset(place: u32, room: f32) -> f32 {
  return f32(2 * i32(place) + 1 - 0x10000) * exp2(-17.0) * room;
}

@group(0) @binding(1) var<storage, read> rows_state: array<u32>;
@group(0) @binding(2) var<storage, read_write> rows_draws: array<f32>;

// invocations: P * R
@compute @workgroup_size(64)
fn rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * R) {
    return;
  }
  let n = index % R;
  let p = index / R;
  let state = at(0u, 0u);
  let key = vec4u(rows_state[state], rows_state[state + 1u], stream, rows_state[state + 3u] + firstMember + p);
  let draw = rows_state[state + 2u];
  let choice = threefry(key, vec4u(select(0u, n, mixed == 1u), draw, 0u, 0u)).x;
  let words = threefry(key, vec4u(n, draw, 0u, 0u));
  var row = array<f32, COLUMNS>();
  switch (chosen(choice % countOneBits(families))) {
    case 0u: { // color
      row[0] = 1.0;
      row[1] = brightness * 0.5 * signedOf(words.y);
      row[2] = saturation * uniformOf(words.z);
      row[3] = contrast + uniformOf(words.w);
    }
    case 1u: { // crop
      row[1] = 1.0;
      row[3] = shift(words.y, shiftH);
      row[5] = 1.0;
      row[6] = shift(words.z, shiftW);
    }
    case 2u: { // cutout
      row[0] = 2.0;
      row[1] = cut(words.y, cutH, H);
      row[2] = row[1] + f32(cutH);
      row[3] = cut(words.z, cutW, W);
      row[4] = row[3] + f32(cutW);
    }
    case 3u: { // flip
      row[1] = 1.0;
      row[5] = select(1.0, -1.0, (words.y >> 31u) == 1u);
    }
    case 4u: { // scale
      row[1] = factor(words.y);
      row[5] = factor(words.z);
    }
    case 5u: { // rotate
      let direction = ofTurns(turn * signedOf(words.y));
      row[1] = direction.x;
      row[2] = direction.y * f32(H) / f32(W);
      row[4] = -direction.y * f32(W) / f32(H);
      row[5] = direction.x;
    }
    case 6u: { // shift
      row[1] = 1.0;
      row[3] = below(words.y, shiftH);
      row[5] = 1.0;
      row[6] = below(words.z, shiftW);
      row[7] = 1.0;
    }
    case 7u: { // resize
      let height = sized(words.y, H);
      let width = sized(words.z, W);
      let canvas = max(max(height, width), max(H, W));
      row[0] = 3.0;
      row[1] = f32(height);
      row[2] = f32(width);
      row[3] = f32((canvas - H) / 2u) - f32((canvas - height) / 2u);
      row[4] = f32((canvas - W) / 2u) - f32((canvas - width) / 2u);
    }
    case 8u: { // turn
      let direction = ofTurns(below(words.y, degrees) / 360.0);
      let down = offMiddle(direction, f32(H), f32(W));
      let right = offMiddle(direction, f32(W), f32(H));
      row[0] = 4.0;
      row[1] = direction.x;
      row[2] = direction.y;
      row[3] = direction.x * down + direction.y * right;
      row[4] = -direction.y;
      row[5] = direction.x;
      row[6] = direction.x * right - direction.y * down;
      row[7] = 1.0;
    }
    case 9u: { // resizedcrop
      let image = vec2f(f32(H), f32(W));
      var size = min(image, image.yx * (4.0 / 3.0));
      var place = 0x7fff7fffu;
      for (var attempt = 0u; attempt < 10u; attempt++) {
        let drawn = threefry(key, vec4u(n, draw, attempt, 0u));
        let side = sqrt((areaLow + uniformOf(drawn.y) * (areaHigh - areaLow)) * image.x * image.y);
        let stretch = STRETCH * signedOf(drawn.z);
        let fitting = side * vec2f(exp2(-stretch), exp2(stretch));
        if (all(fitting <= image)) {
          size = fitting;
          place = drawn.w;
          break;
        }
      }
      size = max(size, vec2f(1.0));
      let by = (size - 1.0) / max(image - 1.0, vec2f(1.0));
      row[1] = by.x;
      row[3] = offset(place >> 16u, image.x - size.x);
      row[5] = select(by.y, -by.y, mirrored == 1u && (words.x >> 31u) == 1u);
      row[6] = offset(place & 0xffffu, image.y - size.y);
    }
    default: { // cutmix
      let half = (vec2u(H, W) * max(words.y >> 16u, words.y & 0xffffu)) >> vec2u(17u);
      let middle = words.zw % vec2u(H, W);
      row[0] = 2.0;
      row[1] = f32(i32(middle.x) - i32(half.x));
      row[2] = f32(middle.x + half.x);
      row[3] = f32(i32(middle.y) - i32(half.y));
      row[4] = f32(middle.y + half.y);
    }
  }
  let draws = at(1u, p) + n * COLUMNS;
  for (var i = 0u; i < COLUMNS; i++) {
    rows_draws[draws + i] = row[i];
  }
}
