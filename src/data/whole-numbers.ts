import { inPieces } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import type { NumericArray } from './npy.js';
import { type PixelScale, pixelsText } from './pixel-scale.js';
import { DEEPEST, fullScale } from './planes.js';

/** White of 32 bits. */
const MOST = 2 ** 32 - 1;

/** Whether an array is of whole numbers that may be more than bytes. */
const isWide = ({ data, whole, truth }: NumericArray): boolean =>
  !truth &&
  (whole || !(data instanceof Uint8Array || data instanceof Float32Array || data instanceof Float64Array));

/** The largest value of an array of whole numbers. @throws ERR_DATA for one that is no pixel */
async function mostOf({ data }: NumericArray, what: string): Promise<number> {
  let most = 0;
  await inPieces(data.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const value = data[i];
      if (!(value >= 0 && value <= MOST))
        throw new LimbeckError(
          'ERR_DATA',
          `${what}: value ${i} is ${value}, expected a whole number from 0 to ${MOST}; give other values as floats.`,
        );
      if (value > most) most = value;
    }
  });
  return most;
}

/**
 * What the whole numbers of arrays on one scale are divided by, to 0..1: the largest value of the bits that they use. Undefined where they
 * are bytes, or no whole numbers.
 *
 * @throws ERR_DATA for a value below 0, or of more than 32 bits
 */
export async function divisorOf(
  arrays: readonly { readonly array: NumericArray; readonly what: string }[],
): Promise<{ readonly divisor?: number; readonly notes: readonly string[] }> {
  let most = 0;
  for (const { array, what } of arrays) if (isWide(array)) most = Math.max(most, await mostOf(array, what));
  if (most <= 255) return { notes: [] };
  const divisor = fullScale(most);
  return {
    divisor,
    notes: [
      `pixels of more than 8 bits: their values reach to ${most} and were divided by ${divisor}, to 0..1`,
    ],
  };
}

/**
 * The same of an array that stands for itself: by the `divisor` of images that it is to be like, else by white of 16 bits, or of more.
 *
 * @throws ERR_DATA beside images that are floats of another range: what their white is, nothing says
 */
export async function divisorLike(
  array: NumericArray,
  { range, divisor }: PixelScale,
  what: string,
): Promise<{ readonly divisor?: number; readonly notes: readonly string[] }> {
  if (!isWide(array)) return { notes: [] };
  const most = await mostOf(array, what);
  if (divisor === undefined && most <= 255) return { notes: [] };
  if (range)
    throw new LimbeckError(
      'ERR_DATA',
      `${what} holds whole numbers up to ${most}, expected ${pixelsText({ range })} as the training images are: give them as such floats`,
    );
  const full = divisor ?? Math.max(DEEPEST, fullScale(most));
  const beyond = most > full ? `, beyond which they reach, to ${most}: their white is another` : '';
  return {
    divisor: full,
    notes: [`${what}: pixels of more than 8 bits: their values were divided by ${full}${beyond}`],
  };
}
