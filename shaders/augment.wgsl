// One operation per image, chosen by its row of draws[R, 8] (one row for all images when R is 1):
//
//   0 warp     hh hw ht wh ww wt f    y[h, w] = x at (hh h + hw w + ht, wh h + ww w + wt), counted from the middle of
//                                     the image; bilinear, f times `fill` outside
//   1 colour   b s c                  c s x + c (1 - s) m + (1 - c) M + b; m the mean of a pixel, M of the image
//   2 cutout   top bottom left right  zero in a rectangle
//   3 resize   height width top left  x brought to height x width by its nearest pixels, seen from (top, left) on
//   4 turn     as warp                with cubic splines through the pixels of x, mirrored at its edges
//
// A workgroup per image. The transpose of a movement gathers: for each pixel of x the pixels of y that it is a part of, in
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
override HAS_fill: bool = false;

override SIDE: u32 = 8u; // more for long sums: see "terms" below
override LANES: u32 = SIDE * SIDE;
const BLOCK = 64u; // terms added up before they join the running sum
const COLUMNS = 8u;
const WARP = 0u;
const COLOUR = 1u;
const CUTOUT = 2u;
const RESIZE = 3u;
const TURN = 4u;
const REACH = 12; // pixels that a spline feels in each direction
const POLE = -0.26794919243112270647; // by which its weights fall from one to the next

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
  numbers: array<f32, 7>,
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

// The mirror image of a pixel outside.
fn folded(pixel: i32, side: u32) -> i32 {
  let period = max(2 * i32(side) - 2, 1);
  let inside = ((pixel % period) + period) % period;
  return min(inside, period - inside);
}

const TAPS = 2 * REACH + 2;

// The weights of the pixels from floor(place) - REACH on: see augment.ts.
fn spline(place: f32) -> array<f32, TAPS> {
  let t = place - floor(place);
  let rest = 1.0 - t;
  let bases = vec4f(
    rest * rest * rest,
    4.0 + t * t * (3.0 * t - 6.0),
    1.0 + 3.0 * t * (1.0 + t * (1.0 - t)),
    t * t * t,
  ) * (1.7320508075688772935 / 6.0);
  // Before the four B-splines every pixel has POLE times what the next one has, behind them what the one before has.
  var weights: array<f32, TAPS>;
  var power = 1.0;
  let before = bases.x + POLE * (bases.y + POLE * (bases.z + POLE * bases.w));
  let behind = bases.w + POLE * (bases.z + POLE * (bases.y + POLE * bases.x));
  for (var i = 0; i < REACH; i++) {
    weights[REACH - 1 - i] = power * before;
    weights[REACH + 2 + i] = power * behind;
    power *= POLE;
  }
  weights[REACH] = bases.y + POLE * (bases.x + bases.z + POLE * bases.w);
  weights[REACH + 1] = bases.z + POLE * (bases.y + bases.w + POLE * bases.x);
  return weights;
}

// Whether splines have something at a place: not outside the middles of the outermost pixels.
fn within(origin: vec2f) -> bool {
  return all(origin >= vec2f(0.0)) && all(origin <= vec2f(f32(H) - 1.0, f32(W) - 1.0));
}

// How much of pixel `pixel` of x there is in a spline at `place`, as its own weight and those of its mirror images.
fn partOf(place: f32, pixel: u32, side: u32) -> f32 {
  let weights = spline(place);
  let first = i32(floor(place)) - REACH;
  var sum = 0.0;
  for (var i = 0; i < TAPS; i++) {
    if (folded(first + i, side) == i32(pixel)) {
      sum += weights[i];
    }
  }
  return sum;
}

// Along one side, the pixel of x that `pixel` of a picture of `size` pixels is; below zero where there is none.
fn nearestOf(pixel: i32, size: i32, side: u32) -> i32 {
  return select(-1, pixel * i32(side) / size, pixel >= 0 && pixel < size);
}

// The pixel of x that pixel (h, w) of y shows when x was brought to another size.
fn resized(row: Row, h: u32, w: u32) -> vec2i {
  let m = row.numbers;
  return vec2i(
    nearestOf(i32(h) + i32(m[2]), i32(m[0]), H),
    nearestOf(i32(w) + i32(m[3]), i32(m[1]), W),
  );
}

