import { breathe } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import { count, counted } from '../util/words.js';
import { checkEveryClass, checkLabels, classCount, classCounts, labelsOf, numberNames } from './classes.js';
import { type Dataset, type Split, type SplitName, splitNames } from './dataset.js';
import { holdOut, type Splitting } from './hold-out.js';
import { checkSplitScales, knownScale } from './pixel-scale.js';
import { bytesOf, takenAsBytes } from './pixels.js';
import { channelStatistics, constantChannels } from './statistics.js';

/** What every loader of files takes. */
export interface SplitOptions extends Splitting {
  /** 2 .. 4,096; the class names or the largest label decide when missing. */
  readonly classes?: number;
  /** The file's or folder's name when missing. */
  readonly name?: string;
}

/** What a loader found, before it is checked and split. */
export interface Found {
  readonly name: string;
  /** For messages: the file or folder. */
  readonly path: string;
  /** What one of its items is called; an image when missing. */
  readonly noun?: string;
  readonly imageShape: readonly [number, number, number];
  /** How many classes there are, where the files say it. */
  readonly classes?: number;
  /** Missing where classes are numbers. */
  readonly classNames?: readonly string[];
  /** As a data set has them. */
  readonly classIds?: Dataset['classIds'];
  /** What to do about labels that do not fit their classes; missing where the number of classes can be given. */
  readonly remedy?: string;
  readonly train: Split;
  readonly validation?: Split;
  readonly test?: Split;
  /** As a data set has it. */
  readonly divisor?: number;
  /** As a data set has it. */
  readonly background?: string;
  /** Published mean and deviation, instead of those of the training images. */
  readonly statistics?: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** What was decided where the files leave something open: for people. */
  readonly notes?: readonly string[];
}

/** Of a split: few enough to be put in a random order at once. */
const MOST_IMAGES = 2 ** 22;

/**
 * A data set out of what a loader found: labels checked, missing splits held out of `train`, and statistics of what
 * is left to train on. Class numbers that begin with 1 become class names.
 *
 * @throws ERR_DATA for an empty split, a label out of range, splits of two scales or images that are all one shade; ERR_OPTION
 */
export async function assembleDataset(given: Found, options: SplitOptions = {}): Promise<Dataset> {
  const found = await withBytes(given);
  const { path, imageShape, divisor, background } = found;
  const { splits, notes, ...divided } = await divide(found, options);
  await breathe();
  checkSplitScales(path, splits);
  await breathe();
  const statistics = channelStatistics(splits.train, imageShape);
  await breathe();
  return {
    name: options.name ?? found.name,
    imageShape,
    ...divided,
    ...knownScale({ divisor, background }),
    ...(found.classIds && { classIds: found.classIds }),
    ...statistics,
    ...found.statistics,
    ...withNotes([...notes, ...variationNotes(splits.train, imageShape, path)]),
    ...splits,
  };
}

/** What a loader found, divided. */
export interface Divided extends Pick<Dataset, 'classes' | 'classNames'> {
  readonly splits: Pick<Dataset, SplitName>;
  readonly notes: readonly string[];
}

/**
 * The splits of what a loader found: labels checked, missing ones held out of `train`.
 *
 * @throws ERR_DATA for an empty split or a label out of range; ERR_OPTION
 */
