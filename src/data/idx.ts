import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { classCount, classCounts } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { type IdxArray, readIdx } from './idx-file.js';

export { readIdx } from './idx-file.js';

/** How to read a folder of IDX files. */
export interface IdxFolderOptions extends SplitOptions {
  /** Where several parts of EMNIST lie in the folder, which: 'letters', 'digits', 'balanced', … */
  readonly labelSet?: string;
}

const PARTS = ['train-images', 'train-labels', 't10k-images', 't10k-labels'] as const;
type Part = (typeof PARTS)[number];
/** MNIST's names, and those of EMNIST and QMNIST, which say their own before. */
const PART_NAME =
  /^(?:(emnist-[a-z]+|qmnist)-)?(train|t10k|test)-(images|labels)[-.]idx\d-(?:ubyte|int)(?:\.gz)?$/;

/** Whether a file has images of EMNIST, which are stored transposed, by its name. */
export function isTransposed(name: string): boolean {
  const [, set = '', , kind] = PART_NAME.exec(name) ?? [];
  return set.startsWith('emnist-') && kind === 'images';
}

/** Whether a file's name is that of a part of such a folder. */
export const isIdxName = (name: string): boolean => PART_NAME.test(name);

/**
 * Loads a folder with the four files of MNIST and its kin: `train-images`, `train-labels`, `t10k-images` and
 * `t10k-labels`, each followed by `-idx3-ubyte` or `.idx3-ubyte` (the digit does not matter) and possibly `.gz`; or those of
 * EMNIST (`emnist-letters-train-images-idx3-ubyte`, …), whose images are stored transposed and are turned, or of QMNIST.
 * Images are `[N, H, W]` or `[N, C, H, W]`.
 *
 * @throws ERR_FILE_MISSING naming the absent files; ERR_FILE_FORMAT; ERR_SHAPE or ERR_DATA when images and labels
 * do not fit together; ERR_OPTION
 */
export async function loadIdxFolder(folder: string, options: IdxFolderOptions = {}): Promise<Dataset> {
  const { set, paths } = await findParts(folder, options.labelSet);
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
  let train = splitOf(trainImages, trainLabels, paths['train-labels']);
  let test = splitOf(testImages, testLabels, paths['t10k-labels']);
  let classNames: string[] | undefined;
  if (set.startsWith('emnist-')) {
    const names = await emnistNames(join(folder, `${set}-mapping.txt`));
    const places = new Map([...names.keys()].map((label, place) => [label, place]));
    const turned = (split: Split): Split => ({
      ...split,
      images: transposed(split.images, imageShape),
      labels: names.size ? split.labels.map((label) => places.get(label) ?? -1) : split.labels,
    });
    [train, test] = [turned(train), turned(test)];
    if (names.size) classNames = [...names.values()];
  }
  const mnist = isMnist(imageShape, train, test);
  return assembleDataset(
    {
      name: mnist ? 'mnist' : set || basename(resolve(folder)),
      path: folder,
      imageShape,
      classNames,
      train,
      test,
      statistics: mnist ? { mean: [0.1307], std: [0.3081] } : undefined,
    },
    options,
  );
}

