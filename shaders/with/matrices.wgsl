// Products of tiles by matrix units: stands in for what has the same names in tiled*.wgsl where a product is computed in
// half precision. Factors become f16 on their way into workgroup memory; their products are added up in f32.
//
// There are UNIT_ROWS x UNIT_COLUMNS elements in a block of sums, which lies in the registers of a subgroup, and UNIT_TERMS terms
// in a step. A subgroup has a patch of neighbouring blocks. A vector's four rows (columns), A_SLOTS apart in the product, are
// neighbours in the tile, so that a lane's 4 x 4 elements are a square of it. Lines begin at multiples of 16 bytes.

enable f16;
enable chromium_experimental_subgroup_matrix;
diagnostic(off, chromium.subgroup_matrix_uniformity); // subgroups are whole: which one a lane is in does not differ in it

const SUBGROUP = 32u; // of the device
const UNIT_ROWS = 16u; // of the device
const UNIT_COLUMNS = 16u; // of the device
const UNIT_TERMS = 16u; // of the device

override ROWS: u32; // blocks of 4 x 4 that a lane stores
override COLUMNS: u32;
override LX: u32; // lanes along a tile, and down
override LY: u32;
override SLICES: u32;
override DEPTH: u32;
override A_SLOTS: u32 = ROWS * LY;
override B_SLOTS: u32 = COLUMNS * LX;
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

fn put(first: u32, slots: u32, k: u32, slot: u32, value: vec4f) {
  if (k < DEPTH && slot < slots) {
    tiles[first + k * (slots + 2u) + slot] = bitcast<vec2u>(vec4<f16>(value));
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

// Writes what a lane's subgroup has of the blocks of one row of them.
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
  return sum;
}
