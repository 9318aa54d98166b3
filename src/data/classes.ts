import { LimbeckError } from '../util/errors.js';
import type { Labels, Split } from './dataset.js';

/** Answers are counted by class and class, for every network that is tested: of more, that alone would take gigabytes. */
export const MAX_CLASSES = 4_096;

/** Whether a number can be a label. */
export const isLabel = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value < MAX_CLASSES;

/** Labels as bytes where all of them are: the same labels have the same bytes, whoever read them. */
export function labelsOf(values: ArrayLike<number>): Labels {
  const labels = Uint16Array.from(values);
  return labels.some((label) => label > 255) ? labels : Uint8Array.from(labels);
}

/**
 * The number of classes: as given, or the largest label + 1 and at least 2.
 *
 * @throws ERR_OPTION when it is not a whole number from 2 to 4,096
 */
export function classCount(given: number | undefined, labels: readonly Labels[]): number {
  if (given === undefined) {
    let largest = 1;
    for (const part of labels) for (const label of part) if (label > largest) largest = label;
    return largest + 1;
  }
  if (!Number.isInteger(given) || given < 2 || given > MAX_CLASSES) {
    throw new LimbeckError(
      'ERR_OPTION',
      `classes is ${given}, expected a whole number from 2 to ${MAX_CLASSES}; leave it out (--classes) to count the labels.`,
    );
  }
  return given;
}

/** How many images each class has. */
export function classCounts(labels: Iterable<number>, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}

/** What to do about labels and a number of classes that do not fit, where that number can be given. */
const USUAL_REMEDY = 'correct the labels, or say how many classes there are (--classes)';

/** The same where all images of a data set are known. */
export const FETCH_AGAIN = 'these are not all of its images: fetch the files again';

/**
 * @param what the labels' file or split, for the message
 * @param remedy what to do about it
 * @throws ERR_DATA naming the first label out of range
 */
export function checkLabels(labels: Labels, classes: number, what: string, remedy = USUAL_REMEDY): void {
  const at = labels.findIndex((label) => label >= classes);
  if (at >= 0) {
    throw new LimbeckError(
      'ERR_DATA',
      `${what}: label ${at} is ${labels[at]}, expected 0 to ${classes - 1}; ${remedy}.`,
    );
  }
}

/**
 * Where the number of classes follows from the labels, every class must have a training image: a gap means a wrong
 * label far more often than a missing class.
 *
 * @param names of the classes
 * @param what the labels' file or split, for the message
 * @param remedy what to do about it
 * @throws ERR_DATA naming the first class without images
 */
export function checkEveryClass(
  labels: Labels,
  names: readonly string[],
  what: string,
  remedy = USUAL_REMEDY,
): void {
  const empty = classCounts(labels, names.length).indexOf(0);
  if (empty < 0) return;
  const numbered = names[empty] === String(empty);
  const why = numbered
    ? `labels must run from 0 or 1 without gaps, so label ${names.length - 1} may be out of range`
    : `there are ${names.slice(0, 20).join(', ')}`;
  throw new LimbeckError(
    'ERR_DATA',
    `${what}: class ${numbered ? `${empty} of 0 to ${names.length - 1}` : names[empty]} has no training image; ${why}: ${remedy}.`,
  );
}

/** Rows class by class, and where in that list each class begins: `[classes + 1]`. */
export interface RowsByClass {
  readonly order: Uint32Array;
  readonly starts: Uint32Array;
}

/**
 * @param what the data set, for the message
 * @param rows all rows, in the order that those of one class are to have
 * @throws ERR_DATA naming the first class without rows
 */
export function rowsByClass(
  labels: Split['labels'],
  classes: number,
  what: string,
  rows: Iterable<number> = labels.keys(),
): RowsByClass {
  const counts = classCounts(labels, classes);
  const empty = counts.indexOf(0);
  if (empty >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${what}: class ${empty} has no training image, expected some of every class: leave the class out, or ask for nothing that is made of the images of each class (baselines, first images, methods that go class by class)`,
    );
  const starts = new Uint32Array(classes + 1);
  for (const [c, count] of counts.entries()) starts[c + 1] = starts[c] + count;
  const next = starts.slice();
  const order = new Uint32Array(labels.length);
  for (const row of rows) order[next[labels[row]]++] = row;
  return { order, starts };
}

/** `['0', '1', …]`, for data sets whose classes have no better names. */
export function numberNames(classes: number): string[] {
  return Array.from({ length: classes }, (_, label) => String(label));
}
