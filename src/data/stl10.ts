import { join } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { unreadable } from './bytes.js';
import { FETCH_AGAIN, numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { type Files, openFiles } from './files.js';
import { transposed } from './idx.js';
import { tarMembers } from './tar.js';

const IMAGE_SHAPE = [3, 96, 96] as const;
const PIXELS = 3 * 96 * 96;
const CLASSES = 10;

const FILES = ['train_X.bin', 'train_y.bin', 'test_X.bin', 'test_y.bin', 'class_names.txt'];
/** They are 2.7 GB, and have no classes. */
const UNUSED = ['unlabeled_X.bin', 'fold_indices.txt'];

/** Whether a folder holds the binary version of STL-10, by the names in it. */
export const isStl10 = (names: readonly string[]): boolean => names.includes('train_X.bin');

/** Whether an archive does, by the first file in it. @throws as `tarMembers` */
export async function isStl10Archive(path: string): Promise<boolean> {
  // macOS puts files with its attributes before those that they belong to.
  for await (const { name } of tarMembers(path))
    if (!name.startsWith('.')) return [...FILES, ...UNUSED].includes(name);
  return false;
}

/**
 * Loads the binary version of STL-10: a folder with `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin` and possibly
 * `class_names.txt`, or the `.tar.gz` they come in, of which no more than these is held. Images are stored transposed, classes from 1 on;
 * those without classes (`unlabeled_X.bin`) are left out.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA for a label out of range; ERR_OPTION
 */
export async function loadStl10(path: string, options: Omit<SplitOptions, 'classes'> = {}): Promise<Dataset> {
  const files = await openFiles(path, (name) => FILES.includes(name));
  const stored = await files.get('class_names.txt')?.();
  const names = new TextDecoder()
    .decode(stored)
    .split('\n')
    .filter((line) => line.trim());
  return assembleDataset(
    {
      name: 'stl10',
      path,
      remedy: FETCH_AGAIN,
      imageShape: IMAGE_SHAPE,
      classNames: names.length === CLASSES ? names.map((name) => name.trim()) : numberNames(CLASSES),
      train: await readSplit(path, files, 'train'),
      test: await readSplit(path, files, 'test'),
    },
    options,
  );
}

async function readSplit(from: string, files: Files, part: 'train' | 'test'): Promise<Split> {
  const [name, labelName] = [`${part}_X.bin`, `${part}_y.bin`];
  for (const one of [name, labelName])
    if (!files.has(one))
      throw new LimbeckError(
        'ERR_FILE_MISSING',
        `${from} has no ${one}; all of ${FILES.slice(0, 4).join(', ')} are needed.`,
      );
  const [path, labelPath] = [join(from, name), join(from, labelName)];
  const [pixels, stored] = [await files.get(name)!(), await files.get(labelName)!()];
  const count = pixels.length / PIXELS;
  if (count < 1 || !Number.isInteger(count))
    throw unreadable(
      path,
      'STL-10 file',
      `it has ${pixels.length} bytes, expected a multiple of ${PIXELS}, those of one image`,
    );
  if (stored.length !== count)
    throw unreadable(labelPath, 'STL-10 file', `it has ${stored.length} labels, expected ${count}`);
  const labels = Uint8Array.from(stored, (label, i) => {
    if (label >= 1 && label <= CLASSES) return label - 1;
    throw new LimbeckError('ERR_DATA', `${labelPath}: label ${i} is ${label}, expected 1 to ${CLASSES}.`);
  });
  return { images: transposed(new Uint8Array(pixels), IMAGE_SHAPE), labels, count };
}
