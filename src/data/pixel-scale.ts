import { LimbeckError } from '../util/errors.js';
import type { StoredFields } from '../util/stored-fields.js';
import { short } from '../util/words.js';
import type { Dataset, Split } from './dataset.js';
import { bytesOf, takenAsBytes } from './pixels.js';
import { DEEPEST } from './planes.js';

/** What the pixels of a data set are where its files leave it open: networks trained on them take such alone. */
export interface PixelScale {
  /** The least and the largest value of its training images, of floats that leave 0..1. */
  readonly range?: readonly [number, number];
  /** What the values of more than 8 bits of its files were divided by, to 0..1. */
  readonly divisor?: number;
  /** The colour that its transparent images were laid on, where it was said. */
  readonly background?: string;
}

/** Of the images as they were read, before any whitening. */
export function pixelScaleOf({ train, zca, text, divisor, background }: Dataset): PixelScale {
  const { images } = zca?.source.train ?? train;
  const range = text || images instanceof Uint8Array || !images.length ? undefined : extremes(images);
  return knownScale({
    range: range && (range[0] < 0 || range[1] > 1) ? range : undefined,
    divisor,
    background,
  });
}

/** What is known of a scale. */
export const knownScale = ({ range, divisor, background }: Unknown<PixelScale>): PixelScale => ({
  ...(range && { range }),
  ...(divisor !== undefined && { divisor }),
  ...(background !== undefined && { background }),
});

type Unknown<T> = { readonly [Name in keyof T]?: T[Name] | undefined };

/** The least and the largest of some values. */
export function extremes(values: Split['images']): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

/** For people: what a network takes. */
export const pixelsText = ({ range, divisor }: PixelScale): string =>
  range
    ? `floats from ${short(range[0])} to ${short(range[1])}`
    : `pixels in 0..1${divisor === undefined ? '' : ` (${divisor > DEEPEST ? 32 : 16}-bit values divided by ${divisor})`}`;

/** As a file has it. */
export function readPixelScale(fields: StoredFields): PixelScale {
  const range = fields.optional('range', (name) => fields.numbers(name, 2));
  const divisor = fields.optional('divisor', (name) => fields.whole(name, 1));
  const background = fields.optional('background', (name) => fields.text(name));
  return knownScale({ range: range && ([range[0], range[1]] as const), divisor, background });
}

/** The floats of an array beside data of bytes or 0..1 as bytes where they are; others are said to leave 0..1. */
export async function onScale(
  { images, notes }: { readonly images: Split['images']; readonly notes: readonly string[] },
  range: PixelScale['range'],
  path: string,
): Promise<{ images: Split['images']; notes: readonly string[] }> {
  if (range || !(images instanceof Float32Array)) return { images, notes };
  const bytes = await bytesOf([images]);
  if (bytes) return { images: bytes[0], notes: [...notes, `${path}: ${takenAsBytes}`] };
  const own = extremes(images);
  if (own[0] >= 0 && own[1] <= 1) return { images, notes };
  return {
    images,
    notes: [...notes, `${path}: ${pixelsText({ range: own })}, where training images had ${pixelsText({})}`],
  };
}

/** More than a few times white. */
const FAR = 16;

/** ERR_DATA where the pixels of one split are parts of 1, and those of another go far beyond: what learns from one knows nothing of the other. */
export function checkSplitScales(path: string, splits: Readonly<Record<string, Split>>): void {
  const parts = Object.entries(splits);
  const far = parts.find(([, { images }]) => images.some((value) => value >= FAR));
  const near = far && parts.find(([, { images }]) => isPartsOfOne(images));
  if (!near) return;
  const [most, least] = [far, near].map(([, { images }]) => short(extremes(images)[1]));
  throw new LimbeckError(
    'ERR_DATA',
    `${path}: the pixels of its ${far[0]} split reach ${most} and those of its ${near[0]} split ${least}, expected one scale: divide or multiply one of them`,
  );
}

const isPartsOfOne = (images: Split['images']): boolean =>
  !(images instanceof Uint8Array) &&
  !images.some((value) => value > 1) &&
  images.some((value) => !Number.isInteger(value));

/** ERR_DATA for bytes where floats of another scale were learned. */
export function checkScale(where: string, images: Split['images'], { range }: PixelScale): void {
  if (range && images instanceof Uint8Array)
    throw new LimbeckError(
      'ERR_DATA',
      `${where}: images are bytes, expected ${pixelsText({ range })} as the training images are: give them as such floats`,
    );
}
