import { inPieces } from '../util/breathe.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { isLabel, labelsOf, MAX_CLASSES } from './classes.js';
import type { Labels, Split } from './dataset.js';
import type { NumericArray } from './npy.js';
import { laidOn, laidOnText } from './opacity.js';

/** What decides how an array of numbers is a stack of images. */
export interface PixelLayout {
  /** `[H, W]` of flat images; a square when missing. */
  readonly imageSize?: readonly [number, number];
  /** Of flat images; 4 keeps the four channels of others, which are red, green, blue and opacity when missing. */
  readonly channels?: number;
  /** Whether colours come last or first; the sizes decide when missing, if they can. */
  readonly layout?: 'nhwc' | 'nchw';
  /** Keeps four channels where there are any, whatever else the shape says. */
  readonly keepsFour?: boolean;
  /** What images with opacity are laid on: `white`, `black` or `#rrggbb`; white when missing. */
  readonly background?: string;
}

type ImageShape = [number, number, number];

/** How four channels are taken beside images of a shape: as they are where those have four, else laid on what those were laid on. */
export const fourChannels = ({
  imageShape,
  background,
}: {
  readonly imageShape: readonly number[];
  readonly background?: string;
}): PixelLayout => (imageShape[0] === 4 ? { keepsFour: true } : { background });

/**
 * Images `[N, H, W]`, `[N, H, W, C]`, `[N, C, H, W]` or flat `[N, pixels]` as `[N, C, H, W]`. Whole numbers are
 * bytes, or floats in 0..1 where a `divisor` is given; true is white, false black; floats are taken as they are. What has opacity is
 * laid on the background.
 *
 * @param what the array, for messages
 * @param divisor of an array of whole numbers: `divisorOf`, `divisorLike`
 * @throws ERR_SHAPE when the shape is not of images, ERR_OPTION when it can be read in two ways, ERR_DATA for a value
 * that is not finite, or a whole number that is no byte
 */
export async function toImages(
  array: NumericArray,
  layout: PixelLayout,
  what: string,
  divisor?: number,
): Promise<{ imageShape: ImageShape; images: Split['images']; notes: readonly string[] }> {
  const { shape } = array;
  const { sizes, colourLast } = imageShapeOf(shape, layout, what);
  if (sizes.some((size) => size < 1) || shape[0] < 1)
    throw new LimbeckError('ERR_DATA', `${what} is empty: its shape is ${shapeText(shape)}.`);
  const values = await toValues(array, what, divisor);
  const notes = array.truth ? [`${what}: true and false were taken as the bytes 255 and 0`] : [];
  const images = colourLast ? await colourFirst(values, sizes) : values;
  const [channels, height, width] = sizes;
  if (channels !== 4 || shape.length !== 4 || layout.keepsFour || layout.channels === 4)
    return { imageShape: sizes, images, notes };
  return {
    imageShape: [3, height, width],
    images: await laidOn(images, height * width, layout.background, what),
    notes: [...notes, laidOnText(layout.background)],
  };
}

