import { streams } from '../../train/streams.js';
import { breathe } from '../../util/breathe.js';
import { permutation, Stream } from '../../util/random.js';
import { rowsByClass } from '../classes.js';
import type { Dataset } from '../dataset.js';
import { normalisedImages } from '../on-device.js';
import { type ClassImages, rowOf } from './vectors.js';

/**
 * Chooses or makes images out of those of the training split: `[perClass * K, C, H, W]`, normalised; image i is of class
 * `i mod K`. The same for the same seed and draw. A class with fewer images than asked for gives them again from the start;
 * one without any is ERR_DATA.
 */
export type Selection = (
  dataset: Dataset,
  perClass: number,
  seed: number,
  draw: number,
) => Promise<Float32Array>;

/** Rows of the training split by class, shuffled for (seed, draw). */
export function shuffledRows({ name, train, classes }: Dataset, seed: number, draw: number): Uint32Array[] {
  const stream = new Stream(seed, streams.baseline);
  stream.draw = draw;
  const { order, starts } = rowsByClass(train.labels, classes, name, permutation(stream, train.count));
  return Array.from({ length: classes }, (_, c) => order.subarray(starts[c], starts[c + 1]));
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