export async function divide(found: Found, options: SplitOptions): Promise<Divided> {
  const { path, noun = 'image', remedy } = found;
  const given = options.classes ?? found.classes;
  const { splits: all, classNames, notes } = fromZero(found, given);
  const classes = classCount(given ?? classNames?.length, [all.train.labels]);
  for (const part of splitNames) {
    const split = all[part];
    if (split === undefined) continue;
    if (split.count === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: the ${part} split has no ${noun}s; add some or leave it out.`,
      );
    if (split.count > MOST_IMAGES)
      throw new LimbeckError(
        'ERR_DATA',
        `${path} is too large: the ${part} split has ${count(split.count)} ${noun}s, expected ${count(MOST_IMAGES)} at most; leave some out.`,
      );
    checkLabels(split.labels, classes, `${path} (${part})`, remedy);
  }
  // Classes that nothing names are called by their numbers.
  const names = numberNames(classes).map((number, k) => classNames?.[k] ?? number);
  if (given === undefined) checkEveryClass(all.train.labels, names, path, remedy);
  let { train, validation, test } = all;
  const held: string[] = [];
  for (const kind of ['test', 'validation'] as const) {
    if (all[kind] !== undefined) {
      if (options[kind] === undefined) continue;
      throw new LimbeckError(
        'ERR_OPTION',
        `${kind} is ${options[kind]}, but ${path} has ${kind} ${noun}s of its own: leave it out (--${kind}).`,
      );
    }
    await breathe();
    const divided = holdOut(train, kind, options, noun);
    train = divided.rest;
    if (kind === 'test') test = divided.held;
    else validation = divided.held;
    held.push(`${counted(divided.held.count, noun)} for ${kind}`);
  }
  const splits = { train, validation: validation!, test: test! };
  return {
    splits,
    classes,
    classNames: names,
    notes: [
      ...notes,
      // Usual where only validation is held out.
      ...(held.length > 1 || options.splitSeed !== undefined
        ? [`held out of the training ${noun}s, class by class by a fixed random choice: ${held.join(', ')}`]
        : []),
      ...missingNotes(splits, names),
    ],
  };
}

export const withNotes = (notes: readonly string[]): Pick<Dataset, 'notes'> =>
  notes.length ? { notes } : {};

/** Floats that are bytes, as bytes: all splits or none, for they are on one scale. */
async function withBytes(found: Found): Promise<Found> {
  const floats = splitNames.flatMap((part) => {
    const images = found[part]?.images;
    return images instanceof Float32Array ? [images] : [];
  });
  const bytes = await bytesOf(floats);
  if (!bytes) return found;
  const own = (split: Split | undefined) =>
    split?.images instanceof Float32Array ? { ...split, images: bytes[floats.indexOf(split.images)] } : split;
  return {
    ...found,
    train: own(found.train)!,
    validation: own(found.validation),
    test: own(found.test),
    notes: [...(found.notes ?? []), takenAsBytes],
  };
}

/** Where classes are numbered from 1 on, the same from 0 on. */
function fromZero(
  found: Found,
  classes: number | undefined,
): { splits: Pick<Found, SplitName>; classNames?: readonly string[]; notes: readonly string[] } {
  const { classNames, notes = [], train, validation, test } = found;
  const splits = { train, validation, test };
  const given = splitNames.flatMap((part) => (splits[part] ? [splits[part].labels] : []));
  const largest = classCount(undefined, given) - 1;
  const counts = classCounts(train.labels, largest + 1);
  const fromOne =
    classNames === undefined &&
    largest > 1 &&
    (classes === undefined || largest === classes) &&
    !given.some((labels) => labels.includes(0)) &&
    counts.slice(1, largest + 1).every((count) => count > 0);
  if (!fromOne) return { splits, classNames, notes };
  const shifted = (split: Split | undefined) =>
    split && { ...split, labels: labelsOf(split.labels.map((label) => label - 1)) };
  return {
    splits: { train: shifted(train)!, validation: shifted(validation), test: shifted(test) },
    classNames: numberNames(largest + 1).slice(1),
    notes: [...notes, `its labels begin with 1: the classes are called 1 to ${largest}`],
  };
}

/** The classes that are not in every split, by name. */
function missingNotes(splits: Pick<Dataset, SplitName>, names: readonly string[]): string[] {
  const some = splitNames.filter((part) => splits[part].count > 0);
  const counts = some.map((part) => classCounts(splits[part].labels, names.length));
  const missing = names.flatMap((name, k) => {
    const lacking = some.filter((_, i) => counts[i][k] === 0);
    return lacking.length ? [`${name} (no ${lacking.join(', no ')})`] : [];
  });
  if (missing.length === 0) return [];
  const more = missing.length > 10 ? `, and ${missing.length - 10} more` : '';
  return [`classes that are not in every split: ${missing.slice(0, 10).join(', ')}${more}`];
}

/** Channels without variation; images without any are refused. */
function variationNotes(train: Split, imageShape: Found['imageShape'], path: string): string[] {
  const constant = constantChannels(train, imageShape);
  const channels = imageShape[0];
  if (constant.length === channels)
    throw new LimbeckError(
      'ERR_DATA',
      `${path}: every training image is the same in every pixel (${constant.map(({ value }) => value).join(', ')}), so there is ` +
        'nothing to learn from; look at the files: were they exported blank, or white on transparent (--background black)?',
    );
  return constant.map(
    ({ channel, value }) => `channel ${channel + 1} of ${channels} is ${value} in every training image`,
  );
}
