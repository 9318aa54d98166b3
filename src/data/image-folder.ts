import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { classNamesOf } from './class-names.js';
import { labelsOf, MAX_CLASSES } from './classes.js';
import { type Dataset, type Split, type SplitName, splitNames } from './dataset.js';
import { type DecodeOptions, decodeImages, imageFile } from './image-files.js';
import { listImages } from './image-list.js';
import type { LabelTableOptions } from './label-table.js';

export type ImageFolderOptions = DecodeOptions & LabelTableOptions & Omit<SplitOptions, 'classes'>;

/**
 * Loads a folder of images, one folder per class: `train/CLASS/*.jpg`, `test/CLASS/*.jpg` and possibly
 * `validation/CLASS/*.jpg`; or just `CLASS/*.jpg`, from which test and validation images are then held out. The images of a split
 * may also lie together, with a table of their classes. Classes are numbered in the order of their names, in which numbers
 * count as numbers: `2` comes before `10`.
 *
 * @throws ERR_FILE_MISSING for a folder that cannot be read; ERR_DATA for images that cannot be decoded or of which nothing says the
 * class, a class without images; ERR_OPTION
 */
export async function loadImageFolder(folder: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const files = await listImages(folder, options);
  const all = splitNames.flatMap((part) => files[part].map((file) => ({ part, ...file })));
  const { names, numbers, notes } = classNamesOf(all.map(({ className }) => className));
  if (names.length < 2 || names.length > MAX_CLASSES)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder} has ${names.length} class folders with images, expected 2 to ${MAX_CLASSES}: ` +
        'train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg.',
    );
  // All splits in one go: sizes and colour are decided for all of them.
  const decoded = await decodeImages(
    all.map(({ path }) => imageFile(path)),
    options,
  );
  const kept = decoded.kept.map((index) => all[index]);
  const splits = splitsOf(
    decoded,
    kept.map(({ part, className }) => ({ part, label: numbers.get(className)! })),
  );
  const titles = await titlesOf(folder, names);
  return assembleDataset(
    {
      name: basename(resolve(folder)),
      path: folder,
      imageShape: decoded.imageShape,
      divisor: decoded.divisor,
      background: options.background,
      classNames: titles,
      classIds: titles === names ? undefined : names,
      remedy: 'add some to train on, or move the images of the class elsewhere',
      train: splits.train!,
      validation: splits.validation,
      test: splits.test,
      notes: [...files.notes, ...notes, ...decoded.notes],
    },
    options,
  );
}

/** Decoded images, those of a split together, as splits. */
export function splitsOf(
  { imageShape, data }: { imageShape: readonly number[]; data: Split['images'] },
  images: readonly { readonly part: SplitName; readonly label: number }[],
): Partial<Record<SplitName, Split>> {
  const length = imageShape.reduce((a, b) => a * b, 1);
  const splits: Partial<Record<SplitName, Split>> = {};
  let at = 0;
  for (const part of splitNames) {
    const own = images.filter((image) => image.part === part);
    if (own.length === 0) continue;
    const pixels = data.subarray(at, (at += own.length * length));
    splits[part] = { images: pixels, labels: labelsOf(own.map(({ label }) => label)), count: own.length };
  }
  return splits;
}

/** Of classes called as in WordNet, the words that `words.txt` has for them. */
async function titlesOf(folder: string, names: readonly string[]): Promise<readonly string[]> {
  if (!names.every((name) => /^n\d{8}$/.test(name))) return names;
  const text = await readFile(join(folder, 'words.txt'), 'utf8').catch(() => '');
  const words = new Map(text.split('\n').map((line) => line.split('\t') as [string, string]));
  const titles = names.map((name) => words.get(name)?.split(',')[0].trim() || name);
  return titles.map((title, i) => (titles.indexOf(title) === titles.lastIndexOf(title) ? title : names[i]));
}
