import { count, counted, saidOf } from '../util/words.js';
import { classCounts } from './classes.js';
import { type Dataset, type Split, type SplitName, splitNames } from './dataset.js';
import { expectDataset } from './expect-dataset.js';
import { extremes, pixelScaleOf, pixelsText } from './pixel-scale.js';
import { FILLING, UNKNOWN } from './text/encoding.js';
import { type TextRecord, textRecord } from './text/stored.js';

/** How many images are in each split. */
export interface SplitCounts {
  /** Images to train on. */
  readonly train: number;
  /** Images to choose on. */
  readonly validation: number;
  /** Images to test on. */
  readonly test: number;
}

/** One class, and how many images of it are in each split. */
export interface ClassInspection extends SplitCounts {
  /** What it is called. */
  readonly name: string;
}

/** What a data set holds, and what looks wrong with it. */
export interface Inspection {
  /** `[C, H, W]` of one image. */
  readonly imageShape: readonly [number, number, number];
  /** Whether pixels are bytes, or floats. */
  readonly values: 'bytes' | 'floats' | 'words';
  /** Of texts: how they are read. */
  readonly text?: TextRecord;
  /** The least and the largest value of the training images, as they are stored; of texts of the numbers of words. */
  readonly range: readonly [number, number];
  /** Per channel, of values scaled to 0..1. */
  readonly mean: readonly number[];
  /** As `mean`. */
  readonly std: readonly number[];
  /** How many images each split has. */
  readonly splits: SplitCounts;
  /** Every class. */
  readonly classes: readonly ClassInspection[];
  /** What was decided where the files leave something open. */
  readonly notes: readonly string[];
  /** What looks wrong. */
  readonly warnings: readonly string[];
}

/** Below this, one image more or less is more than a percent. */
const FEW = 100;
/** Times as many images as another class has. */
const UNBALANCED = 10;

/**
 * Looks through a data set before anything is trained on it.
 *
 * @throws ERR_OPTION for what is no data set, ERR_DATA for one that no file could bring
 */
export function inspectDataset(data: Dataset): Inspection {
  expectDataset('inspectDataset', data, splitNames);
  const { imageShape, classNames, mean, std, train, text, notes = [] } = data;
  const counts = splitNames.map((part) => classCounts(data[part].labels, data.classes));
  const classes = classNames.map((name, k) => ({
    name,
    ...perPart((_, i) => counts[i][k]),
  }));
  const range = extremes(text ? text.table : train.images);
  const splits = perPart((part) => data[part].count);
  return {
    imageShape,
    values: text ? 'words' : train.images instanceof Uint8Array ? 'bytes' : 'floats',
    ...(text && { text: textRecord(text) }),
    range,
    mean,
    std,
    splits,
    classes,
    notes,
    warnings: [
      ...oddScale(data),
      ...smallSplits(splits, data),
      ...unbalanced(data, counts[0]),
      ...constantClasses(data),
      ...duplicates(data),
    ],
  };
}

function perPart(of: (part: SplitName, i: number) => number): SplitCounts {
  const [train, validation, test] = splitNames.map(of);
  return { train, validation, test };
}

/** Splits whose accuracies are rough: for people. */
export const smallSplits = (counts: SplitCounts, data: { readonly text?: unknown }): string[] =>
  (['validation', 'test'] as const).flatMap((part) => {
    const images = counts[part];
    if (images >= FEW) return [];
    const means = images
      ? `one of them is ${(100 / images).toFixed(1)} % of accuracy`
      : 'nothing can be measured on it';
    return [
      saidOf(
        data,
        `the ${part} split has ${counted(images, 'image')}: ${means}; where it is held out of the training images, --${part} takes more`,
      ),
    ];
  });

/** Pixels that later images may not have the scale of. */
function oddScale(data: Dataset): string[] {
  const { range } = pixelScaleOf(data);
  if (range)
    return [
      `its pixels are ${pixelsText({ range })}, not in 0..1: networks that learn from them take such floats alone, and no image files; where they are pictures, give bytes, or floats divided by what white is`,
    ];
  const { images } = data.zca?.source.train ?? data.train;
  return images instanceof Uint8Array && images.length && !images.some((value) => value > 1)
    ? ['none of its bytes is above 1, where white is 255: where 1 is white, multiply them by 255']
    : [];
}

function unbalanced(data: Dataset, counts: readonly number[]): string[] {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  if (most < UNBALANCED * least) return [];
  const name = (value: number) => data.classNames[counts.indexOf(value)];
  return [
    `the classes are unbalanced: ${name(most)} has ${count(most)} training ${saidOf(data, 'images')}, ${name(least)} has ${count(least)}`,
  ];
}

/** Classes all of whose training images are the same. */
function constantClasses(data: Dataset): string[] {
  const { train, classNames } = data;
  const length = train.images.length / train.count;
  const first = new Map<number, number>();
  const varies = new Set<number>();
  for (const [i, label] of train.labels.entries()) {
    const other = first.get(label);
    if (other === undefined) first.set(label, i);
    else if (!varies.has(label) && differ(train, i, other, length)) varies.add(label);
  }
  const counts = classCounts(train.labels, classNames.length);
  const constant = classNames.filter((_, k) => counts[k] > 1 && !varies.has(k));
  return constant.length
    ? [
        `all training ${saidOf(data, 'images')} are the same in: ${constant.slice(0, 10).join(', ')}${constant.length > 10 ? ', …' : ''}`,
      ]
    : [];
}

function differ({ images }: Split, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (images[a * length + i] !== images[b * length + i]) return true;
  return false;
}

/** Images that are in two splits. */
function duplicates(data: Dataset): string[] {
  const [train, validation, test] = splitNames.map((part) => keysOf(data, data[part]));
  const pairs = [
    ['validation', validation, 'training', train],
    ['test', test, 'training', train],
    ['test', test, 'validation', validation],
  ] as const;
  return pairs.flatMap(([part, keys, other, others]) => {
    const known = new Set(others);
    const twice = keys.filter((key) => key !== undefined && known.has(key)).length;
    return twice
      ? [
          saidOf(
            data,
            `${count(twice)} of ${count(keys.length)} ${part} images are ${other} images, too: remove one of each`,
          ),
        ]
      : [];
  });
}

/** Two different images of a data set hardly ever have the same: 53 bits of two hashes. Texts that were cut or have unknown words have none. */
function keysOf({ text }: Dataset, { images, count: total }: Split): (number | undefined)[] {
  const bytes = new Uint8Array(images.buffer, images.byteOffset, images.byteLength);
  const length = total ? bytes.length / total : 0;
  return Array.from({ length: total }, (_, i) => {
    if (text && !isWhole(images.subarray(i * text.length, (i + 1) * text.length))) return undefined;
    let [a, b] = [0x811c9dc5, 0x9e3779b9];
    for (let at = i * length; at < (i + 1) * length; at++) {
      a = Math.imul(a ^ bytes[at], 0x01000193);
      b = Math.imul(b + bytes[at], 0x85ebca6b) ^ (b >>> 13);
    }
    return (a >>> 0) * 2 ** 21 + (b >>> 11);
  });
}

const isWhole = (words: Split['images']): boolean =>
  words[words.length - 1] === FILLING && !words.includes(UNKNOWN);
