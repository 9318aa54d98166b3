import { LimbeckError, shapeText } from '../util/errors.js';
import { expectArgument, expectOptions } from '../util/expect.js';
import {
  checkEveryClass,
  checkLabels,
  classCount,
  isLabel,
  labelsOf,
  MAX_CLASSES,
  numberNames,
} from './classes.js';
import type { Dataset, Labels, Split } from './dataset.js';
import { holdOut } from './hold-out.js';
import { channelStatistics } from './statistics.js';

/** One part of a data set in plain arrays. */
export interface ArraySplit {
  /**
   * `[count, C, H, W]`, flat. `Uint8Array` and `Uint8ClampedArray` are bytes 0..255; everything else is taken as
   * floats and stored as float32.
   */
  readonly images: Uint8Array | Uint8ClampedArray | Float32Array | Float64Array | readonly number[];
  /** `[count]`, whole numbers from 0 on. */
  readonly labels: ArrayLike<number>;
}

/** A data set in plain arrays, for `datasetFromArrays`. */
export interface ArrayDataset {
  /** 'arrays' when missing. */
  readonly name?: string;
  /** `[C, H, W]`. */
  readonly imageShape: readonly [number, number, number];
  /** 2 .. 4,096; the largest label + 1 when missing. */
  readonly classes?: number;
  /** Training images; of them validation images are taken where there are none. */
  readonly train: ArraySplit;
  /** When missing, 5000 images or a tenth of `train`, whichever is smaller, are split off class by class. */
  readonly validation?: ArraySplit;
  /** When missing, the test split is empty. */
  readonly test?: ArraySplit;
}

const fieldNames = {
  name: true,
  imageShape: true,
  classes: true,
  train: true,
  validation: true,
  test: true,
  // Of a data set, from which one of arrays may be made; they follow from the arrays here.
  classNames: true,
  classIds: true,
  mean: true,
  std: true,
  zca: true,
  text: true,
  divisor: true,
  background: true,
  originalShape: true,
  notes: true,
} satisfies Record<keyof ArrayDataset | keyof Dataset, true>;

/**
 * A data set from arrays in memory. Bytes and float32 images are used as they are, not copied, unless a
 * validation split is taken from them.
 *
 * @throws ERR_SHAPE for an impossible image shape or arrays of the wrong length; ERR_DATA for a label out of range,
 * a value that is not finite (naming the first), or an empty training split; ERR_OPTION
 */
export function datasetFromArrays(given: ArrayDataset): Dataset {
  expectOptions('datasetFromArrays', given, fieldNames);
  expectArgument('datasetFromArrays', 'train', given.train, 'images', 'an object with images and labels');
  if ((given as Partial<Dataset>).text)
    throw new LimbeckError(
      'ERR_OPTION',
      'datasetFromArrays: text is given, expected images; of texts take the data set itself: { ...dataset, train }',
    );
  const imageShape = checkImageShape(given.imageShape);
  const all = toSplit(given.train, imageShape, 'train');
  if (all.count === 0) {
    throw new LimbeckError(
      'ERR_DATA',
      'datasetFromArrays: train is empty; give at least one image and its label.',
    );
  }
  const validation = given.validation && toSplit(given.validation, imageShape, 'validation');
  const test = given.test ? toSplit(given.test, imageShape, 'test') : emptySplit(all.images);

  const checked = Object.entries({ train: all, validation: validation ?? emptySplit(all.images), test });
  const classes = classCount(given.classes, [all.labels]);
  const remedy = 'correct the labels, or say how many classes there are: classes';
  for (const [part, { labels }] of checked)
    checkLabels(labels, classes, `datasetFromArrays: ${part}`, remedy);

  if (given.classes === undefined)
    checkEveryClass(all.labels, numberNames(classes), 'datasetFromArrays: train', remedy);
  const parts = validation ? { train: all, validation } : withValidation(all);
  return {
    name: given.name ?? 'arrays',
    imageShape,
    classes,
    classNames: numberNames(classes),
    ...channelStatistics(parts.train, imageShape),
    ...parts,
    test,
  };
}

function withValidation(all: Split): { train: Split; validation: Split } {
  const { rest, held } = holdOut(all, 'validation');
  return { train: rest, validation: held };
}

function checkImageShape(shape: readonly number[]): [number, number, number] {
  if (shape.length !== 3 || !shape.every((size) => Number.isInteger(size) && size >= 1)) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `datasetFromArrays: imageShape is ${shapeText(shape)}, expected [C, H, W] with whole numbers from 1 on, ` +
        'such as [1, 28, 28].',
    );
  }
  return [shape[0], shape[1], shape[2]];
}

function toSplit(given: ArraySplit, imageShape: readonly number[], part: string): Split {
  const count = given.labels.length;
  const expected = count * imageShape[0] * imageShape[1] * imageShape[2];
  if (given.images.length !== expected) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `datasetFromArrays: ${part}.images has ${given.images.length} values, expected ${expected}: ${count} labels ` +
        `times ${shapeText(imageShape)}. Give one label per image, and every image in full.`,
    );
  }
  return { images: toImages(given.images, part), labels: toLabels(given.labels, part), count };
}

function toImages(given: ArraySplit['images'], part: string): Uint8Array | Float32Array {
  if (given instanceof Uint8Array || given instanceof Uint8ClampedArray) {
    // A Buffer of Node becomes plain bytes too: its slice() would not copy.
    return given.constructor === Uint8Array
      ? given
      : new Uint8Array(given.buffer, given.byteOffset, given.length);
  }
  const images = given instanceof Float32Array ? given : Float32Array.from(given);
  const bad = images.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new LimbeckError(
      'ERR_DATA',
      `datasetFromArrays: ${part}.images[${bad}] is ${given[bad]}, expected a finite float32 value; repair or ` +
        'remove that image.',
    );
  }
  return images;
}

function toLabels(given: ArrayLike<number>, part: string): Labels {
  for (let index = 0; index < given.length; index++)
    if (!isLabel(given[index]))
      throw new LimbeckError(
        'ERR_DATA',
        `datasetFromArrays: ${part}.labels[${index}] is ${given[index]}, expected a whole number from 0 to ${MAX_CLASSES - 1}.`,
      );
  return labelsOf(given);
}

/** Of the same kind of values as `images`. */
function emptySplit(images: Split['images']): Split {
  const none = images instanceof Uint8Array ? new Uint8Array(0) : new Float32Array(0);
  return { images: none, labels: new Uint8Array(0), count: 0 };
}
