import type { Dataset, Split } from '../../data/dataset.js';
import { normalisedImages } from '../../data/on-device.js';
import { dot } from '../../data/selection/vectors.js';
import { breathe } from '../../util/breathe.js';
import type { Confusion } from '../statistics.js';

/** Images scored between two breaths. */
const piece = 256;

/**
 * Answers of a classifier that looks up the `k` nearest chosen images (normalised pixels; image i
 * is of class `i mod K`) and takes the class most of them have; the class of the nearest wins a tie. No network and
 * nothing to train. (Wang et al. 2018, their last baseline, with k = 1.)
 */
export async function nearestNeighbours(
  dataset: Dataset,
  split: Split,
  chosen: Float32Array,
  k: number,
  signal?: AbortSignal,
): Promise<Confusion> {
  const K = dataset.classes;
  const D = dataset.imageShape.reduce((a, b) => a * b, 1);
  const n = chosen.length / D;
  const halves = Float64Array.from({ length: n }, (_, j) => dot(chosen, j * D, chosen, j * D, D) / 2);
  const distances = new Float64Array(n);
  const counts = Array.from({ length: K }, () => new Array<number>(K).fill(0));
  for (let start = 0; start < split.count; start += piece) {
    const rows = Array.from({ length: Math.min(piece, split.count - start) }, (_, i) => start + i);
    const images = normalisedImages(dataset, split, rows);
    for (const [i, row] of rows.entries()) {
      // |x - c|² / 2 without |x|² / 2, which is the same for every c.
      fillDistances(distances, images, i * D, chosen, halves, D);
      counts[split.labels[row]][vote(distances, k, K)]++;
    }
    signal?.throwIfAborted();
    await breathe();
  }
  return counts;
}

/** `half - x · c` for every chosen image c; four of them at a time, so that x is read a quarter as often. */
function fillDistances(
  distances: Float64Array,
  images: Float32Array,
  from: number,
  chosen: Float32Array,
  halves: Float64Array,
  D: number,
): void {
  const n = distances.length;
  let j = 0;
  for (; j + 3 < n; j += 4) {
    const [c0, c1, c2, c3] = [j * D, (j + 1) * D, (j + 2) * D, (j + 3) * D];
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let s = 0; s < D; s++) {
      const x = images[from + s];
      s0 += x * chosen[c0 + s];
      s1 += x * chosen[c1 + s];
      s2 += x * chosen[c2 + s];
      s3 += x * chosen[c3 + s];
    }
    distances[j] = halves[j] - s0;
    distances[j + 1] = halves[j + 1] - s1;
    distances[j + 2] = halves[j + 2] - s2;
    distances[j + 3] = halves[j + 3] - s3;
  }
  for (; j < n; j++) distances[j] = halves[j] - dot(images, from, chosen, j * D, D);
}

/** The class that most of the k nearest have. */
function vote(distances: Float64Array, k: number, K: number): number {
  const votes = new Array<number>(K).fill(0);
  const left = Float64Array.from(distances);
  const order: number[] = [];
  for (let place = 0; place < Math.min(k, left.length); place++) {
    let best = 0;
    for (let j = 1; j < left.length; j++) if (left[j] < left[best]) best = j;
    left[best] = Number.POSITIVE_INFINITY;
    order.push(best % K);
    votes[best % K]++;
  }
  const most = Math.max(...votes);
  return order.find((label) => votes[label] === most)!;
}
