// The tiles that the products of tiled*.wgsl are computed in: joined to each of them by scripts/generate.mjs. Where products are
// computed in half precision, with/matrices.wgsl replaces most of it.
//
// A workgroup computes a tile of 4 A_SLOTS rows and 4 B_SLOTS columns. DEPTH terms of both factors at a time lie in workgroup
// memory; each lane adds up ROWS x COLUMNS blocks of 4 x 4 in registers. With SLICES (of one block a lane) the terms are dealt out
// to as many sets of lanes, which are added up in order at the end. The next terms are on their way from memory while
// these are multiplied. A second pair of factors makes the sum twice as long. The four rows (columns) of a vector are A_SLOTS
// (B_SLOTS) apart: so neighbouring lanes load and store neighbours, whatever the alignment, and workgroup memory is read in whole
// vectors; one vector in each line stays unused, which spreads what lanes write down a tile over the banks of that memory.

override ROWS: u32; // blocks of a lane
override COLUMNS: u32;
override LX: u32; // lanes along a tile, and down
override LY: u32;
override SLICES: u32;
override DEPTH: u32;
override LANES: u32 = LX * LY * SLICES;
override A_SLOTS: u32 = ROWS * LY;
override B_SLOTS: u32 = COLUMNS * LX;
override B_FIRST: u32 = DEPTH * (A_SLOTS + 1u);
override A_LOADS: u32 = (DEPTH * A_SLOTS + LANES - 1u) / LANES; // vectors a lane loads for a tile, at most 4
override B_LOADS: u32 = (DEPTH * B_SLOTS + LANES - 1u) / LANES;

var<workgroup> tiles: array<vec4f, DEPTH * (A_SLOTS + B_SLOTS + 2u)>;
alias Sums = array<mat4x4f, 4>; // what a lane adds up

fn fourFrom(first: u32, apart: u32) -> vec4u {
  return first + apart * vec4u(0u, 1u, 2u, 3u);
}

// First row and first column of tile `index`, and which matrix it is of. Tiles of the same columns are neighbours.
fn tileOf(index: u32, rows: u32, columns: u32) -> vec3u {
  let down = (rows + 4u * A_SLOTS - 1u) / (4u * A_SLOTS);
  let across = (columns + 4u * B_SLOTS - 1u) / (4u * B_SLOTS);
  return vec3u(index % down * (4u * A_SLOTS), index / down % across * (4u * B_SLOTS), index / (down * across));
}

// The numbers of the next tile are in registers; the present one may be overwritten once all lanes are here.
fn ready(lane: u32, sums: ptr<function, Sums>, a: ptr<function, array<vec4f, 4>>, b: ptr<function, array<vec4f, 4>>) {
  workgroupBarrier();
}

fn put(first: u32, slots: u32, k: u32, slot: u32, value: vec4f) {
  if (k < DEPTH && slot < slots) {
    tiles[first + k * (slots + 1u) + slot] = value;
  }
}

// Writes the vectors that a lane has loaded: of neighbouring terms where lanes load along these, else of neighbouring slots.
fn putLoads(lane: u32, first: u32, slots: u32, loads: u32, alongTerms: bool, values: ptr<function, array<vec4f, 4>>) {
  for (var l = 0u; l < loads; l++) {
    if (alongTerms) {
      put(first, slots, lane % DEPTH, lane / DEPTH + l * (LANES / DEPTH), (*values)[l]);
    } else {
      put(first, slots, lane / slots + l * (LANES / slots), lane % slots, (*values)[l]);
    }
  }
}

fn outer(a: vec4f, b: vec4f) -> mat4x4f {
  return mat4x4f(a.x * b, a.y * b, a.z * b, a.w * b);
}

// Adds the products of the terms in the tile. `sums` has only constant indices, so that it stays in registers.
fn multiply(lane: u32, sums: ptr<function, Sums>) {
  let a = lane % (LX * LY) / LX;
  let b = B_FIRST + lane % LX;
  for (var i = 0u; i < DEPTH / SLICES; i++) {
    let k = i * SLICES + lane / (LX * LY);
    let a0 = tiles[a + k * (A_SLOTS + 1u)];
    let a1 = tiles[a + k * (A_SLOTS + 1u) + (ROWS - 1u) * LY];
    let b0 = tiles[b + k * (B_SLOTS + 1u)];
    let b1 = tiles[b + k * (B_SLOTS + 1u) + (COLUMNS - 1u) * LX];
    (*sums)[0] += outer(a0, b0);
    if (COLUMNS > 1u) {
      (*sums)[1] += outer(a0, b1);
    }
    if (ROWS > 1u) {
      (*sums)[2] += outer(a1, b0);
      if (COLUMNS > 1u) {
        (*sums)[3] += outer(a1, b1);
      }
    }
  }
}

// The elements of a lane's blocks: slices are added to the first one, in order. The tile is no longer needed.
fn finish(lane: u32, sums: ptr<function, Sums>) -> array<mat4x4f, 4> {
  let i = lane % (LX * LY);
  for (var slice = 1u; slice < SLICES; slice++) {
    workgroupBarrier();
    if (lane / (LX * LY) == slice) {
      for (var j = 0u; j < 4u; j++) {
        tiles[j * LX * LY + i] = (*sums)[0][j];
      }
    }
    workgroupBarrier();
    if (lane < LX * LY) {
      (*sums)[0] += mat4x4f(tiles[i], tiles[LX * LY + i], tiles[2u * LX * LY + i], tiles[3u * LX * LY + i]);
    }
  }
  return *sums;
}
