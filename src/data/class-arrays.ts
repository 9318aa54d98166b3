import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { assembleDataset, type SplitOptions } from './assemble.js';
import { MAX_BYTES, readBytes } from './bytes.js';
import { byName, classNamesOf } from './class-names.js';
import { labelsOf, MAX_CLASSES } from './classes.js';
import type { Dataset, Split } from './dataset.js';
import { type NumericArray, parseNpy } from './npy.js';
import { type PixelLayout, toImages } from './pixels.js';
import { divisorOf } from './whole-numbers.js';

const isNpy = (name: string): boolean => /^[^.].*\.npy$/i.test(name);

/** Whether a folder holds an array of images for every class, by the names in it. */
export const isClassArrays = (names: readonly string[]): boolean => names.filter(isNpy).length > 1;

/**
 * Loads a folder of `.npy` files, each with the images of the class it is named after: the bitmaps of Quick, Draw! (`cat.npy` or
 * `full_numpy_bitmap_cat.npy`).
 *
 * @throws ERR_FILE_FORMAT; ERR_DATA; ERR_SHAPE; ERR_OPTION
 */
export async function loadClassArrays(
  folder: string,
  options: SplitOptions & PixelLayout = {},
): Promise<Dataset> {
  const files = (await readdir(folder)).filter(isNpy).sort(byName);
  if (files.length > MAX_CLASSES)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder} has ${files.length} files of classes, expected at most ${MAX_CLASSES}; move some elsewhere.`,
    );
  const nameOf = (file: string) => file.replace(/^full_numpy_bitmap_/, '').replace(/\.npy$/i, '');
  const { names, numbers, notes } = classNamesOf(files.map(nameOf));
  const byClass = names.map((_, number) => files.filter((file) => numbers.get(nameOf(file)) === number));
  const several = byClass.find((own) => own.length > 1);
  if (several)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder}: ${several.join(' and ')} are of one class, expected one file for each; move all but one elsewhere.`,
    );
  const arrays: { array: NumericArray; what: string }[] = [];
  for (const [file] of byClass) {
    const what = join(folder, file);
    arrays.push({ array: await parseNpy(await readBytes(what), what), what });
  }
  const { divisor, notes: scale } = await divisorOf(arrays);
  const said = new Set([...notes, ...scale]);
  const parts: Split['images'][] = [];
  const labels: number[][] = [];
  let imageShape: readonly [number, number, number] | undefined;
  for (const [label, { array, what: path }] of arrays.entries()) {
    const found = await toImages(array, options, path, divisor);
    for (const note of found.notes) said.add(note);
    if (imageShape && found.imageShape.join() !== imageShape.join())
      throw new LimbeckError(
        'ERR_SHAPE',
        `${path} holds images of ${shapeText(found.imageShape)}, expected ${shapeText(imageShape)} as in ${byClass[0][0]}.`,
      );
    imageShape = found.imageShape;
    parts.push(found.images);
    labels.push(new Array<number>(array.shape[0]).fill(label));
  }
  return assembleDataset(
    {
      name: basename(resolve(folder)),
      path: folder,
      imageShape: imageShape!,
      classNames: names,
      divisor,
      background: options.background,
      notes: [...said],
      train: { images: joined(parts, folder), labels: labelsOf(labels.flat()), count: total(labels) },
    },
    options,
  );
}

const total = (parts: readonly { readonly length: number }[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

/** Bytes where all parts are bytes. */
function joined(parts: readonly Split['images'][], folder: string): Split['images'] {
  const length = total(parts);
  const bytes = parts.every((part) => part instanceof Uint8Array);
  if (length * (bytes ? 1 : 4) > MAX_BYTES)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder} holds ${Math.ceil(length / 2 ** 30)} GiB of images, expected less than 2; keep fewer classes or shorter files.`,
    );
  const all = bytes ? new Uint8Array(length) : new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
