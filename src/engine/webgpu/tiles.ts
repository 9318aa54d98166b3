import { pairCount, type Sizes } from '../kernel.js';
import type { Step } from '../step.js';
import { type Abilities, plain } from './abilities.js';

/** How a workgroup computes its part of a matrix product; see `shaders/tiledconv2d.wgsl`. */
export interface Tile {
  /** Blocks of 4 x 4 elements that a lane adds up: 1 or 2 either way; 1 each where there are slices. */
  readonly ROWS: number;
  readonly COLUMNS: number;
  /** Lanes along a tile and down; a tile has `4 ROWS LY` rows and `4 COLUMNS LX` columns. */
  readonly LX: number;
  readonly LY: number;
  /** Sets of lanes that share the terms. */
  readonly SLICES: number;
  /** Terms in workgroup memory at a time. */
  readonly DEPTH: number;
}

/** What a step is computed with: a tile, and into how many pieces its sums are cut (1 but for gradients of weights). */
export interface Tiling {
  readonly tile: Tile;
  readonly split: number;
  /** By matrix units, in half precision. */
  readonly half?: boolean;
}

/** All that every WebGPU device can run: 256 lanes, 16 KiB. Large tiles compute more with each number they load. */
export const tiles: readonly Tile[] = [
  { ROWS: 2, COLUMNS: 2, LX: 16, LY: 16, SLICES: 1, DEPTH: 8 }, // 128 x 128
  { ROWS: 2, COLUMNS: 2, LX: 16, LY: 8, SLICES: 1, DEPTH: 8 }, // 64 x 128
  { ROWS: 1, COLUMNS: 1, LX: 16, LY: 16, SLICES: 1, DEPTH: 16 }, // 64 x 64
  { ROWS: 1, COLUMNS: 1, LX: 8, LY: 8, SLICES: 4, DEPTH: 32 }, // 32 x 32
  { ROWS: 1, COLUMNS: 1, LX: 4, LY: 4, SLICES: 16, DEPTH: 64 }, // 16 x 16
  { ROWS: 1, COLUMNS: 2, LX: 32, LY: 4, SLICES: 1, DEPTH: 8 }, // 16 x 256: few channels, many pixels
  { ROWS: 1, COLUMNS: 2, LX: 32, LY: 2, SLICES: 1, DEPTH: 4 }, // 8 x 256
  { ROWS: 1, COLUMNS: 1, LX: 8, LY: 2, SLICES: 16, DEPTH: 64 }, // 8 x 32
];

/** Those for matrix units, whose terms come in sixteens: f16 takes half the memory, so that there can be more at a time. */
export const halfTiles: readonly Tile[] = [
  { ROWS: 2, COLUMNS: 2, LX: 16, LY: 16, SLICES: 1, DEPTH: 32 }, // 128 x 128
  { ROWS: 2, COLUMNS: 2, LX: 16, LY: 8, SLICES: 1, DEPTH: 16 }, // 64 x 128
  { ROWS: 1, COLUMNS: 1, LX: 16, LY: 16, SLICES: 1, DEPTH: 32 }, // 64 x 64
  { ROWS: 1, COLUMNS: 1, LX: 8, LY: 8, SLICES: 4, DEPTH: 64 }, // 32 x 32
  { ROWS: 1, COLUMNS: 1, LX: 8, LY: 4, SLICES: 8, DEPTH: 128 }, // 16 x 32
  { ROWS: 1, COLUMNS: 1, LX: 64, LY: 4, SLICES: 1, DEPTH: 16 }, // 16 x 256: few channels, many pixels
];

/** A step as matrix products, and what the plain kernel takes for it. */
interface Product {
  readonly matrices: number;
  readonly rows: number;
  readonly columns: number;
  readonly terms: number;
  /** Whether its sums may be cut into pieces. */
  readonly cuts?: boolean;
  /** Workgroups of the plain kernel, cycles of a multiprocessor for each, and cycles until a lone one is done. */
  readonly plain: { readonly groups: number; readonly busy: number; readonly latency: number };
}

/**
 * The plain convolution has a pixel of up to four channels in a lane: for each term a load of the pixel and one of each
 * weight, in loops whose bounds depend on the pixel.
 */
