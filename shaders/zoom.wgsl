// A picture of F x F sub-pictures, each zoomed to the size of the whole by bilinear interpolation between pixel centres; see
// src/engine/ops/zoom.ts. Weights are whole numbers, parts of 2 H and 2 W, so that only the sums are rounded.
//
// x[N, C, H, W]: ((n * C + c) * H + h) * W + w        y[N, F, F, C, H, W], the sub-pictures of one picture row by row

override P: u32;
override N: u32;
override C: u32;
override H: u32;
override W: u32;
override F: u32;
override share: f32 = 1.0 / f32(4u * H * W);

@group(0) @binding(0) var<uniform> views: array<vec4u, 8>;

fn at(operand: u32, member: u32) -> u32 {
  return views[operand].x + member * views[operand].y;
}

fn linear(id: vec3u, groups: vec3u) -> u32 {
  return id.y * (groups.x * 64u) + id.x;
}

// Where pixel `to` of an item lies in its sub-picture of ceil(whole / F) pixels: in parts of 2 whole from the first pixel.
fn placeOf(whole: u32, to: u32) -> u32 {
  let size = (whole + F - 1u) / F;
  let place = max((2u * to + 1u) * size, whole) - whole;
  return min(place, 2u * whole * (size - 1u));
}

@group(0) @binding(1) var<storage, read> forward_x: array<f32>;
@group(0) @binding(2) var<storage, read_write> forward_y: array<f32>;

// invocations: P * N * F * F * C * H * W
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * F * F * C * H * W) {
    return;
  }
  let w = index % W;
  let h = (index / W) % H;
  let c = (index / (W * H)) % C;
  let part = (index / (W * H * C)) % (F * F);
  let n = (index / (W * H * C * F * F)) % N;
  let p = index / (W * H * C * F * F * N);
  let row = placeOf(H, h);
  let column = placeOf(W, w);
  let top = part / F * ((H + F - 1u) / F) + row / (2u * H);
  let left = part % F * ((W + F - 1u) / F) + column / (2u * W);
  let x = at(0u, p) + (n * C + c) * (H * W);
  let upper = x + min(top, H - 1u) * W;
  let lower = x + min(top + 1u, H - 1u) * W;
  let right = min(left + 1u, W - 1u);
  let near = min(left, W - 1u);
  let toRight = f32(column % (2u * W));
  let toLeft = f32(2u * W - column % (2u * W));
  let above = toLeft * forward_x[upper + near] + toRight * forward_x[upper + right];
  let below = toLeft * forward_x[lower + near] + toRight * forward_x[lower + right];
  let down = row % (2u * H);
  forward_y[at(1u, p) + index % (W * H * C * F * F * N)] = share * (f32(2u * H - down) * above + f32(down) * below);
}

// The pixels of an item that a pixel of the picture counts in: from x up to, not including, y.
fn reach(whole: u32, pixel: u32) -> vec2u {
  let size = i32((whole + F - 1u) / F);
  let all = i32(whole);
  let a = i32(pixel) % size;
  let first = max(0, ((2 * a - 1) * all - size) / (2 * size));
  let end = min(all, ((2 * a + 3) * all - size) / (2 * size) + 1);
  return vec2u(u32(first), u32(select(end, all, pixel == whole - 1u)));
}

// What it counts there. The last pixel also stands for those past the end of the picture.
fn weightOf(whole: u32, pixel: u32, to: u32) -> f32 {
  let size = (whole + F - 1u) / F;
  let unit = 2 * i32(whole);
  let beyond = i32(placeOf(whole, to)) - i32(pixel % size) * unit;
  if (beyond > 0 && pixel == whole - 1u) {
    return f32(unit);
  }
  return f32(max(0, unit - abs(beyond)));
}

@group(0) @binding(1) var<storage, read> backward_yBar: array<f32>;
@group(0) @binding(2) var<storage, read_write> backward_xBar: array<f32>;

// One pixel of the picture per invocation, row by row of its item.
// invocations: P * N * C * H * W
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear(id, groups);
  if (index >= P * N * C * H * W) {
    return;
  }
  let w = index % W;
  let h = (index / W) % H;
  let c = (index / (W * H)) % C;
  let n = (index / (W * H * C)) % N;
  let p = index / (W * H * C * N);
  let part = h / ((H + F - 1u) / F) * F + w / ((W + F - 1u) / F);
  let yBar = at(0u, p) + ((n * F * F + part) * C + c) * (H * W);
  let rows = reach(H, h);
  let columns = reach(W, w);
  var sum = 0.0;
  for (var i = rows.x; i < rows.y; i++) {
    var row = 0.0;
    for (var j = columns.x; j < columns.y; j++) {
      row += weightOf(W, w, j) * backward_yBar[yBar + i * W + j];
    }
    sum += weightOf(H, h, i) * row;
  }
  backward_xBar[at(1u, p) + index % (W * H * C * N)] = share * sum;
}
