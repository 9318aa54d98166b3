import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileReason, LimbeckError, shapeText } from '../util/errors.js';
import { readBytes } from './bytes.js';
import type { Split } from './dataset.js';
import { isTransposed, readIdx, transposed } from './idx.js';
import { type DecodedImages, type DecodeOptions, decodeImages, imageFile } from './image-files.js';
import { isImage, listFolder } from './image-list.js';
import { type NumericArray, parseNpy } from './npy.js';
import { onScale, type PixelScale } from './pixel-scale.js';
import { fourChannels, toImages } from './pixels.js';
import { DEEPEST } from './planes.js';
import { divisorLike } from './whole-numbers.js';

/** Images without classes, as they come: files of one image each, or of many. */
export interface LooseImages {
  /** What each is called: its file, and its place in it where a file holds many. */
  readonly names: readonly string[];
  /** `[N, C, H, W]` */
  readonly images: Split['images'];
}

/** What images are to be like. */
export interface LooseImagesOptions extends PixelScale {
  /** Whether those that cannot be decoded are left out; refused when missing. */
  readonly badImages?: DecodeOptions['badImages'];
}

/**
 * Reads images in one geometry, in the order in which they are named: image files (png, jpg and others, by the optional package `sharp`), which are brought to it as data sets
 * are; folders of them; `.npy` and IDX files, which must have it. Values are brought to the scale of what a network was trained on, so that what
 * is said of an image does not hang on those beside it.
 *
 * @throws ERR_FILE_MISSING; ERR_SHAPE for arrays of another geometry; ERR_DATA for images that cannot be decoded; ERR_OPTION; ERR_FILE_FORMAT
 */
export async function readLooseImages(
  paths: readonly string[],
  imageShape: readonly [number, number, number],
  { badImages = 'refuse', range, divisor, background }: LooseImagesOptions = {},
): Promise<{ readonly found: readonly LooseImages[]; readonly notes: readonly string[] }> {
  const notes: string[] = [];
  const files: string[] = [];
  /** Files one after the other, or an array. */
  const places: (string[] | LooseImages)[] = [];
  for (const path of paths) {
    const own = (await isFolder(path)) ? await imagesIn(path) : isImage(path) ? [path] : undefined;
    if (own === undefined)
      places.push(await readArray(path, imageShape, { range, divisor, background }, notes));
    else {
      files.push(...own);
      places.push(own);
    }
  }
  if (!files.length) return { found: places as LooseImages[], notes };
  const [channels, height, width] = imageShape;
  if (channels !== 1 && channels !== 3)
    throw new LimbeckError(
      'ERR_OPTION',
      `${files[0]} is an image file, but the images here have ${channels} channels, expected 1 or 3: give them as .npy`,
    );
  const decoded = await decodeImages(files.map(imageFile), {
    ...{ channels, imageSize: [height, width], badImages, divisor: divisor ?? DEEPEST, background },
  });
  return {
    found: inPlaces(places, decoded, channels * height * width),
    notes: [
      ...notes,
      `image files are brought to ${height}x${width} ${channels === 1 ? 'grey' : 'RGB'} pixels: resized to cover them and cut at the middle`,
      ...decoded.notes,
    ],
  };
}

/** Decoded images where they were named; files beside each other stay together. */
function inPlaces(
  places: readonly (readonly string[] | LooseImages)[],
  { data, kept }: DecodedImages,
  size: number,
): LooseImages[] {
  const found: LooseImages[] = [];
  let file = 0;
  let decoded = 0;
  for (const place of places) {
    if ('images' in place) {
      found.push(place);
      continue;
    }
    const names: string[] = [];
    const first = decoded;
    for (const name of place)
      if (kept[decoded] === file++) {
        names.push(name);
        decoded++;
      }
    if (names.length) found.push({ names, images: data.subarray(first * size, decoded * size) });
  }
  return found;
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new LimbeckError(
      'ERR_FILE_MISSING',
      `${path} cannot be read: ${fileReason(cause)}; expected an image, a folder of images, a .npy or an IDX file`,
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

async function readArray(
  path: string,
  imageShape: readonly [number, number, number],
  like: PixelScale,
  notes: string[],
): Promise<LooseImages> {
  const array: NumericArray = /\.npy$/i.test(path)
    ? await parseNpy(await readBytes(path), path)
    : await readIdx(path);
  const [C, H, W] = imageShape;
  // One image alone.
  const shapes = (channels: number) => [`${[channels, H, W]}`, `${[H, W, channels]}`];
  // Colours may come with opacity, and grey without an axis for it.
  const others = C === 3 ? shapes(4) : C === 1 ? [`${[H, W]}`] : [];
  const alone = [...shapes(C), ...others].includes(`${array.shape}`);
  const stack = alone ? { ...array, shape: [1, ...array.shape] } : array;
  const { divisor, notes: scale } = await divisorLike(array, like, path);
  notes.push(...scale);
  const layout = fourChannels({ imageShape, background: like.background });
  const { imageShape: shape, ...read } = await toImages(stack, layout, path, divisor);
  if (`${shape}` !== `${imageShape}`)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${path} holds images of ${shapeText(shape)}, expected ${shapeText(imageShape)}: arrays are taken as they are; image files are resized`,
    );
  const { images, notes: more } = await onScale(read, like.range, path);
  notes.push(...more);
  const count = stack.shape[0];
  return {
    names: Array.from({ length: count }, (_, i) => (alone ? path : `${path}[${i}]`)),
    images: isTransposed(basename(path)) ? transposed(images, shape) : images,
  };
}
