// One operation per image, chosen by its row of draws[R, 8] (one row for all images when R is 1):
//
//   0 warp     hh hw ht wh ww wt      y[h, w] = x at (hh h + hw w + ht, wh h + ww w + wt), counted from the middle of
//                                     the image; bilinear, zero outside
//   1 colour   b s c                  c s x + c (1 - s) m + (1 - c) M + b; m the mean of a pixel, M of the image
//   2 cutout   top bottom left right  zero in a rectangle
//
// A workgroup per image. The transpose of a warp gathers: for each pixel of x the pixels of y that it is a part of, in
// reading order, so that nothing is scattered.
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        y as x

override P: u32;
override N: u32;
override C: u32;
override H: u32;
override W: u32;
override R: u32;
override offset: f32; // 0 for the linear part alone

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum
const COLUMNS = 8u;
const WARP = 0u;
const COLOUR = 1u;

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
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

// The same for every lane.
fn sumForAll(lane: u32, own: f32) -> f32 {
  let total = sumOfLanes(lane, own);
  if (lane == 0u) {
    partials[0] = total;
  }
  workgroupBarrier();
  return partials[0];
}

// What an image's row of draws says.
struct Row {
  kind: u32,
  numbers: array<f32, 6>,
}

fn middle() -> vec2f {
  return 0.5 * vec2f(f32(H) - 1.0, f32(W) - 1.0);
}

// Where in x pixel (h, w) of y comes from.
fn source(row: Row, h: u32, w: u32) -> vec2f {
  let place = vec2f(f32(h), f32(w)) - middle();
  let m = row.numbers;
  return vec2f(m[0] * place.x + m[1] * place.y, m[3] * place.x + m[4] * place.y) + (middle() + vec2f(m[2], m[5]));
}

// How much of a pixel of x there is in what lies `distance` from it.
fn tent(distance: f32) -> f32 {
  return max(0.0, 1.0 - abs(distance));
}

// Pixels of y from (x, y) up to and including (z, w) that pixel (h, w) of x may be a part of: those whose source is less
// than one pixel away in both directions. All of them where the warp has no inverse.
fn candidates(row: Row, h: u32, w: u32) -> vec4u {
  let last = vec2f(f32(H) - 1.0, f32(W) - 1.0);
  let m = row.numbers;
  let determinant = m[0] * m[4] - m[1] * m[3];
  if (!(abs(determinant) > 0.001)) {
    return vec4u(vec2u(0u), vec2u(last));
  }
  let to = vec2f(f32(h), f32(w)) - (middle() + vec2f(m[2], m[5]));
  let centre = middle() + vec2f(m[4] * to.x - m[1] * to.y, m[0] * to.y - m[3] * to.x) / determinant;
  let extent = vec2f(abs(m[4]) + abs(m[1]), abs(m[0]) + abs(m[3])) / abs(determinant);
  let first = clamp(floor(centre - extent), vec2f(0.0), last);
  return vec4u(vec2u(first), vec2u(clamp(ceil(centre + extent), first, last)));
}

// What colour adds to c s x: the means, and b once where `constant` is 1.
fn rest(row: Row, mean: f32, image_mean: f32, constant: f32) -> f32 {
  let contrast = row.numbers[2];
  return contrast * (1.0 - row.numbers[1]) * mean + (1.0 - contrast) * image_mean + constant * row.numbers[0];
}