/** The files of one data set, and what it is called if their names say. */
async function findParts(
  folder: string,
  labelSet: string | undefined,
): Promise<{ set: string; paths: Record<Part, string> }> {
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
  const sets = new Map<string, Map<Part, string>>();
  // Sorted, so that an unpacked file is preferred to the .gz beside it.
  for (const name of names.sort()) {
    const [, set = '', split, kind] = PART_NAME.exec(name) ?? [];
    if (split === undefined) continue;
    const part = `${split === 'train' ? 'train' : 't10k'}-${kind}` as Part;
    const found = sets.get(set) ?? new Map<Part, string>();
    if (!found.has(part)) found.set(part, join(folder, name));
    sets.set(set, found);
  }
  const set = chosen(folder, [...sets.keys()], labelSet);
  const found = sets.get(set) ?? new Map<Part, string>();
  const missing = PARTS.filter((part) => !found.has(part));
  if (missing.length > 0) {
    const before = set && `${set}-`;
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} has no ${missing.map((part) => `${before}${part}-idx${part.endsWith('images') ? 3 : 1}-ubyte`).join(', ')} ` +
        '(with or without .gz). All four files of MNIST form are needed: ' +
        `${PARTS.map((part) => `${before}${part}`).join(', ')}.`,
    );
  }
  return { set, paths: Object.fromEntries(found) as Record<Part, string> };
}

function chosen(folder: string, sets: readonly string[], labelSet: string | undefined): string {
  if (labelSet === undefined && sets.length < 2) return sets[0] ?? '';
  const set = `emnist-${labelSet}`;
  if (sets.includes(set)) return set;
  const known = sets.filter((name) => name.startsWith('emnist-')).map((name) => name.slice(7));
  throw new LimbeckError(
    'ERR_OPTION',
    `labelSet is ${labelSet ?? 'missing'}, but ${folder} holds ${sets.map((name) => name || 'files of MNIST form').join(', ')}; ` +
      (known.length
        ? `say which: --label-set ${known.join(', ')}.`
        : 'leave it out, and one data set in a folder.'),
  );
}

/** Lines of a label and the codes of its characters. */
async function emnistNames(path: string): Promise<Map<number, string>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return new Map(
    rows
      .filter(([label, code]) => Number.isInteger(label) && code > 32 && code < 127)
      .map(([label, code]) => [label, String.fromCharCode(code)]),
  );
}

/** Images with rows and columns exchanged. */
export function transposed(images: Split['images'], [, H, W]: readonly number[]): Split['images'] {
  const out = images.slice();
  for (let plane = 0; plane < images.length; plane += H * W)
    for (let row = 0; row < H; row++)
      for (let column = 0; column < W; column++)
        out[plane + row * W + column] = images[plane + column * H + row];
  return out;
}

/** `[C, H, W]`; a file without a channel axis has one channel. */
function imageShapeOf({ shape, data }: IdxArray, path: string): [number, number, number] {
  const [, ...image] = shape;
  if (shape.includes(0)) {
    throw new LimbeckError(
      'ERR_DATA',
      `${path} is empty: its shape is ${shapeText(shape)}. Name another file.`,
    );
  }
  if (data instanceof Uint8Array) {
    if (image.length === 2) return [1, image[0], image[1]];
    if (image.length === 3) return [image[0], image[1], image[2]];
  }
  throw new LimbeckError(
    'ERR_SHAPE',
    `${path} has shape ${shapeText(shape)}, expected images in bytes as [N, H, W] or [N, C, H, W]; are these the labels?`,
  );
}

/** QMNIST has eight numbers for each image, of which the first is its class. */
function splitOf(images: IdxArray, { shape, data }: IdxArray, labelPath: string): Split {
  const count = images.shape[0];
  const width = data instanceof Int32Array && shape.length === 2 ? shape[1] : 1;
  if (shape[0] !== count || data.length !== count * width || (width === 1 && shape.length !== 1)) {
    throw new LimbeckError(
      'ERR_SHAPE',
      `${labelPath} has shape ${shapeText(shape)}, expected [${count}]: one label for each of ` +
        'the images beside it. Both files must come from one data set.',
    );
  }
  const labels = Uint8Array.from({ length: count }, (_, i) => {
    const label = data[i * width];
    if (label >= 0 && label <= 255) return label;
    throw new LimbeckError(
      'ERR_DATA',
      `${labelPath}: label ${i} is ${label}, expected 0 to 255; correct it.`,
    );
  });
  return { images: images.data as Uint8Array, labels, count };
}

/** Images per class of MNIST's training file; Fashion-MNIST and Kuzushiji-MNIST have 6000 of each. */
const MNIST_CLASS_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];

/**
 * By content, because its statistics are quoted in every protocol and folders are named anyhow.
 */
function isMnist(imageShape: readonly number[], all: Split, test: Split): boolean {
  if (imageShape.join() !== '1,28,28' || all.count !== 60_000 || test.count !== 10_000) return false;
  const counts = classCounts(all.labels, classCount(undefined, [all.labels]));
  return MNIST_CLASS_COUNTS.every((count, label) => counts[label] === count);
}
