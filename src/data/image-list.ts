import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileReason, LimbeckError } from '../util/errors.js';
import { byName } from './class-names.js';
import { type SplitName, splitNames } from './dataset.js';
import { findLabels, type LabelTableOptions } from './label-table.js';
import { foldersOfSplits } from './split-names.js';

export interface ImageFile {
  readonly path: string;
  readonly className: string;
}

export interface ImageList extends Record<SplitName, readonly ImageFile[]> {
  readonly notes: readonly string[];
}

const EXTENSIONS = 'jpg jpeg jpe jfif png webp gif tif tiff avif bmp heic heif ppm pgm'.split(' ');
/** What file managers and archives leave behind. */
const LITTER = /^\.|^(thumbs\.db|desktop\.ini|__macosx)$/i;
const MOST_NAMED = 5;
/** What limbeck leaves in a folder: a run, a comparison, networks. Pictures beside it are results, and no class. */
const RESULTS = [
  ...['run.json', 'compare.json', 'distilled.safetensors', 'network.safetensors'],
  ...['checkpoint.safetensors', 'checkpoint.older.safetensors'],
];

interface Listing {
  readonly folders: readonly string[];
  /** Folders that limbeck wrote its results to. */
  readonly results: readonly string[];
  readonly images: readonly string[];
  readonly others: readonly string[];
}

/** What lies in a folder, in order; hidden files and those that file managers leave behind are not counted. */
export async function listFolder(folder: string): Promise<Listing> {
  const [folders, results, images, others]: string[][] = [[], [], [], []];
  const found = { folders, results, images, others };
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (LITTER.test(entry.name)) continue;
      const isFolder = entry.isSymbolicLink()
        ? (await stat(join(folder, entry.name))).isDirectory()
        : entry.isDirectory();
      if (!isFolder) (isImage(entry.name) ? images : others).push(entry.name);
      else (holdsResults(join(folder, entry.name)) ? results : folders).push(entry.name);
    }
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${folder} cannot be read as a folder: ${fileReason(cause)}. Check the path and its permissions.`,
      { cause },
    );
  }
  for (const names of Object.values(found)) names.sort(byName);
  return found;
}

const holdsResults = (folder: string): boolean => RESULTS.some((name) => existsSync(join(folder, name)));

/** Whether a file is an image, by its name. */
export const isImage = (name: string): boolean =>
  EXTENSIONS.includes(name.toLowerCase().split('.').slice(1).at(-1) ?? '');

/** Whether a folder, or its `train`, holds images: in folders of classes, or beside a table that names their classes. */
export async function isImageFolder(folder: string): Promise<boolean> {
  const { folders } = await listFolder(folder);
  const { train } = foldersOfSplits(folders);
  const base = train === undefined ? folder : join(folder, train);
  const inside = await listFolder(base);
  if (train !== undefined && inside.images.length > 0) return true;
  for (const name of inside.folders) {
    const one = await listFolder(join(base, name));
    if (one.images.length > 0) return true;
    if (one.folders.includes('images') && (await listFolder(join(base, name, 'images'))).images.length > 0)
      return true;
  }
  return false;
}

/**
 * The images of every split and their classes.
 *
 * @throws ERR_FILE_MISSING; ERR_DATA for images of which nothing says the class
 */
export async function listImages(folder: string, options: LabelTableOptions): Promise<ImageList> {
  const { folders, results } = await listFolder(folder);
  const litter: Litter = { files: [], results: [] };
  const notes: string[] = [];
  const names = foldersOfSplits(folders, notes);
  if (names.train === undefined) {
    const other = names.test ?? names.validation;
    if (other !== undefined)
      throw new LimbeckError(
        'ERR_FILE_MISSING',
        `${folder} has a folder ${other}, but none named train; expected train/CLASS/*.jpg and test/CLASS/*.jpg, or only ` +
          'folders of classes.',
      );
    const flat = folders.length === 1 && folders[0].toLowerCase() === 'images';
    if (flat) litter.results.push(...results.map((name) => join(folder, name)));
    const train = flat
      ? await listFlat(folder, folder, 'train', options, notes)
      : await listClasses(folder, litter);
    if (train === undefined) throw unlabelled(join(folder, folders[0]));
    return { train, validation: [], test: [], notes: [...notes, ...litterNotes(litter)] };
  }
  litter.results.push(...results.map((name) => join(folder, name)));
  const files: Record<SplitName, readonly ImageFile[]> = { train: [], validation: [], test: [] };
  for (const part of splitNames) {
    const name = names[part];
    if (name === undefined) continue;
    const path = join(folder, name);
    const { folders: inside, images } = await listFolder(path);
    const isFlat = images.length > 0 || (inside.length === 1 && inside[0].toLowerCase() === 'images');
    if (!isFlat || (inside.length > 0 && images.length > 0)) {
      files[part] = await listClasses(path, litter);
      continue;
    }
    const labelled = await listFlat(path, folder, part, options, notes);
    if (labelled === undefined && part === 'train') throw unlabelled(path);
    if (labelled === undefined)
      notes.push(`${path}: nothing names the classes of its images; they are left out`);
    files[part] = labelled ?? [];
  }
  return { ...files, notes: [...notes, ...litterNotes(litter)] };
}

const unlabelled = (path: string): LimbeckError =>
  new LimbeckError(
    'ERR_DATA',
    `${path} holds images, but nothing names their classes: put them into folders of classes, or a table such as ` +
      'labels.csv beside them with a column of file names and one of classes.',
  );

/** Paths of what was passed over. */
interface Litter {
  readonly files: string[];
  readonly results: string[];
}