function pixels(matrices: number, rows: number, columns: number, terms: number): Product {
  const groups = (matrices * Math.ceil(rows / 4) * columns) / 64;
  const busy = 2 * terms * (1 + Math.min(rows, 4));
  return { matrices, rows, columns, terms, plain: { groups, busy, latency: 50 * terms } };
}

/** The plain linear kernels have an element in a lane; `perTerm` is how often its warp asks the cache for a term. */
function dots(s: Sizes, rows: number, columns: number, terms: number, perTerm: number): Product {
  const plain = { groups: (s.P * rows * columns) / 64, busy: 2 * terms * perTerm, latency: 40 * terms };
  return { matrices: s.P, rows, columns, terms, plain };
}

const products: Readonly<Record<string, (s: Sizes) => Product>> = {
  'conv2d.forward': (s) => pixels(s.P * s.G, s.OC / s.G, s.N * s.OH * s.OW, (s.C / s.G) * s.KH * s.KW),
  'conv2d.backwardInput': (s) =>
    pixels(
      s.P * s.G * s.stride ** 2,
      s.C / s.G,
      s.N * Math.ceil(s.H / s.stride) * Math.ceil(s.W / s.stride),
      ((s.OC / s.G) * s.KH * s.KW) / s.stride ** 2,
    ),
  'conv2d.backwardWeight': (s) => {
    const columns = (s.C / s.G) * s.KH * s.KW + (s.BIAS ?? 0);
    const [rows, terms] = [s.OC / s.G, s.N * s.OH * s.OW];
    // A weight in a workgroup; the lanes of a warp read rows of pixels far from each other.
    const plain = { groups: s.P * s.OC * columns, busy: terms / 2, latency: (50 * terms) / 256 };
    return { matrices: s.P * s.G, rows, columns, terms, cuts: true, plain };
  },
  'linear.forward': (s) => dots(s, s.N, s.O, s.I, 17),
  'linear.backwardInput': (s) => dots(s, s.N, s.I, s.O, 2),
  'linear.backwardWeight': (s) => ({ ...dots(s, s.O, s.I + (s.BIAS ?? 0), s.N, 2), cuts: true }),
};

/**
 * The device that tiles are chosen for: multiprocessors as of a large GPU, each with four times 32 lanes, two thousand
 * lanes in flight, and one request of 32 lanes to its memories a cycle. WebGPU reveals none of it.
 */
const device = { processors: 132, lanes: 2048, registers: 65536, memory: 65536 };

/** Cycles of a load from global memory, and of what comes between two: barriers, stores to the tile. */
const farLoad = 600;
const between = 150;
/** Instructions that compute the address of a number that is loaded, and check the border. */
const placing = 12;
/** Instructions that find the largest number and scale by a power of two, as f16 needs. */
const scaling = 4;
/** Cycles that a dispatch takes beside its work. */
const dispatch = 2500;

/** The part of the plain kernel's time that tiles must stay below: the estimates are coarse, and it compiles faster. */
const worthwhile = 0.8;

/** Most terms added up one after the other: the rounding error of a long sum of one sign grows with them. */
const longest = 8192;
/** Most elements of all pieces together. */
const mostPieces = 2 ** 22;

function cycles(groups: number, resident: number, busy: number, latency: number): number {
  const each = Math.ceil(groups / device.processors);
  return Math.max(each * busy, Math.ceil(each / resident) * latency);
}

export const rowsOf = (tile: Tile): number => 4 * tile.ROWS * tile.LY;
export const columnsOf = (tile: Tile): number => 4 * tile.COLUMNS * tile.LX;
export const lanesOf = (tile: Tile): number => tile.LX * tile.LY * tile.SLICES;
/** Bytes of workgroup memory. */
export const bytesOf = ({ ROWS, LY, COLUMNS, LX, DEPTH }: Tile): number =>
  16 * DEPTH * (ROWS * LY + COLUMNS * LX + 2);

/**
 * Whether matrix units can compute a tile: whole blocks, whole steps of terms, whole subgroups, in each the same patch of at most
 * 4 x 4 blocks (see `shaders/with/matrices.wgsl`).
 */
