import { byClass, type Selection } from './by-class.js';
import { type ClassImages, meanOf, rowsOf, squaredDistance } from './vectors.js';

/** Real images such that none is far from one of them: farthest-first, from the one nearest to the class mean. */
export const kCentre: Selection = (dataset, perClass, seed, draw) =>
  byClass(dataset, perClass, seed, draw, (ofClass) =>
    rowsOf(ofClass.images, centres(ofClass, perClass), ofClass.pixels),
  );

/**
 * Rows of up to k images, each the farthest from those before it; the first one on a tie. The largest distance that is
 * left is at most twice the least possible (Gonzalez 1985).
 */
export function centres(ofClass: ClassImages, k: number): number[] {
  const { images, count: N, pixels: D } = ofClass;
  const mean = meanOf(ofClass);
  const fromMean = Float64Array.from({ length: N }, (_, i) => squaredDistance(images, i * D, mean, 0, D));
  const rows = [fromMean.indexOf(fromMean.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY))];
  const least = new Float64Array(N).fill(Number.POSITIVE_INFINITY);
  while (rows.length < Math.min(k, N)) {
    const last = rows[rows.length - 1];
    let farthest = 0;
    for (let i = 0; i < N; i++) {
      least[i] = Math.min(least[i], squaredDistance(images, i * D, images, last * D, D));
      if (least[i] > least[farthest]) farthest = i;
    }
    rows.push(farthest);
  }
  return rows;
}
