import { fitsHalf } from '../util/half.js';
import type { DistilledSet } from './distilled-set.js';

/** Numbers that a set stores. */
export interface StoredNumbers {
  /** Of images, or of what they are made of. */
  readonly items: number;
  /** Of labels: 0 where they are hard, and the class of each image says them. */
  readonly labels: number;
  /** Four for each number, two for those of labels in half precision. */
  readonly bytes: number;
}

/** Whether a file holds the labels of a set in half precision: those of a teacher that were rounded to it. */
export const hasHalfLabels = ({ teacher, labels }: Pick<DistilledSet, 'teacher' | 'labels'>): boolean =>
  teacher !== undefined && fitsHalf(labels);

/** Whether labels are anything but one number for the class of an image, and another one for all others. */
export function hasSoftLabels({
  labels,
  classes,
  network: { classes: K },
}: Pick<DistilledSet, 'labels' | 'classes' | 'network'>): boolean {
  const [right, wrong] = [labels[classes[0]], labels[(classes[0] + 1) % K]];
  return labels.some((value, i) => value !== (i % K === classes[Math.floor(i / K)] ? right : wrong));
}

/** How many numbers a set stores: what its budget is. */
export function storedNumbers(set: DistilledSet): StoredNumbers {
  const { images, labels, stored } = set;
  const variables = Object.values(stored.variables);
  const items = variables.length ? variables.reduce((sum, { data }) => sum + data.length, 0) : images.length;
  const soft = hasSoftLabels(set) ? labels.length : 0;
  return { items, labels: soft, bytes: 4 * items + (hasHalfLabels(set) ? 2 : 4) * soft };
}
