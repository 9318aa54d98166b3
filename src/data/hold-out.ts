import { LimbeckError } from '../util/errors.js';
import { permutation, Stream } from '../util/random.js';
import type { Split } from './dataset.js';

// Constants of the package, not of a run: every run on a data set must be judged on the same validation images,
// and none of them may ever be trained on.
const HOLD_OUT_SEED = 1;
const HOLD_OUT_STREAM = 0x686f6c64; // 'hold' in ASCII
const TEST_STREAM = 0x74657374; // 'test'

/** 5000 images or a tenth of the training file, whichever is smaller. */
export function defaultValidationCount(trainCount: number): number {
  return Math.min(5000, Math.floor(trainCount / 10));
}

/**
 * Splits validation images off a training split by a fixed random choice; both parts keep the file's order.
 *
 * @param validationCount `0 .. count - 1`; `defaultValidationCount` when missing
 * @throws ERR_OPTION when the count leaves nothing to train on
 */
export function holdOut(
  all: Split,
  validationCount: number = defaultValidationCount(all.count),
): { train: Split; validation: Split } {
  if (!Number.isInteger(validationCount) || validationCount < 0 || validationCount >= all.count) {
    throw new LimbeckError(
      'ERR_OPTION',
      `validationCount is ${validationCount}, expected a whole number from 0 to ${all.count - 1}, ` +
        `because the training set has ${all.count} images and some must be left to train on.`,
    );
  }
  const [validation, train] = divide(all, validationCount, HOLD_OUT_STREAM);
  return { train, validation };
}

/**
 * Splits test images off data that come without any: a fifth, at most 10,000, by a fixed random choice that has
 * nothing to do with the one for validation.
 */
export function holdOutTest(all: Split): { rest: Split; test: Split } {
  const [test, rest] = divide(all, Math.min(10_000, Math.floor(all.count / 5)), TEST_STREAM);
  return { rest, test };
}

function divide(all: Split, count: number, stream: number): [Split, Split] {
  const order = permutation(new Stream(HOLD_OUT_SEED, stream), all.count);
  return [select(all, order.slice(0, count).sort()), select(all, order.slice(count).sort())];
}

function select(all: Split, indices: Uint32Array): Split {
  const imageLength = all.images.length / all.count;
  const images = emptyLike(all.images, indices.length * imageLength);
  const labels = new Uint8Array(indices.length);
  indices.forEach((from, to) => {
    images.set(all.images.subarray(from * imageLength, (from + 1) * imageLength), to * imageLength);
    labels[to] = all.labels[from];
  });
  return { images, labels, count: indices.length };
}

function emptyLike(images: Split['images'], length: number): Split['images'] {
  return images instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
}