export function fitsMatrices(tile: Tile, { subgroup, matrices: unit }: Abilities): boolean {
  if (!unit) return false;
  const down = rowsOf(tile) / unit.ROWS;
  const along = columnsOf(tile) / unit.COLUMNS;
  const blocks = (16 * tile.ROWS * tile.COLUMNS * subgroup) / (unit.ROWS * unit.COLUMNS);
  const patchDown = Math.min(down, blocks >= 16 ? 4 : blocks >= 4 ? 2 : 1);
  const patchAlong = blocks / patchDown;
  const whole = [
    down,
    down / patchDown,
    along / patchAlong,
    patchAlong,
    tile.DEPTH / (tile.SLICES * unit.TERMS),
    (tile.LX * tile.LY) / subgroup,
  ];
  return patchAlong <= 4 && whole.every((count) => count >= 1 && Number.isInteger(count));
}

/** How many times as fast as multiply-adds in lanes the matrix units are, at a careful guess. */
const matrixSpeed = 8;

/** The cycles of a workgroup between two barriers: those it keeps a multiprocessor busy, and those that pass at least. */
function roundOf(tile: Tile, half: boolean): { busy: number; latency: number } {
  const warps = Math.ceil(lanesOf(tile) / 32);
  const terms = (warps * tile.DEPTH) / tile.SLICES;
  const products = (16 * terms * tile.ROWS * tile.COLUMNS) / (half ? matrixSpeed : 1);
  // Matrix units read each number some four times less often, and half as many bytes of it.
  const vectors = (terms * (tile.ROWS + tile.COLUMNS)) / (half ? 8 : 1);
  const loads = (tile.DEPTH * (rowsOf(tile) + columnsOf(tile))) / 32;
  // A vector of 16 bytes a lane takes the memory two to four cycles, as many as its addresses are different.
  const busy = Math.max(
    (products + vectors + (placing + (half ? scaling : 0)) * loads) / 4,
    3 * vectors + 1.5 * loads,
  );
  return { busy, latency: Math.max(farLoad, busy) + between };
}

/** Estimated cycles of a product in tiles, the sum of the pieces included. */
function cyclesOf({ tile, split, half = false }: Tiling, product: Product, pairs: number): number {
  const { matrices, rows, columns, terms } = product;
  const groups = matrices * split * Math.ceil(rows / rowsOf(tile)) * Math.ceil(columns / columnsOf(tile));
  const lanes = lanesOf(tile);
  const registers = lanes * (48 + 20 * tile.ROWS * tile.COLUMNS);
  const resident = Math.floor(
    Math.min(device.lanes / lanes, device.registers / registers, device.memory / bytesOf(tile)),
  );
  const rounds = pairs * Math.ceil(Math.ceil(terms / tile.DEPTH) / split);
  const { busy, latency } = roundOf(tile, half);
  const own = cycles(groups, resident, rounds * busy, rounds * latency);
  if (split === 1) return own;
  // The pieces are written and read at some 16 bytes a cycle and multiprocessor.
  return own + dispatch + (8 * split * matrices * rows * columns) / (16 * device.processors);
}

/**
 * The tiling with the least estimated time; undefined where the plain kernel is estimated to take less, as where tiles would be
 * mostly empty. Depends on shapes alone: a program is computed the same way on every GPU, in half precision on every one with
 * the same matrix units.
 */
export function tilingOf(step: Step, abilities: Abilities = plain): Tiling | undefined {
  const product = products[step.kernel.name]?.(step.sizes);
  if (!product) return undefined;
  const pairs = pairCount(step.operands);
  const { groups, busy, latency } = product.plain;
  let least = worthwhile * cycles(groups, 32, pairs * busy, pairs * latency);
  let best: Tiling | undefined;
  const halves = halfTiles.filter((tile) => fitsMatrices(tile, abilities));
  for (const { tile, half } of [
    ...tiles.map((tile) => ({ tile, half: false })),
    ...halves.map((tile) => ({ tile, half: true })),
  ]) {
    for (let split = 1; split <= 512; split *= 2) {
      const long = product.terms / split / tile.SLICES > longest;
      const large = split * product.matrices * product.rows * product.columns > mostPieces;
      if (split > 1 && (!product.cuts || large)) break;
      if (product.cuts && long) continue;
      const took = cyclesOf({ tile, split, half }, product, pairs);
      if (took < least) [least, best] = [took, { tile, split, half }];
    }
  }
  return best;
}
