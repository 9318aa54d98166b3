import { expect, test } from 'vitest';
import { suggestion } from '../src/util/closest.js';

test.each([
  ['convent', ['convnet', 'lenet'], 'did you mean convnet?'],
  ['dn', ['dc', 'unrolled', 'dm'], 'did you mean dc or dm?'],
  ['label_lr', ['lr', 'labelLr'], 'did you mean labelLr?'],
  ['xyz', ['dc', 'dm'], 'leave it out'],
  ['xyz', [], 'leave it out'],
])('%s among %j: %s', (word, known, said) => {
  expect(suggestion(word, known, 'leave it out')).toBe(said);
});
