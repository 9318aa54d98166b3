import type { DistilledSet } from './distilled-set.js';

/** Numbers that a set stores. */
export interface StoredNumbers {
  /** Of images, or of what they are made of. */
  readonly items: number;
  /** Of labels: 0 where they are hard, and the class of each image says them. */
  readonly labels: number;
}

/** Whether any label is not 0 or 1. */
export const hasSoftLabels = ({ labels }: Pick<DistilledSet, 'labels'>): boolean =>
  labels.some((label) => label !== 0 && label !== 1);

/** How many numbers a set stores: what its budget is. */
export function storedNumbers({ images, labels, stored }: DistilledSet): StoredNumbers {
  const variables = Object.values(stored.variables);
  const items = variables.length ? variables.reduce((sum, { data }) => sum + data.length, 0) : images.length;
  return { items, labels: hasSoftLabels({ labels }) ? labels.length : 0 };
}
