/** Which class is the answer: the largest of a row. */
import { expect, test } from 'vitest';
import { argmax } from '../src/util/argmax.js';

test.each([
  [[3], 0],
  [[-2, -1, -3], 1],
  [[1, 5, 5], 1],
  [[-0, 0], 0],
  [[Number.NEGATIVE_INFINITY, -1e30], 1],
  // No comparison with NaN may make an answer of it, wherever it stands.
  [[Number.NaN, 1], -1],
  [[1, Number.NaN], -1],
])('of %j it is number %i', (numbers, at) => {
  expect(argmax(numbers)).toBe(at);
  expect(argmax(Float32Array.from(numbers))).toBe(at);
});