// How much of pixel (h, w) of x there is in pixel (oh, ow) of y.
fn share(row: Row, h: u32, w: u32, oh: u32, ow: u32) -> f32 {
  if (row.kind == RESIZE) {
    return select(0.0, 1.0, all(resized(row, oh, ow) == vec2i(i32(h), i32(w))));
  }
  let origin = source(row, oh, ow);
  if (row.kind == TURN) {
    if (!within(origin)) {
      return 0.0;
    }
    return partOf(origin.x, h, H) * partOf(origin.y, w, W);
  }
  return tent(origin.x - f32(h)) * tent(origin.y - f32(w));
}

// Pixels of y from (x, y) up to and including (z, w) that pixel (h, w) of x may be a part of: those whose source is less
// than one pixel away in both directions. All of them where the warp has no inverse, and of other movements.
fn candidates(row: Row, h: u32, w: u32) -> vec4u {
  let last = vec2f(f32(H) - 1.0, f32(W) - 1.0);
  let m = row.numbers;
  let determinant = m[0] * m[4] - m[1] * m[3];
  if (row.kind != WARP || !(abs(determinant) > 0.001)) {
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
@group(0) @binding(3) var<storage, read> forward_fill: array<f32>;
@group(0) @binding(4) var<storage, read_write> forward_y: array<f32>;

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
  let y = at(3u, p) + n * C * map;
  let fill = at(2u, p);
  let draws = at(1u, p) + select(n, 0u, R == 1u) * COLUMNS;
  var row: Row;
  row.kind = u32(forward_draws[draws]);
  for (var i = 0u; i < 7u; i++) {
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
        var missing = 1.0;
        for (var tap = 0; tap < 4; tap++) {
          let pixel = first + vec2i(tap / 2, tap % 2);
          let weight = tent(origin.x - f32(pixel.x)) * tent(origin.y - f32(pixel.y));
          if (inside && all(pixel >= vec2i(0)) && all(pixel < vec2i(i32(H), i32(W))) && weight > 0.0) {
            sum += weight * forward_x[x + c * map + u32(pixel.x) * W + u32(pixel.y)];
            missing -= weight;
          }
        }
        if (HAS_fill) {
          sum += offset * row.numbers[6] * missing * forward_fill[fill + c];
        }
        forward_y[y + c * map + i] = sum;
      }
    } else if (row.kind == RESIZE) {
      let pixel = resized(row, h, w);
      let inside = all(pixel >= vec2i(0));
      let nearest = select(vec2u(0u), vec2u(pixel), vec2<bool>(inside));
      for (var c = 0u; c < C; c++) {
        forward_y[y + c * map + i] = select(0.0, forward_x[x + c * map + nearest.x * W + nearest.y], inside);
      }
    } else if (row.kind == TURN) {
      let origin = source(row, h, w);
      let inside = within(origin);
      let place = select(vec2f(0.0), origin, vec2<bool>(inside));
      let down = spline(place.x);
      let right = spline(place.y);
      let first = vec2i(floor(place)) - vec2i(REACH);
      for (var c = 0u; c < C; c++) {
        var sum = 0.0;
        if (inside) {
          for (var k = 0; k < TAPS; k++) {
            let line = x + c * map + u32(folded(first.x + k, H)) * W;
            var along = 0.0;
            for (var l = 0; l < TAPS; l++) {
              along += right[l] * forward_x[line + u32(folded(first.y + l, W))];
            }
            sum += down[k] * along;
          }
        } else if (HAS_fill) {
          sum = offset * row.numbers[6] * forward_fill[fill + c];
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
  for (var i = 0u; i < 7u; i++) {
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
    if (row.kind != COLOUR && row.kind != CUTOUT) {
      let range = candidates(row, h, w);
      for (var c = 0u; c < C; c++) {
        var sum = 0.0;
        for (var oh = range.x; oh <= range.z; oh++) {
          for (var ow = range.y; ow <= range.w; ow++) {
            let weight = share(row, h, w, oh, ow);
            if (weight != 0.0) {
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
