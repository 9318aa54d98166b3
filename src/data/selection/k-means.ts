import { streams } from '../../train/streams.js';
import { breathe } from '../../util/breathe.js';
import { Stream } from '../../util/random.js';
import { byClass, type Selection } from './by-class.js';
import { type ClassImages, rowOf, rowsOf, squaredDistance } from './vectors.js';

/** The centroids of k clusters of each class, k the images per class; one of them is the class mean. */
export const kMeans: Selection = (dataset, perClass, seed, draw) =>
  byClass(dataset, perClass, seed, draw, async (ofClass) => {
    const random = new Stream(seed, streams.clustering, ofClass.label);
    random.draw = draw;
    return (await cluster(ofClass, perClass, random)).centroids;
  });

export interface Clusters {
  /** `[k, pixels]`, k at most the number of images. */
  readonly centroids: Float32Array;
  /** The nearest centroid of each image. */
  readonly assigned: Uint32Array;
}

/** Where rounding alone moves points to and fro, this many passes are enough. */
const mostPasses = 300;

/**
 * Lloyd's algorithm to its fixed point from a k-means++ start (Arthur & Vassilvitskii 2007). A cluster that loses all
 * its images keeps its centroid. Distances that the triangle inequality shows to change nothing are not computed
 * (Elkan 2003, with the bounds of points alone): `upper` bounds the distance to the own centroid from above, `lower`
 * those to all of them from below.
 */
export async function cluster(
  ofClass: ClassImages,
  k: number,
  random: Stream,
  passes = mostPasses,
): Promise<Clusters> {
  const { images, count: N, pixels: D } = ofClass;
  const K = Math.min(k, N);
  const centroids = rowsOf(images, plusPlus(ofClass, K, random), D);
  const assigned = new Uint32Array(N);
  const upper = new Float64Array(N).fill(Number.POSITIVE_INFINITY);
  const lower = new Float64Array(N * K);
  const sums = new Float64Array(K * D);
  const counts = new Float64Array(K);
  for (let pass = 0; pass < passes; pass++) {
    let changes = 0;
    for (let i = 0; i < N; i++) {
      const own = assigned[i];
      assigned[i] = nearest(i);
      if (pass > 0 && assigned[i] === own) continue;
      changes++;
      if (pass > 0) count(i, own, -1);
      count(i, assigned[i], 1);
    }
    if (changes === 0) break;
    move();
    await breathe();
  }
  return { centroids, assigned };

  function distance(i: number, j: number): number {
    return (lower[i * K + j] = Math.sqrt(squaredDistance(images, i * D, centroids, j * D, D)));
  }

  /** The nearest centroid of image i; the one it has wins a tie. */
  function nearest(i: number): number {
    let best = assigned[i];
    let least = upper[i];
    let exact = false;
    for (let j = 0; j < K; j++) {
      if (j === best || lower[i * K + j] >= least) continue;
      if (!exact) {
        least = distance(i, best);
        exact = true;
        if (lower[i * K + j] >= least) continue;
      }
      const other = distance(i, j);
      if (other < least) [best, least] = [j, other];
    }
    upper[i] = exact || Number.isFinite(least) ? least : distance(i, best);
    return best;
  }

  /** Adds image i to the sum of cluster j, or takes it out again. */
  function count(i: number, j: number, sign: 1 | -1): void {
    const [from, to] = [i * D, j * D];
    counts[j] += sign;
    for (let s = 0; s < D; s++) sums[to + s] += sign * images[from + s];
  }

  /** Centroids to the means of their images; the bounds follow. */
  function move(): void {
    const moved = new Float64Array(K);
    for (let j = 0; j < K; j++) {
      if (counts[j] === 0) continue;
      const before = rowOf(centroids, j, D).slice();
      for (let s = 0; s < D; s++) centroids[j * D + s] = sums[j * D + s] / counts[j];
      // Rounding must not turn a bound into a lie.
      moved[j] = Math.sqrt(squaredDistance(before, 0, centroids, j * D, D)) * (1 + 1e-9);
    }
    for (let i = 0; i < N; i++) {
      upper[i] += moved[assigned[i]];
      for (let j = 0; j < K; j++) lower[i * K + j] -= moved[j];
    }
  }
}

/** Rows to start from: each drawn with probability proportional to its squared distance from those before it. */
function plusPlus({ images, count: N, pixels: D }: ClassImages, k: number, random: Stream): number[] {
  const rows = [Math.min(N - 1, Math.floor(random.uniform(0) * N))];
  const least = new Float64Array(N).fill(Number.POSITIVE_INFINITY);
  while (rows.length < k) {
    const last = rows[rows.length - 1];
    let total = 0;
    for (let i = 0; i < N; i++) {
      least[i] = Math.min(least[i], squaredDistance(images, i * D, images, last * D, D));
      total += least[i];
    }
    let left = random.uniform(rows.length) * total;
    let row = 0;
    // All images that are left may be copies of chosen ones: then any will do.
    while (row < N - 1 && (left -= least[row]) >= 0) row++;
    rows.push(row);
  }
  return rows;
}
