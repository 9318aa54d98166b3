import type { Dataset } from '../../data/dataset.js';
import { normalisedImages } from '../../data/on-device.js';
import { streams } from '../../train/streams.js';
import { breathe } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { permutation, Stream } from '../../util/random.js';

/** Images made from real ones in the place of distilled ones: same number, same order of classes. */
export interface Baseline {
  /** Key in results: `randomReal`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Whether every network gets a draw of its own; otherwise all of them train on draw 0. */
  readonly random: boolean;
  /** Of the first `of` draws, only the `keep` are tested that do best on the validation split, with `networks` networks. */
  readonly best?: { readonly of: number; readonly keep: number; readonly networks: number };
  /**
   * Images `[perClass * K, C, H, W]`, normalised; image i is of class `i mod K`. Deterministic in (seed, draw). Only
   * training images are read. A class with fewer images than asked for gives them again from the start; one without
   * any is ERR_DATA.
   */
  images(dataset: Dataset, perClass: number, seed: number, draw: number): Promise<Float32Array>;
}

/** Images of one class in float32, and where their number ends: `[count, pixels]`. */
export interface ClassImages {
  readonly label: number;
  readonly count: number;
  readonly pixels: number;
  readonly images: Float32Array;
}

/** Rows of the training split by class, shuffled for (seed, draw). */
export function shuffledRows(dataset: Dataset, seed: number, draw: number): number[][] {
  const stream = new Stream(seed, streams.baseline);
  stream.draw = draw;
  const rows: number[][] = Array.from({ length: dataset.classes }, () => []);
  for (const row of permutation(stream, dataset.train.count)) rows[dataset.train.labels[row]].push(row);
  const empty = rows.findIndex((ofClass) => ofClass.length === 0);
  if (empty >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${dataset.name}: class ${empty} has no training image, so there are no real images to compare with: leave the baselines out`,
    );
  return rows;
}

/**
 * Goes through the classes and puts what `choose` makes of each, up to `perClass` images `[chosen, pixels]`, into their
 * places; fewer than `perClass` are repeated from the start. One class at a time is in memory.
 */
export async function byClass(
  dataset: Dataset,
  perClass: number,
  seed: number,
  draw: number,
  choose: (ofClass: ClassImages) => Float32Array | Promise<Float32Array>,
): Promise<Float32Array> {
  const K = dataset.classes;
  const pixels = dataset.imageShape.reduce((a, b) => a * b, 1);
  const out = new Float32Array(perClass * K * pixels);
  for (const [label, rows] of shuffledRows(dataset, seed, draw).entries()) {
    const images = normalisedImages(dataset, dataset.train, rows);
    const chosen = await choose({ label, count: rows.length, pixels, images });
    const count = chosen.length / pixels;
    for (let j = 0; j < perClass; j++) out.set(rowOf(chosen, j % count, pixels), (j * K + label) * pixels);
    await breathe();
  }
  return out;
}

export const rowOf = (images: Float32Array, row: number, pixels: number): Float32Array =>
  images.subarray(row * pixels, (row + 1) * pixels);

/** The rows named, one after another. */
export function rowsOf(images: Float32Array, rows: readonly number[], pixels: number): Float32Array {
  const out = new Float32Array(rows.length * pixels);
  for (const [at, row] of rows.entries()) out.set(rowOf(images, row, pixels), at * pixels);
  return out;
}

/** The mean image of a class, summed in float64. */
export function meanOf({ images, count, pixels }: ClassImages): Float64Array {
  const mean = new Float64Array(pixels);
  for (let i = 0; i < count; i++) for (let s = 0; s < pixels; s++) mean[s] += images[i * pixels + s];
  for (let s = 0; s < pixels; s++) mean[s] /= count;
  return mean;
}

/** `a · b` of `length` elements from the given places on, in float64 and in a fixed order (four sums). */
export function dot(
  a: Float32Array | Float64Array,
  fromA: number,
  b: Float32Array | Float64Array,
  fromB: number,
  length: number,
): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let s = 0;
  for (; s + 3 < length; s += 4) {
    s0 += a[fromA + s] * b[fromB + s];
    s1 += a[fromA + s + 1] * b[fromB + s + 1];
    s2 += a[fromA + s + 2] * b[fromB + s + 2];
    s3 += a[fromA + s + 3] * b[fromB + s + 3];
  }
  for (; s < length; s++) s0 += a[fromA + s] * b[fromB + s];
  return s0 + s1 + (s2 + s3);
}

/** `|a - b|²`, as `dot` reads its operands. */
export function squaredDistance(
  a: Float32Array | Float64Array,
  fromA: number,
  b: Float32Array | Float64Array,
  fromB: number,
  length: number,
): number {
  let [s0, s1] = [0, 0];
  let s = 0;
  for (; s + 3 < length; s += 4) {
    const d0 = a[fromA + s] - b[fromB + s];
    const d1 = a[fromA + s + 1] - b[fromB + s + 1];
    const d2 = a[fromA + s + 2] - b[fromB + s + 2];
    const d3 = a[fromA + s + 3] - b[fromB + s + 3];
    s0 += d0 * d0 + d2 * d2;
    s1 += d1 * d1 + d3 * d3;
  }
  for (; s < length; s++) s0 += (a[fromA + s] - b[fromB + s]) ** 2;
  return s0 + s1;
}
