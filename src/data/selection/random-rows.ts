import type { Dataset } from '../dataset.js';
import type { DistilledSet } from '../distilled-set.js';
import { randomReal } from './random-real.js';

/** Images with hard labels, as a set has them. */
export type LabelledRows = Pick<DistilledSet, 'images' | 'classes' | 'labels'>;

/** Random training images, as many of each class, classes in turn, without the first `skipped` of each. */
export async function randomRows(
  dataset: Dataset,
  perClass: number,
  seed: number,
  skipped = 0,
): Promise<LabelledRows> {
  const K = dataset.classes;
  const all = await randomReal(dataset, perClass, seed, 0);
  const images = all.subarray((skipped * all.length) / perClass);
  const count = (perClass - skipped) * K;
  const labels = new Float32Array(count * K);
  for (let i = 0; i < count; i++) labels[i * K + (i % K)] = 1;
  return { images, classes: Uint16Array.from({ length: count }, (_, i) => i % K), labels };
}
