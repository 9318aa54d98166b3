import { inPieces } from '../util/breathe.js';
import { LimbeckError } from '../util/errors.js';
import type { Split } from './dataset.js';
import { colourOf, over } from './planes.js';

/** For people. */
export const laidOnText = (background = 'white'): string =>
  `its four channels were taken as red, green, blue and opacity, and laid on ${background}; --background says otherwise, --channels 4 keeps them`;

/**
 * Images `[N, 4, H, W]` of red, green, blue and opacity, laid on a colour: `[N, 3, H, W]`. Bytes, or floats in 0..1, or in 0..255 where all are whole.
 *
 * @param background `white`, `black` or `#rrggbb`; white when missing
 * @throws ERR_DATA for floats of another range
 */
export async function laidOn(
  values: Uint8Array | Float32Array,
  pixels: number,
  background: string | undefined,
  what: string,
): Promise<Split['images']> {
  const opaque = values instanceof Uint8Array ? 255 : await opaqueOf(values, what);
  const colour = colourOf(background).map((value) => (value / 255) * opaque);
  const count = values.length / 4;
  const images = values instanceof Uint8Array ? new Uint8Array(3 * count) : new Float32Array(3 * count);
  const whole = opaque === 255;
  await inPieces(count, (from, to) => {
    for (let i = from; i < to; i++) {
      const pixel = i % pixels;
      const image = (i - pixel) / pixels;
      const at = 4 * image * pixels + pixel;
      const alpha = values[at + 3 * pixels];
      for (let c = 0; c < 3; c++) {
        const value = over(values[at + c * pixels], colour[c], alpha, opaque);
        images[(3 * image + c) * pixels + pixel] = whole ? Math.round(value) : value;
      }
    }
  });
  return images;
}

async function opaqueOf(values: Float32Array, what: string): Promise<1 | 255> {
  let [least, most, whole] = [0, 0, true];
  await inPieces(values.length, (from, to) => {
    for (let i = from; i < to; i++) {
      least = Math.min(least, values[i]);
      most = Math.max(most, values[i]);
      whole &&= Number.isInteger(values[i]);
    }
  });
  if (least === 0 && most <= 1) return 1;
  if (least === 0 && most <= 255 && whole) return 255;
  throw new LimbeckError(
    'ERR_DATA',
    `${what} has four channels of floats from ${least} to ${most}, expected red, green, blue and opacity in 0..1 or as bytes; ` +
      'keep them as they are by channels: 4 (--channels 4).',
  );
}
