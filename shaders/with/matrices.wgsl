// Products of tiles by matrix units: replaces declarations of the same names in tiles.wgsl where a product is computed in
// half precision. Factors become f16 on their way into workgroup memory; their products are added up in f32.
//
// There are UNIT_ROWS x UNIT_COLUMNS elements in a block of sums, which lies in the registers of a subgroup, and UNIT_TERMS terms
// in a step. A subgroup has a patch of neighbouring blocks. A vector's four rows (columns), A_SLOTS apart in the product, are
// neighbours in the tile, so that a lane's 4 x 4 elements are a square of it. Lines begin at multiples of 16 bytes.
//
// f16 ends at 65,504 and loses bits below 6e-5, so each factor of a tile is multiplied by a power of two that brings its largest
// number close to that end; the sums are those of the products times 2^exponent, which only ever falls.

enable f16;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity); // subgroups are whole: which one a lane is in does not differ in it

const SUBGROUP = 32u; // of the device
const UNIT_ROWS = 16u; // of the device
const UNIT_COLUMNS = 16u; // of the device
const UNIT_TERMS = 16u; // of the device

override B_FIRST: u32 = DEPTH * (A_SLOTS + 2u);
override DOWN: u32 = 4u * A_SLOTS / UNIT_ROWS; // blocks of the tile
override BLOCKS: u32 = 16u * ROWS * COLUMNS * SUBGROUP / (UNIT_ROWS * UNIT_COLUMNS); // of a patch
override PATCH_DOWN: u32 = min(DOWN, select(select(1u, 2u, BLOCKS >= 4u), 4u, BLOCKS >= 16u));
override PATCH_ALONG: u32 = BLOCKS / PATCH_DOWN;
override LINE: u32 = 2u * B_SLOTS + 2u; // of sums in workgroup memory
override SPACE: u32 = max(DEPTH * (A_SLOTS + B_SLOTS + 4u), UNIT_ROWS * LINE);

// Four halves of a factor, or two sums.
var<workgroup> tiles: array<vec2u, SPACE>;

alias Left = subgroup_matrix_left<f16, UNIT_TERMS, UNIT_ROWS>;
alias Right = subgroup_matrix_right<f16, UNIT_COLUMNS, UNIT_TERMS>;

// The patch of a subgroup.
alias Sums = array<array<subgroup_matrix_result<f32, UNIT_COLUMNS, UNIT_ROWS>, 4>, 4>;

// The largest of what each subgroup has loaded for the next tile, of either factor, as bits of f32 without the sign.
var<workgroup> largest: array<vec2u, LANES / SUBGROUP>;

var<private> powers: vec2f = vec2f(1); // that the factors of the tile are multiplied by
var<private> exponent: i32 = 252; // of the sums; the largest there can be, until there are any

const infinity = 0x7f800000u;

// The bits of the largest finite number of a lane. Infinity and NaN do not change by any power, and must not set it.
fn largestOf(values: ptr<function, array<vec4f, 4>>) -> u32 {
  var most = vec4u();
  for (var l = 0u; l < 4u; l++) {
    most = max(most, bitcast<vec4u>((*values)[l]) & vec4u(0x7fffffffu));
  }
  if (any(most >= vec4u(infinity))) {
    most = vec4u();
    for (var l = 0u; l < 4u; l++) {
      let bits = bitcast<vec4u>((*values)[l]) & vec4u(0x7fffffffu);
      most = max(most, select(bits, vec4u(), bits >= vec4u(infinity)));
    }
  }
  return max(max(most.x, most.y), max(most.z, most.w));
}

// The exponent of the power of two that brings a number to between 2^14 and 2^15, unless it is tiny or 0.
fn shiftOf(bits: u32) -> i32 {
  return min(141 - i32(bits >> 23u), 126);
}

fn ready(lane: u32, sums: ptr<function, Sums>, a: ptr<function, array<vec4f, 4>>, b: ptr<function, array<vec4f, 4>>) {
  let own = vec2u(subgroupMax(largestOf(a)), subgroupMax(largestOf(b)));
  if (lane % SUBGROUP == 0u) {
    largest[lane / SUBGROUP] = own;
  }
  workgroupBarrier();
  var most = vec2u();
  for (var i = 0u; i < LANES / SUBGROUP; i++) {
    most = max(most, largest[i]);
  }
  var shifts = vec2i(shiftOf(most.x), shiftOf(most.y));
  // Factors that are all zero do not count.
  let fall = select(exponent - shifts.x - shifts.y, 0, any(most == vec2u()));
  if (fall > 0) {
    // Larger than all before: scale down the sums so far, in several steps where one power of two of f32 is not small enough.
    for (var left = fall; left > 0; left -= 126) {
      let power = ldexp(1f, max(-left, -126));
      for (var i = 0u; i < PATCH_DOWN; i++) {
        for (var j = 0u; j < PATCH_ALONG; j++) {
          (*sums)[i][j] = subgroupMatrixScalarMultiply((*sums)[i][j], power);
        }
      }
    }
    exponent -= fall;
  } else {
    // Smaller: both factors are scaled down by half of the difference.
    shifts += vec2i(fall / 2, fall - fall / 2);
  }
  powers = select(ldexp(vec2f(1), max(shifts, vec2i(-126))), vec2f(), shifts < vec2i(-126));
}

