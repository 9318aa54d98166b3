import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { readBytes, unreadable } from './bytes.js';
import { numberNames } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { transposed } from './idx.js';

const IMAGE_SHAPE = [3, 96, 96] as const;
const PIXELS = 3 * 96 * 96;
const CLASSES = 10;

/** Whether a folder holds the binary version of STL-10, by the names in it. */
export const isStl10 = (names: readonly string[]): boolean => names.includes('train_X.bin');

/**
 * Loads the binary version of STL-10: a folder with `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin` and possibly
 * `class_names.txt`. Images are stored transposed, classes from 1 on; those without classes (`unlabeled_X.bin`) are left out.
 *
 * @throws ERR_FILE_MISSING; ERR_FILE_FORMAT; ERR_DATA for a label out of range; ERR_OPTION
 */
export async function loadStl10(
  folder: string,
  options: Omit<SplitOptions, 'classes'> = {},
): Promise<Dataset> {
  const text = await readFile(join(folder, 'class_names.txt'), 'utf8').catch(() => '');
  const names = text.split('\n').filter((line) => line.trim());
  return assembleDataset(
    {
      name: 'stl10',
      path: folder,
      imageShape: IMAGE_SHAPE,
      classNames: names.length === CLASSES ? names.map((name) => name.trim()) : numberNames(CLASSES),
      train: await readSplit(folder, 'train'),
      test: await readSplit(folder, 'test'),
    },
    options,
  );
}

async function readSplit(folder: string, part: 'train' | 'test'): Promise<Split> {
  const [path, labelPath] = ['X', 'y'].map((name) => join(folder, `${part}_${name}.bin`));
  const [pixels, stored] = [await readBytes(path), await readBytes(labelPath)];
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
