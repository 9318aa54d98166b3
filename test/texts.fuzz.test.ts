/** Every reader of texts and embeddings on damaged and made-up files. */
import { textReaders } from './harness/fuzz-texts.js';
import { testReaders } from './harness/fuzzing.js';

testReaders('texts.fuzz', textReaders);
