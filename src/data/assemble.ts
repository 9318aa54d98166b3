import { LimbeckError } from '../util/errors.js';
import { checkEveryClass, checkLabels, classCount, numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { holdOut, holdOutTest } from './hold-out.js';
import { channelStatistics } from './statistics.js';

/** What every loader of files takes. */
export interface SplitOptions {
  /** 2 .. 256; the class names or the largest label + 1 decide when missing. */
  readonly classes?: number;
  /** Images taken from the training images for validation; 5000 or a tenth, whichever is smaller, when missing. */
  readonly validationCount?: number;
  /** The file's or folder's name when missing. */
  readonly name?: string;
}

/** What a loader found, before it is checked and split. */
export interface Found {
  readonly name: string;
  /** For messages: the file or folder. */
  readonly path: string;
  readonly imageShape: readonly [number, number, number];
  readonly classNames?: readonly string[];
  readonly train: Split;
  readonly validation?: Split;
  readonly test?: Split;
}

/**
 * A data set out of what a loader found: labels checked, missing splits held out of `train`, and statistics of what
 * is left to train on.
 *
 * @throws ERR_DATA for an empty split or a label out of range; ERR_OPTION
 */
export function assembleDataset(found: Found, options: SplitOptions = {}): Dataset {
  const { path, imageShape, classNames } = found;
  const given = options.classes ?? classNames?.length;
  const classes = classCount(given, [found.train.labels]);
  for (const part of ['train', 'validation', 'test'] as const) {
    const split = found[part];
    if (split === undefined) continue;
    if (split.count === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: the ${part} split has no images; add some or leave it out.`,
      );
    checkLabels(split.labels, classes, `${path} (${part})`);
  }
  const notes: string[] = [];
  let { train, validation, test } = found;
  if (test === undefined) {
    ({ rest: train, test } = holdOutTest(train));
    notes.push(`${test.count} test images were held out of the training images`);
  }
  if (validation === undefined) {
    ({ train, validation } = holdOut(train, options.validationCount));
    if (notes.length) notes.push(`then ${validation.count} for validation`);
  } else if (options.validationCount !== undefined) {
    throw new LimbeckError(
      'ERR_OPTION',
      `validationCount is ${options.validationCount}, but ${path} has validation images of its own; leave it out.`,
    );
  }
  if (options.classes === undefined) checkEveryClass(train.labels, classes, path);
  return {
    name: options.name ?? found.name,
    imageShape,
    classes,
    classNames: classNames?.length === classes ? classNames : numberNames(classes),
    ...channelStatistics(train, imageShape),
    ...(notes.length && { splitNote: `${notes.join(', ')}, by a fixed random choice` }),
    train,
    validation,
    test,
  };
}
