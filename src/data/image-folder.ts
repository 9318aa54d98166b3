import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { byName } from './class-names.js';
import { MAX_CLASSES } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { type DecodeOptions, decodeImages } from './image-files.js';

export type ImageFolderOptions = DecodeOptions & Omit<SplitOptions, 'classes'>;

const EXTENSIONS = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'tif', 'tiff', 'avif'];
/** Folder names of each split. */
const PARTS = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'val'],
  test: ['test', 'testing'],
} as const;
type Part = keyof typeof PARTS;

interface ImageFile {
  readonly path: string;
  readonly className: string;
}

/**
 * Loads a folder of images, one folder per class: `train/CLASS/*.jpg`, `test/CLASS/*.jpg` and possibly
 * `validation/CLASS/*.jpg`; or just `CLASS/*.jpg`, from which test and validation images are then held out. Classes are
 * numbered in the order of their names, in which numbers count as numbers: `2` comes before `10`.
 *
 * @throws ERR_FILE_MISSING for a folder that cannot be read; ERR_DATA for what lies there and is no image, an image that
 * cannot be decoded, sizes that differ, a class without images; ERR_OPTION
 */
export async function loadImageFolder(folder: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const files = await listParts(folder);
  const classNames = [...new Set(files.train.map(({ className }) => className))];
  checkClasses(folder, classNames, files);

  // All splits in one go: sizes and colour are decided for all of them.
  const parts = (Object.keys(files) as Part[]).filter((part) => files[part].length > 0);
  const decoded = await decodeImages(
    parts.flatMap((part) => files[part].map(({ path }) => path)),
    options,
  );
  const imageLength = decoded.imageShape.reduce((a, b) => a * b, 1);
  const numbers = new Map(classNames.map((name, number) => [name, number]));
  const splits: Partial<Record<Part, Split>> = {};
  let at = 0;
  for (const part of parts) {
    const count = files[part].length;
    const images = decoded.data.subarray(at, (at += count * imageLength));
    const labels = Uint8Array.from(files[part], ({ className }) => numbers.get(className)!);
    splits[part] = { images, labels, count };
  }
  return assembleDataset(
    {
      name: basename(resolve(folder)),
      path: folder,
      imageShape: decoded.imageShape,
      classNames,
      train: splits.train!,
      validation: splits.validation,
      test: splits.test,
    },
    options,
  );
}

/** Whether a folder looks like one for `loadImageFolder`: a folder in it, or in its `train`, holds an image. */
export async function isImageFolder(folder: string): Promise<boolean> {
  const { folders } = await list(folder);
  const train = nameOf('train', folders);
  const base = train === undefined ? folder : join(folder, train);
  const classes = train === undefined ? folders : (await list(base)).folders;
  for (const name of classes) if ((await list(join(base, name))).files.some(isImage)) return true;
  return false;
}

async function listParts(folder: string): Promise<Record<Part, ImageFile[]>> {
  const { folders } = await list(folder);
  const names = {
    train: nameOf('train', folders),
    validation: nameOf('validation', folders),
    test: nameOf('test', folders),
  };
  if (names.train === undefined && (names.test ?? names.validation) !== undefined)
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} has a folder ${names.test ?? names.validation}, but none named train; expected train/CLASS/*.jpg and ` +
        'test/CLASS/*.jpg, or only folders of classes.',
    );
  if (names.train === undefined) return { train: await listClasses(folder), validation: [], test: [] };
  const inside = async (name: string | undefined) =>
    name === undefined ? [] : listClasses(join(folder, name));
  return {
    train: await inside(names.train),
    validation: await inside(names.validation),
    test: await inside(names.test),
  };
}

const nameOf = (part: Part, folders: readonly string[]): string | undefined =>
  PARTS[part].map((name) => folders.find((folder) => folder.toLowerCase() === name)).find(Boolean);

/** The images of every class folder, classes and files in order. */
async function listClasses(folder: string): Promise<ImageFile[]> {
  const { folders, files } = await list(folder);
  const images = files.find(isImage);
  if (images !== undefined)
    throw new LimbeckError(
      'ERR_DATA',
      `${join(folder, images)} lies beside the class folders, expected in one of them: its folder's name is its class.`,
    );
  const found: ImageFile[] = [];
  for (const className of folders) {
    const inside = await list(join(folder, className));
    const other = inside.files.find((name) => !isImage(name)) ?? inside.folders[0];
    if (other !== undefined)
      throw new LimbeckError(
        'ERR_DATA',
        `${join(folder, className, other)} is no image file, expected ${EXTENSIONS.join(', ')}; move it elsewhere.`,
      );
    if (!inside.files.length)
      throw new LimbeckError(
        'ERR_DATA',
        `${join(folder, className)} holds no images; remove the folder, or put the images of its class there.`,
      );
    for (const name of inside.files) found.push({ path: join(folder, className, name), className });
  }
  return found;
}

function checkClasses(
  folder: string,
  classNames: readonly string[],
  files: Readonly<Record<Part, readonly ImageFile[]>>,
): void {
  if (classNames.length < 2 || classNames.length > MAX_CLASSES)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder} has ${classNames.length} class folders with training images, expected 2 to ${MAX_CLASSES}: ` +
        'train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg.',
    );
  const known = new Set(classNames);
  for (const { path, className } of [...files.validation, ...files.test])
    if (!known.has(className))
      throw new LimbeckError(
        'ERR_DATA',
        `${path}: its class ${className} has no training images; there are ${classNames.slice(0, 20).join(', ')}.`,
      );
}

/** What lies in a folder, in order; hidden files and those that file managers leave behind are not counted. */
async function list(folder: string): Promise<{ folders: string[]; files: string[] }> {
  const folders: string[] = [];
  const files: string[] = [];
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (/^\.|^(thumbs\.db|desktop\.ini)$/i.test(entry.name)) continue;
      const isFolder = entry.isSymbolicLink()
        ? (await stat(join(folder, entry.name))).isDirectory()
        : entry.isDirectory();
      (isFolder ? folders : files).push(entry.name);
    }
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} cannot be read as a folder: ${(cause as Error).message}. Check the path and its permissions.`,
      { cause },
    );
  }
  return { folders: folders.sort(byName), files: files.sort(byName) };
}

const isImage = (name: string): boolean => EXTENSIONS.includes(name.toLowerCase().split('.').at(-1) ?? '');
