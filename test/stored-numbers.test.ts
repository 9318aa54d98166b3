/** What a set stores: whether its labels are soft, and how many numbers it is. */
import { expect, test } from 'vitest';
import { hasSoftLabels, storedNumbers } from '../src/data/stored-numbers.js';
import { learnedSet } from './harness/distilled-set.js';

const network = { name: 'mlp', inputShape: [1, 1, 2], classes: 3 } as const;
/** Images of the given classes. */
const setOf = (classes: readonly number[], labels: readonly number[]) => ({
  ...learnedSet({
    network,
    images: new Float32Array(2 * classes.length),
    labels: Float32Array.from(labels),
    learningRates: Float32Array.of(1),
  }),
  classes: Uint16Array.from(classes),
});

test('labels are soft where they are anything but one number for the class and another for all others', () => {
  expect(hasSoftLabels(setOf([0, 2], [1, 0, 0, 0, 0, 1]))).toBe(false);
  // The last class first: the label after its own is of another image.
  expect(hasSoftLabels(setOf([2, 0], [0, 0, 1, 1, 0, 0]))).toBe(false);
  expect(hasSoftLabels(setOf([2, 0], [-0.25, -0.25, 0.5, 0.5, -0.25, -0.25]))).toBe(false);
  expect(hasSoftLabels(setOf([2, 0], [0, 0, 1, 0.5, 0.5, 0]))).toBe(true);
  expect(hasSoftLabels(setOf([2, 0], [0, 0, 1, 0, 1, 0]))).toBe(true);
  expect(hasSoftLabels(setOf([0], [0.8, 0.1, 0.2]))).toBe(true);
});

test('hard labels are no numbers of a set; what images are made of counts in their place', () => {
  const hard = setOf([2, 0], [0, 0, 1, 1, 0, 0]);
  expect(storedNumbers(hard)).toEqual({ items: 4, labels: 0, bytes: 16 });
  const soft = setOf([2, 0], [0, 0.5, 0.5, 1, 0, 0]);
  const variables = {
    a: { shape: [3], data: new Float32Array(3) },
    b: { shape: [2], data: new Float32Array(2) },
  };
  const made = { ...soft, stored: { ...soft.stored, variables } };
  expect(storedNumbers(made)).toEqual({ items: 5, labels: 6, bytes: 44 });
});
