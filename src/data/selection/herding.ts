import { byClass, type Selection } from './by-class.js';
import { type ClassImages, dot, meanOf, rowsOf } from './vectors.js';

/** Real images whose mean follows the class mean (Welling 2009), in normalised pixels. */
export const herding: Selection = (dataset, perClass, seed, draw) =>
  byClass(dataset, perClass, seed, draw, (ofClass) =>
    rowsOf(ofClass.images, herd(ofClass, perClass), ofClass.pixels),
  );

/**
 * Rows of up to k images, each the one that brings the mean of those chosen so far nearest to the class mean; no image
 * twice, the first one on a tie. `|m mean - sum - x|²` is least where `|x|² - 2 (m mean - sum) · x` is.
 */
export function herd(ofClass: ClassImages, k: number): number[] {
  const { images, count: N, pixels: D } = ofClass;
  const mean = meanOf(ofClass);
  const squares = Float64Array.from({ length: N }, (_, i) => dot(images, i * D, images, i * D, D));
  const target = Float64Array.from(mean);
  const rows: number[] = [];
  while (rows.length < Math.min(k, N)) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < N; i++) {
      const value = squares[i] - 2 * dot(target, 0, images, i * D, D);
      if (value < least) [best, least] = [i, value];
    }
    rows.push(best);
    squares[best] = Number.POSITIVE_INFINITY;
    for (let s = 0; s < D; s++) target[s] += mean[s] - images[best * D + s];
  }
  return rows;
}
