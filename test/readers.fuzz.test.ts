/** Every reader of images, tensors and limbeck's own files on damaged and made-up ones. */
import { fuzzedReaders } from './harness/fuzz-readers.js';
import { textReaders } from './harness/fuzz-texts.js';
import { testReaders } from './harness/fuzzing.js';

// Those of texts have a file of their own, so that both run at once.
testReaders(
  'readers.fuzz',
  Object.fromEntries(Object.entries(fuzzedReaders).filter(([name]) => !Object.hasOwn(textReaders, name))),
);