function imageShapeOf(
  shape: readonly number[],
  given: PixelLayout,
  what: string,
): { sizes: ImageShape; colourLast: boolean } {
  const { layout } = given;
  if (shape.length === 2) {
    const sizes = flatShape(shape[1], given, what);
    if (sizes[0] > 1 && layout === undefined) throw ambiguous(what, shape);
    return { sizes, colourLast: sizes[0] > 1 && layout === 'nhwc' };
  }
  const idle = (option: 'imageSize' | 'channels') =>
    new LimbeckError(
      'ERR_OPTION',
      `${option} is given, but ${what} says it by its shape ${shapeText(shape)}; leave it out.`,
    );
  if (given.imageSize !== undefined) throw idle('imageSize');
  const keepsFour = given.channels === 4 && shape.length === 4;
  if (given.channels !== undefined && !keepsFour) throw idle('channels');
  if (shape.length === 3) return { sizes: [1, shape[1], shape[2]], colourLast: false };
  if (shape.length !== 4)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${what} has shape ${shapeText(shape)}, expected images as [N, H, W], [N, H, W, C], [N, C, H, W] or [N, pixels].`,
    );
  const are = (sizes: readonly number[]) => [sizes.includes(shape[1]), sizes.includes(shape[3])];
  const greyOrColour = are([1, 3]);
  // An image may be four pixels high; colours with opacity are looked for where there are no others.
  const [first, last] = greyOrColour.includes(true) ? greyOrColour : are([4]);
  if (layout === undefined && first === last) throw ambiguous(what, shape);
  const colourLast = (layout ?? (last ? 'nhwc' : 'nchw')) === 'nhwc';
  const [, second, third, fourth] = shape;
  const sizes: ImageShape = colourLast ? [fourth, second, third] : [second, third, fourth];
  if (keepsFour && sizes[0] !== 4) throw idle('channels');
  return { sizes, colourLast };
}

const ambiguous = (what: string, shape: readonly number[]): LimbeckError =>
  new LimbeckError(
    'ERR_OPTION',
    `${what} has shape ${shapeText(shape)}, which does not tell where the colours are; say it by layout (--layout): ` +
      'nhwc when they come last, nchw when they come first.',
  );

/** No square is three times a square: a length is a square grey image, a square colour image, or needs its size. */
function flatShape(pixels: number, { imageSize, channels }: PixelLayout, what: string): ImageShape {
  if (imageSize) {
    const depth = pixels / (imageSize[0] * imageSize[1]);
    if (depth === (channels ?? depth) && Number.isInteger(depth) && depth >= 1) return [depth, ...imageSize];
  } else {
    for (const depth of channels === undefined ? [1, 3] : [channels]) {
      const side = Math.sqrt(pixels / depth);
      if (pixels > 0 && Number.isInteger(side)) return [depth, side, side];
    }
  }
  throw new LimbeckError(
    'ERR_SHAPE',
    `${what} has ${pixels} pixels per image, which is not ${imageSize ? `${channels ?? 'a number of channels'} x ${imageSize.join(' x ')}` : 'a square'}; ` +
      'give the size of the images: imageSize: [H, W] and channels, or --image-size HxW --channels C.',
  );
}

/** For people. */
export const takenAsBytes = 'its floats are whole numbers from 0 to 255 and were taken as bytes';

/**
 * Bytes of floats that are all whole and within 0..255, with some above 1: what was once read from pictures. Floats in 0..1 may be whole
 * without being bytes. Undefined for others; all arrays together or none.
 */
export async function bytesOf(arrays: readonly Float32Array[]): Promise<Uint8Array[] | undefined> {
  let areBytes = true;
  let most = 0;
  for (const floats of arrays)
    await inPieces(floats.length, (from, to) => {
      for (let i = from; areBytes && i < to; i++) {
        const value = floats[i];
        areBytes = Number.isInteger(value) && value >= 0 && value <= 255;
        if (value > most) most = value;
      }
    });
  return areBytes && most > 1 ? arrays.map((floats) => Uint8Array.from(floats)) : undefined;
}

/** Bytes and floats of 32 bits as they are, truths as black and white, other whole numbers as bytes or divided, other floats as float32. */
async function toValues(
  { data, whole, truth }: NumericArray,
  what: string,
  divisor: number | undefined,
): Promise<Uint8Array | Float32Array> {
  if (data instanceof Uint8Array) return truth ? data.map((value) => (value ? 255 : 0)) : data;
  const floats = !whole && (data instanceof Float32Array || data instanceof Float64Array);
  if (!floats && divisor !== undefined) {
    const parts = new Float32Array(data.length);
    await inPieces(data.length, (from, to) => {
      for (let i = from; i < to; i++) parts[i] = data[i] / divisor;
    });
    return parts;
  }
  const values =
    data instanceof Float32Array
      ? data
      : floats
        ? new Float32Array(data.length)
        : new Uint8Array(data.length);
  await inPieces(data.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const value = data[i];
      if (floats ? Number.isFinite(Math.fround(value)) : value >= 0 && value <= 255) values[i] = value;
      else
        throw new LimbeckError(
          'ERR_DATA',
          `${what}: value ${i} is ${value}, expected ${floats ? 'a finite float32 value' : 'a whole number from 0 to 255'}.`,
        );
    }
  });
  return values;
}

async function colourFirst(
  values: Uint8Array | Float32Array,
  [C, H, W]: ImageShape,
): Promise<Uint8Array | Float32Array> {
  const pixels = H * W;
  const out = values instanceof Uint8Array ? new Uint8Array(values.length) : new Float32Array(values.length);
  await inPieces(values.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const c = i % C;
      const pixel = Math.floor(i / C);
      out[(pixel - (pixel % pixels)) * C + c * pixels + (pixel % pixels)] = values[i];
    }
  });
  return out;
}

/** Labels `[N]`, `[N, 1]`, or one-hot `[N, K]`, as bytes; and K, where they say it. */
export function toLabels(
  array: NumericArray,
  count: number,
  what: string,
): { readonly labels: Labels; readonly classes?: number } {
  const { shape, data } = array;
  if (shape.length === 2 && shape[0] === count && shape[1] > 1)
    return { labels: fromOneHot(array, what), classes: shape[1] };
  if (shape[0] !== count || data.length !== count)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${what} has shape ${shapeText(shape)}, expected [${count}], one class number for each image, or one-hot [${count}, K].`,
    );
  const wrong = data.findIndex((label) => !isLabel(label));
  if (wrong >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${what}: label ${wrong} is ${data[wrong]}, expected a whole number from 0 to ${MAX_CLASSES - 1}.`,
    );
  return { labels: labelsOf(data) };
}

function fromOneHot({ shape: [count, classes], data }: NumericArray, what: string): Labels {
  if (classes > MAX_CLASSES)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${what} has ${classes} columns, expected at most ${MAX_CLASSES} classes.`,
    );
  const labels = Array.from({ length: count }, (_, i) => {
    const row = data.subarray(i * classes, (i + 1) * classes);
    const label = row.indexOf(1);
    if (label >= 0 && row.every((value, k) => value === (k === label ? 1 : 0))) return label;
    throw new LimbeckError(
      'ERR_DATA',
      `${what}: row ${i} is not one-hot, expected a single 1 and zeros in each of ${count} rows of ${classes}; give class numbers ` +
        'instead.',
    );
  });
  return labelsOf(labels);
}
