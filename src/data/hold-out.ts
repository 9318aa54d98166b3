import { LimbeckError } from '../util/errors.js';
import { pickedRows } from '../util/picked-rows.js';
import { permutation, Stream } from '../util/random.js';
import { classCount, classCounts, labelsOf } from './classes.js';
import type { Split } from './dataset.js';

/** What is held out of the training images where a data set has none for validation or for testing. */
export interface Splitting {
  /** Of the images to train on: a fraction below 1, or how many; a tenth, at most 5000, when missing. */
  readonly validation?: number;
  /** Of all images: a fraction below 1, or how many; a fifth, at most 10,000, when missing. */
  readonly test?: number;
  /** Which images: of the random choice; 1 when missing. */
  readonly splitSeed?: number;
}

// Constants of the package, not of a run: every run on a data set must be judged on the same images, and none of them
// may ever be trained on.
const USUAL_SEED = 1;
const KINDS = {
  validation: { fraction: 1 / 10, most: 5000, stream: 0x686f6c64 }, // 'hold' in ASCII
  test: { fraction: 1 / 5, most: 10_000, stream: 0x74657374 }, // 'test'
} as const;

/** What is wrong with a number of images to hold out; undefined when nothing is. */
export const expectedHoldOut = (value: unknown): string | undefined =>
  typeof value === 'number' && value >= 0 && (value < 1 || Number.isSafeInteger(value))
    ? undefined
    : 'a fraction below 1 or a whole number of images';

/**
 * Splits images for validation or testing off a training split by a random choice that depends on seed and kind alone.
 * Every class gives in proportion to its images and keeps one at least; of a fraction, every class that has two gives one
 * at least. Both parts keep the order of the images.
 *
 * @throws ERR_OPTION when the number is impossible
 */
export function holdOut(
  all: Split,
  kind: keyof typeof KINDS,
  { [kind]: given, splitSeed = USUAL_SEED }: Splitting = {},
  noun = 'image',
): { rest: Split; held: Split } {
  const { fraction, most, stream } = KINDS[kind];
  const counts = classCounts(all.labels, classCount(undefined, [all.labels]));
  const spare = counts.reduce((sum, count) => sum + Math.max(count - 1, 0), 0);
  const expected =
    expectedHoldOut(given ?? 0) ??
    (given !== undefined && given > spare
      ? `at most ${spare}, for there are ${all.count} ${noun}s and every class needs one to train on`
      : undefined);
  if (expected !== undefined)
    throw new LimbeckError('ERR_OPTION', `${kind} is ${given}, expected ${expected} (--${kind}).`);
  const wanted =
    given === undefined
      ? Math.min(most, Math.floor(all.count * fraction))
      : given < 1
        ? Math.floor(all.count * given)
        : given;
  const everyClass = given === undefined || (given > 0 && given < 1);
  const left = quotas(counts, wanted, everyClass);
  const isHeld = new Uint8Array(all.count);
  for (const row of permutation(new Stream(splitSeed, stream), all.count))
    if (left[all.labels[row]]-- > 0) isHeld[row] = 1;
  return { rest: select(all, isHeld, 0), held: select(all, isHeld, 1) };
}

/** How many images each class gives, by largest remainders. */
function quotas(counts: readonly number[], wanted: number, everyClass: boolean): number[] {
  const all = counts.reduce((sum, count) => sum + count, 0);
  const share = (k: number) => (wanted * counts[k]) / all;
  const least = everyClass ? 1 : 0;
  const given = counts.map((count, k) =>
    Math.min(Math.max(Math.floor(share(k)), least), Math.max(count - 1, 0)),
  );
  let missing = wanted - given.reduce((sum, count) => sum + count, 0);
  const remainder = (k: number) => share(k) - Math.floor(share(k));
  const order = [...counts.keys()].sort((a, b) => remainder(b) - remainder(a) || a - b);
  for (let before = -1; missing > 0 && missing !== before; ) {
    before = missing;
    for (const k of order)
      if (missing > 0 && given[k] < counts[k] - 1) {
        given[k]++;
        missing--;
      }
  }
  return given;
}

/** Room for so many values of the same kind. */
export function emptyLike(images: Split['images'], length: number): Split['images'] {
  if (images instanceof Uint8Array) return new Uint8Array(length);
  return images instanceof Uint32Array ? new Uint32Array(length) : new Float32Array(length);
}

/** These rows of a split, in this order. */
export const rowsOf = ({ images, labels, count }: Split, rows: readonly number[]): Split => ({
  images: pickedRows(images, images.length / count, rows),
  labels: labelsOf(rows.map((row) => labels[row])),
  count: rows.length,
});

/** The images that are marked so, in their order. */
const select = (all: Split, marks: Uint8Array, mark: number): Split =>
  rowsOf(
    all,
    [...marks.keys()].filter((row) => marks[row] === mark),
  );