// Whether a rectangle is cut out at (h, w).
fn is_cut(row: Row, h: u32, w: u32) -> bool {
  let m = row.numbers;
  return f32(h) + 0.5 > m[0] && f32(h) + 0.5 < m[1] && f32(w) + 0.5 > m[2] && f32(w) + 0.5 < m[3];
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read> forward_draws: array<f32>;
@group(0) @binding(3) var<storage, read_write> forward_y: array<f32>;

// terms: C * H * W
// workgroups: P * N
@compute @workgroup_size(LANES)
fn forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let image = group.y * groups.x + group.x;
  if (image >= P * N) {
    return;
  }
  let n = image % N;
  let p = image / N;
  let map = H * W;
  let x = at(0u, p) + n * C * map;
  let y = at(2u, p) + n * C * map;
  let draws = at(1u, p) + select(n, 0u, R == 1u) * COLUMNS;
  var row: Row;
  row.kind = u32(forward_draws[draws]);
  for (var i = 0u; i < 6u; i++) {
    row.numbers[i] = forward_draws[draws + 1u + i];
  }
  var own = 0.0;
  if (row.kind == COLOUR) {
    for (var start = lane; start < C * map; start += LANES * BLOCK) {
      var block = 0.0;
      for (var i = start; i < min(start + LANES * BLOCK, C * map); i += LANES) {
        block += forward_x[x + i];
      }
      own += block;
    }
  }
  let image_mean = sumForAll(lane, own) / f32(C * map);
  for (var i = lane; i < map; i += LANES) {
    let h = i / W;
    let w = i % W;
    if (row.kind == WARP) {
      let origin = source(row, h, w);
      // Written so that NaN is outside.
      let inside = all(origin > vec2f(-1.0)) && all(origin < vec2f(f32(H), f32(W)));
      let first = vec2i(floor(select(vec2f(0.0), origin, vec2<bool>(inside))));
      for (var c = 0u; c < C; c++) {
        var sum = 0.0;
        for (var tap = 0; tap < 4; tap++) {
          let pixel = first + vec2i(tap / 2, tap % 2);
          let weight = tent(origin.x - f32(pixel.x)) * tent(origin.y - f32(pixel.y));
          if (inside && all(pixel >= vec2i(0)) && all(pixel < vec2i(i32(H), i32(W))) && weight > 0.0) {
            sum += weight * forward_x[x + c * map + u32(pixel.x) * W + u32(pixel.y)];
          }
        }
        forward_y[y + c * map + i] = sum;
      }
    } else if (row.kind == COLOUR) {
      var mean = 0.0;
      for (var c = 0u; c < C; c++) {
        mean += forward_x[x + c * map + i];
      }
      let added = rest(row, mean / f32(C), image_mean, offset);
      for (var c = 0u; c < C; c++) {
        forward_y[y + c * map + i] = row.numbers[2] * row.numbers[1] * forward_x[x + c * map + i] + added;
      }
    } else {
      let cut = is_cut(row, h, w);
      for (var c = 0u; c < C; c++) {
        forward_y[y + c * map + i] = select(forward_x[x + c * map + i], 0.0, cut);
      }
    }
  }
}

@group(0) @binding(1) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(2) var<storage, read> backward_draws: array<f32>;
@group(0) @binding(3) var<storage, read_write> backward_xBar: array<f32>;

// terms: C * H * W
// workgroups: P * N
@compute @workgroup_size(LANES)
fn backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let image = group.y * groups.x + group.x;
  if (image >= P * N) {
    return;
  }
  let n = image % N;
  let p = image / N;
  let map = H * W;
  let yBar = at(0u, p) + n * C * map;
  let xBar = at(2u, p) + n * C * map;
  let draws = at(1u, p) + select(n, 0u, R == 1u) * COLUMNS;
  var row: Row;
  row.kind = u32(backward_draws[draws]);
  for (var i = 0u; i < 6u; i++) {
    row.numbers[i] = backward_draws[draws + 1u + i];
  }
  var own = 0.0;
  if (row.kind == COLOUR) {
    for (var start = lane; start < C * map; start += LANES * BLOCK) {
      var block = 0.0;
      for (var i = start; i < min(start + LANES * BLOCK, C * map); i += LANES) {
        block += backward_yBar[yBar + i];
      }
      own += block;
    }
  }
  let image_mean = sumForAll(lane, own) / f32(C * map);
  for (var i = lane; i < map; i += LANES) {
    let h = i / W;
    let w = i % W;
    if (row.kind == WARP) {
      let range = candidates(row, h, w);
      for (var c = 0u; c < C; c++) {
        var sum = 0.0;
        for (var oh = range.x; oh <= range.z; oh++) {
          for (var ow = range.y; ow <= range.w; ow++) {
            let origin = source(row, oh, ow);
            let weight = tent(origin.x - f32(h)) * tent(origin.y - f32(w));
            if (weight > 0.0) {
              sum += weight * backward_yBar[yBar + c * map + oh * W + ow];
            }
          }
        }
        backward_xBar[xBar + c * map + i] = sum;
      }
    } else if (row.kind == COLOUR) {
      var mean = 0.0;
      for (var c = 0u; c < C; c++) {
        mean += backward_yBar[yBar + c * map + i];
      }
      let added = rest(row, mean / f32(C), image_mean, 0.0);
      for (var c = 0u; c < C; c++) {
        backward_xBar[xBar + c * map + i] = row.numbers[2] * row.numbers[1] * backward_yBar[yBar + c * map + i] + added;
      }
    } else {
      let cut = is_cut(row, h, w);
      for (var c = 0u; c < C; c++) {
        backward_xBar[xBar + c * map + i] = select(backward_yBar[yBar + c * map + i], 0.0, cut);
      }
    }
  }
}
