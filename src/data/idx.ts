import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { classCounts } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { type IdxArray, readIdx } from './idx-file.js';

export { readIdx } from './idx-file.js';

const PARTS = ['train-images', 'train-labels', 't10k-images', 't10k-labels'] as const;
type Part = (typeof PARTS)[number];
const PART_NAME = /^(train-images|train-labels|t10k-images|t10k-labels)[-.]idx\d-ubyte(\.gz)?$/;

/** Whether a file's name is that of a part of such a folder. */
export const isIdxName = (name: string): boolean => PART_NAME.test(name);

/**
 * Loads a folder with the four files of MNIST and its kin: `train-images`, `train-labels`, `t10k-images` and
 * `t10k-labels`, each followed by `-idx3-ubyte` or `.idx3-ubyte` (the digit does not matter) and possibly `.gz`.
 * Images are `[N, H, W]` or `[N, C, H, W]`.
 *
 * @throws ERR_FILE_MISSING naming the absent files; ERR_FILE_FORMAT; ERR_SHAPE or ERR_DATA when images and labels
 * do not fit together; ERR_OPTION
 */
export async function loadIdxFolder(folder: string, options: SplitOptions = {}): Promise<Dataset> {
  const paths = await findParts(folder);
  const [trainImages, trainLabels, testImages, testLabels] = await Promise.all(
    PARTS.map((part) => readIdx(paths[part])),
  );
  const imageShape = imageShapeOf(trainImages, paths['train-images']);
  const testShape = imageShapeOf(testImages, paths['t10k-images']);
  if (testShape.join() !== imageShape.join()) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `${folder}: training images are ${shapeText(imageShape)}, test images ${shapeText(testShape)}; ` +
        'both files must come from one data set.',
    );
  }
  const all = splitOf(trainImages, trainLabels, paths['train-labels']);
  const test = splitOf(testImages, testLabels, paths['t10k-labels']);
  const mnist = isMnist(imageShape, all, test);
  return assembleDataset(
    {
      name: mnist ? 'mnist' : basename(resolve(folder)),
      path: folder,
      imageShape,
      train: all,
      test,
      statistics: mnist ? { mean: [0.1307], std: [0.3081] } : undefined,
    },
    options,
  );
}

async function findParts(folder: string): Promise<Record<Part, string>> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} cannot be read as a folder: ${cause instanceof Error ? cause.message : String(cause)}. ` +
        'Name the folder that holds the IDX files.',
      { cause },
    );
  }
  const found = new Map<Part, string>();
  // Sorted, so that an unpacked file is preferred to the .gz beside it.
  for (const name of names.sort()) {
    const part = PART_NAME.exec(name)?.[1];
    if (part !== undefined && !found.has(part as Part)) found.set(part as Part, join(folder, name));
  }
  const missing = PARTS.filter((part) => !found.has(part));
  if (missing.length > 0) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} has no ${missing.map((part) => `${part}-idx${part.endsWith('images') ? 3 : 1}-ubyte`).join(', ')} ` +
        '(with or without .gz). All four files of MNIST form are needed: ' +
        `${PARTS.join(', ')}.`,
    );
  }
  return Object.fromEntries(found) as Record<Part, string>;
}

/** `[C, H, W]`; a file without a channel axis has one channel. */
function imageShapeOf({ shape }: IdxArray, path: string): [number, number, number] {
  const [, ...image] = shape;
  if (shape.includes(0)) {
    throw new LimbeckError(
      'ERR_DATA',
      `${path} is empty: its shape is ${shapeText(shape)}. Name another file.`,
    );
  }
  if (image.length === 2) return [1, image[0], image[1]];
  if (image.length === 3) return [image[0], image[1], image[2]];
  throw new LimbeckError(
    'ERR_SHAPE',
    `${path} has shape ${shapeText(shape)}, expected images as [N, H, W] or [N, C, H, W]; are these the labels?`,
  );
}

function splitOf(images: IdxArray, labels: IdxArray, labelPath: string): Split {
  if (labels.shape.length !== 1 || labels.shape[0] !== images.shape[0]) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `${labelPath} has shape ${shapeText(labels.shape)}, expected [${images.shape[0]}]: one label for each of ` +
        'the images beside it. Both files must come from one data set.',
    );
  }
  return { images: images.data, labels: labels.data, count: images.shape[0] };
}

/** Images per class of MNIST's training file; Fashion-MNIST and Kuzushiji-MNIST have 6000 of each. */
const MNIST_CLASS_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];

/**
 * By content, because its statistics are quoted in every protocol and folders are named anyhow.
 */
function isMnist(imageShape: readonly number[], all: Split, test: Split): boolean {
  if (imageShape.join() !== '1,28,28' || all.count !== 60_000 || test.count !== 10_000) return false;
  const counts = classCounts(all.labels, 256);
  return MNIST_CLASS_COUNTS.every((count, label) => counts[label] === count);
}
