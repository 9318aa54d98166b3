import { LimbeckError } from '../util/errors.js';
import { expectOptions, shown } from '../util/expect.js';
import { feistelPermutation, Stream, seedWords } from '../util/random.js';
import { numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { deform, placeInImage } from './handwriting/deform.js';
import { Draws } from './handwriting/draws.js';
import { inkStrokes } from './handwriting/pen.js';
import { DIGIT_STYLES } from './handwriting/skeletons.js';
import { drawStroke } from './handwriting/stroke.js';
import { channelStatistics } from './statistics.js';

/** How many digits to draw, of what size, and from which seed. */
export interface DigitsOptions {
  /** Non-negative whole number; 0 when missing. */
  readonly seed?: number;
  /** Images of each split, at least 1; 10,000, 1000 and 2000 when missing. */
  readonly train?: number;
  /** As `train`. */
  readonly validation?: number;
  /** As `train`. */
  readonly test?: number;
  /** Height and width in pixels, 8 .. 256; 28 when missing. */
  readonly size?: number;
}

const optionNames = { seed: true, train: true, validation: true, test: true, size: true } satisfies Record<
  keyof DigitsOptions,
  true
>;

/** Stream numbers: no image of one split is drawn from the numbers of another. */
const STREAMS = { train: 0x64696700, validation: 0x64696701, test: 0x64696702 } as const;
const CLASSES = DIGIT_STYLES.length;

/**
 * Handwritten-like digits, white on black as in MNIST, drawn from scratch: a data set that needs no file. Image `j`
 * of a split depends on `(seed, split, j, size)` alone, so a smaller set is a prefix of a larger one; every run of
 * ten images holds each class once.
 *
 * @throws ERR_OPTION for a seed, count or size out of range
 */
export function generateDigits(options: DigitsOptions = {}): Dataset {
  expectOptions('generateDigits', options, optionNames);
  const { seed = 0, train = 10_000, validation = 1000, test = 2000, size = 28 } = options;
  checkRange('size', size, 8, 256);
  const counts = { train, validation, test };
  for (const [name, count] of Object.entries(counts)) {
    checkRange(name, count, 1, Math.floor((2 ** 31 - 1) / (size * size)));
  }
  const trainSplit = drawSplit(seed, STREAMS.train, train, size);
  return {
    name: 'digits',
    imageShape: [1, size, size],
    classes: CLASSES,
    classNames: numberNames(CLASSES),
    ...channelStatistics(trainSplit, [1, size, size]),
    train: trainSplit,
    validation: drawSplit(seed, STREAMS.validation, validation, size),
    test: drawSplit(seed, STREAMS.test, test, size),
  };
}

function drawSplit(seed: number, stream: number, count: number, size: number): Split {
  const pixels = size * size;
  const images = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  const [seedLow, seedHigh] = seedWords(seed);
  const random = new Stream(seed, stream);
  for (let j = 0; j < count; j++) {
    // Every ten have every digit; how evenly their orders are spread does not matter.
    labels[j] = feistelPermutation(
      [seedLow, seedHigh, stream, Math.floor(j / CLASSES)],
      CLASSES,
      j % CLASSES,
    );
    random.draw = j;
    drawDigit(labels[j], size, images.subarray(j * pixels, (j + 1) * pixels), new Draws(random));
  }
  return { images, labels, count };
}

function drawDigit(label: number, size: number, image: Uint8Array, draws: Draws): void {
  const styles = DIGIT_STYLES[label];
  const { strokes: skeletons } = styles[draws.choice(styles.map(({ weight }) => weight))];
  const jitter = draws.uniform(0.012, 0.036); // a steady or an unsteady hand
  const strokes = skeletons.map((skeleton) => drawStroke(skeleton, jitter, draws));
  deform(strokes, draws);
  placeInImage(strokes, size, draws);
  inkStrokes(strokes, size, image, draws);
}

function checkRange(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new LimbeckError(
      'ERR_OPTION',
      `generateDigits: ${name} is ${shown(value)}, expected a whole number from ${low} to ${high}.`,
    );
  }
}