fn put(first: u32, slots: u32, k: u32, slot: u32, value: vec4f) {
  if (k < DEPTH && slot < slots) {
    let scaled = value * select(powers.y, powers.x, first == 0u);
    tiles[first + k * (slots + 2u) + slot] = bitcast<vec2u>(vec4<f16>(scaled));
  }
}

// The first block of the patch of a lane's subgroup, down and along the tile.
fn patchOf(lane: u32) -> vec2u {
  let place = lane % (LX * LY) / SUBGROUP;
  return vec2u(place % (DOWN / PATCH_DOWN) * PATCH_DOWN, place / (DOWN / PATCH_DOWN) * PATCH_ALONG);
}

// Adds the products of the terms in the tile.
fn multiply(lane: u32, sums: ptr<function, Sums>) {
  let corner = patchOf(lane) * vec2u(UNIT_ROWS, UNIT_COLUMNS) / 4u;
  for (var start = 0u; start < DEPTH; start += SLICES * UNIT_TERMS) {
    let k = start + lane / (LX * LY) * UNIT_TERMS;
    var left: array<Left, 4>;
    for (var i = 0u; i < PATCH_DOWN; i++) {
      let a = k * (A_SLOTS + 2u) + corner.x + i * (UNIT_ROWS / 4u);
      left[i] = subgroupMatrixLoad<Left, col_major>(&tiles, a, A_SLOTS + 2u);
    }
    for (var j = 0u; j < PATCH_ALONG; j++) {
      let b = B_FIRST + k * (B_SLOTS + 2u) + corner.y + j * (UNIT_COLUMNS / 4u);
      let right = subgroupMatrixLoad<Right, row_major>(&tiles, b, B_SLOTS + 2u);
      for (var i = 0u; i < PATCH_DOWN; i++) {
        (*sums)[i][j] = subgroupMatrixMultiplyAccumulate(left[i], right, (*sums)[i][j]);
      }
    }
  }
}

// Writes the blocks of one row of blocks that a lane's subgroup holds.
fn show(lane: u32, down: u32, sums: ptr<function, Sums>) {
  let corner = patchOf(lane);
  for (var i = 0u; i < PATCH_DOWN; i++) {
    if (corner.x + i == down) {
      for (var j = 0u; j < PATCH_ALONG; j++) {
        subgroupMatrixStore<row_major>(&tiles, (corner.y + j) * (UNIT_COLUMNS / 2u), (*sums)[i][j], LINE);
      }
    }
  }
}

// 4 x 4 of the elements shown.
fn square(row: u32, slot: u32) -> mat4x4f {
  var four: mat4x4f;
  for (var i = 0u; i < 4u; i++) {
    let place = (row + i) * LINE + 2u * slot;
    four[i] = vec4f(bitcast<vec2f>(tiles[place]), bitcast<vec2f>(tiles[place + 1u]));
  }
  return four;
}

// The elements of a lane's blocks: one row of matrix blocks after the other goes through workgroup memory, slice by slice.
fn finish(lane: u32, sums: ptr<function, Sums>) -> array<mat4x4f, 4> {
  var sum: array<mat4x4f, 4>;
  let row = 4u * (lane % (LX * LY) / LX);
  let slot = lane % LX;
  for (var down = 0u; down < DOWN; down++) {
    for (var slice = 0u; slice < SLICES; slice++) {
      workgroupBarrier();
      if (lane / (LX * LY) == slice) {
        show(lane, down, sums);
      }
      workgroupBarrier();
      if (row / UNIT_ROWS == down) {
        sum[0] += square(row % UNIT_ROWS, slot);
        if (COLUMNS > 1u) {
          sum[1] += square(row % UNIT_ROWS, slot + LX);
        }
      }
      if (ROWS > 1u && (row + 4u * LY) / UNIT_ROWS == down) {
        sum[2] += square((row + 4u * LY) % UNIT_ROWS, slot);
        if (COLUMNS > 1u) {
          sum[3] += square((row + 4u * LY) % UNIT_ROWS, slot + LX);
        }
      }
    }
  }
  // In two halves, neither of which is too large or too small for f32.
  let first = ldexp(1f, -exponent / 2);
  let second = ldexp(1f, exponent / 2 - exponent);
  for (var i = 0u; i < 4u; i++) {
    sum[i] = sum[i] * first * second;
  }
  return sum;
}