const leftOut = (one: string, several: string, paths: readonly string[]): string[] =>
  paths.length === 0
    ? []
    : [
        `${paths.length === 1 ? one : `${paths.length} ${several}`} left out: ` +
          `${paths.slice(0, MOST_NAMED).join(', ')}${paths.length > MOST_NAMED ? ', …' : ''}`,
      ];

const litterNotes = ({ files, results }: Litter): string[] => [
  ...leftOut('a file that is no image', 'files that are no image', files),
  ...leftOut('a folder with results of limbeck', 'folders with results of limbeck', results),
];

/** Images that lie together, their classes named by a table; undefined without one. */
async function listFlat(
  path: string,
  root: string,
  part: SplitName,
  options: LabelTableOptions,
  notes: string[],
): Promise<ImageFile[] | undefined> {
  const own = await listFolder(path);
  const inside = own.images.length > 0 ? path : join(path, own.folders[0]);
  const { images } = own.images.length > 0 ? own : await listFolder(inside);
  const others = [
    ...own.others.map((other) => join(path, other)),
    ...(await listFolder(root)).others.map((other) => join(root, other)),
  ];
  const labels = await findLabels(others, part, images, options, notes);
  return labels && images.map((image) => ({ path: join(inside, image), className: labels(image) }));
}

/** The images of every class folder, classes and files in order. */
async function listClasses(folder: string, litter: Litter): Promise<ImageFile[]> {
  const { folders, images, results } = await listFolder(folder);
  litter.results.push(...results.map((name) => join(folder, name)));
  if (images.length > 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${join(folder, images[0])} lies beside the class folders, expected in one of them: its folder's name is its class.`,
    );
  const found: ImageFile[] = [];
  for (const className of folders) {
    let path = join(folder, className);
    let inside = await listFolder(path);
    for (const other of inside.others) litter.files.push(join(path, other));
    litter.results.push(...inside.results.map((name) => join(path, name)));
    const holdsResultsAlone =
      inside.results.length > 0 &&
      ![inside.folders, inside.images, inside.others].some((some) => some.length);
    if (holdsResultsAlone) continue;
    if (inside.images.length === 0 && inside.folders.length === 1 && inside.folders[0] === 'images') {
      path = join(path, 'images');
      inside = await listFolder(path);
    }
    if (inside.folders.length > 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${join(path, inside.folders[0])} is a folder, expected only images in the folder of a class; move it elsewhere.`,
      );
    if (inside.images.length === 0)
      throw new LimbeckError(
        'ERR_DATA',
        `${path} holds no images; remove the folder, or put the images of its class there.`,
      );
    for (const name of inside.images) found.push({ path: join(path, name), className });
  }
  return found;
}
