import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LimbeckError, shapeText } from '../util/errors.js';
import { readBytes } from './bytes.js';
import type { Split } from './dataset.js';
import { isTransposed, readIdx, transposed } from './idx.js';
import { type DecodeOptions, decodeImages, imageFile } from './image-files.js';
import { isImage, listFolder } from './image-list.js';
import { type NumericArray, parseNpy } from './npy.js';
import { toImages } from './pixels.js';

/** Images without classes, as they come: files of one image each, or of many. */
export interface LooseImages {
  /** What each is called: its file, and its place in it where a file holds many. */
  readonly names: readonly string[];
  /** `[N, C, H, W]` */
  readonly images: Split['images'];
}

/**
 * Reads images in one geometry: image files (png, jpg and others, by the optional package `sharp`), which are brought to it as data sets
 * are; folders of them; `.npy` and IDX files, which must have it. `badImages` says whether those that cannot be decoded are left out.
 *
 * @throws ERR_FILE_MISSING; ERR_SHAPE for arrays of another geometry; ERR_DATA for images that cannot be decoded; ERR_OPTION; ERR_FILE_FORMAT
 */
export async function readLooseImages(
  paths: readonly string[],
  imageShape: readonly [number, number, number],
  badImages: DecodeOptions['badImages'] = 'refuse',
): Promise<{ readonly found: readonly LooseImages[]; readonly notes: readonly string[] }> {
  const found: LooseImages[] = [];
  const files: string[] = [];
  for (const path of paths) {
    if (await isFolder(path)) files.push(...(await imagesIn(path)));
    else if (isImage(path)) files.push(path);
    else found.push(await readArray(path, imageShape));
  }
  if (!files.length) return { found, notes: [] };
  const [channels, height, width] = imageShape;
  if (channels !== 1 && channels !== 3)
    throw new LimbeckError(
      'ERR_OPTION',
      `${files[0]} is an image file, but the images here have ${channels} channels, expected 1 or 3: give them as .npy`,
    );
  const decoded = await decodeImages(files.map(imageFile), {
    ...{ channels, imageSize: [height, width], badImages },
  });
  return {
    found: [{ names: decoded.kept.map((i) => files[i]), images: decoded.data }, ...found],
    notes: [
      `image files are brought to ${height}x${width} ${channels === 1 ? 'grey' : 'RGB'} pixels: resized to cover them and cut at the middle`,
      ...decoded.notes,
    ],
  };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${(cause as Error).message}; expected an image, a folder of images, a .npy or an IDX file`,
      { cause },
    );
  }
}

async function imagesIn(folder: string): Promise<string[]> {
  const { images } = await listFolder(folder);
  if (!images.length)
    throw new LimbeckError(
      'ERR_DATA',
      `${folder} holds no images, expected some such as ${join(folder, '7.png')}`,
    );
  return images.map((name) => join(folder, name));
}

async function readArray(path: string, imageShape: readonly [number, number, number]): Promise<LooseImages> {
  const array: NumericArray = /\.npy$/i.test(path)
    ? await parseNpy(await readBytes(path), path)
    : await readIdx(path);
  const [C, H, W] = imageShape;
  // One image alone.
  const alone = [[C, H, W], [H, W, C], ...(C === 1 ? [[H, W]] : [])].some(
    (shape) => `${shape}` === `${array.shape}`,
  );
  const stack = alone ? { ...array, shape: [1, ...array.shape] } : array;
  const { imageShape: shape, images } = await toImages(stack, {}, path);
  if (`${shape}` !== `${imageShape}`)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${path} holds images of ${shapeText(shape)}, expected ${shapeText(imageShape)}: arrays are taken as they are; image files are resized`,
    );
  const count = stack.shape[0];
  return {
    names: Array.from({ length: count }, (_, i) => (alone ? path : `${path}[${i}]`)),
    images: isTransposed(basename(path)) ? transposed(images, shape) : images,
  };
}
