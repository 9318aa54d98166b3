import type { Whitening } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { encodePng, type PngImage } from '../util/png.js';
import { firstPictures } from './first-pictures.js';
import type { Look } from './pixels.js';
import { resized } from './resized.js';

/** Bytes of a frame before they are compressed, at most: a page holds many, and noise does not get smaller. */
const mostBytes = 96 * 1024;
/** Images are no wider, nor higher. */
const largestSide = 32;
const mostColumns = 10;

/** How images stand in a frame. */
export interface FrameLayout {
  /** Classes that have one, from the first on. */
  readonly images: number;
  readonly columns: number;
  readonly rows: number;
  /** Of an image. */
  readonly width: number;
  readonly height: number;
}

/** The layout of a frame of images `[C, H, W]`. */
export function frameLayout([C, H, W]: Look['imageShape'], classes: number): FrameLayout {
  const scale = Math.min(1, largestSide / Math.max(H, W));
  const [width, height] = [W, H].map((side) => Math.max(1, Math.round(side * scale)));
  const bytes = (C === 3 ? 3 : 1) * width * height;
  const fit = Math.min(classes, Math.floor(mostBytes / bytes));
  const columns = Math.min(fit, mostColumns);
  // Whole rows where there are several.
  const rows = fit === classes ? Math.ceil(fit / columns) : Math.floor(fit / columns);
  return { images: Math.min(classes, rows * columns), columns, rows, width, height };
}

/**
 * The first image of each class, side by side, as a PNG file in base64, and the pixels that are black and white in it. A whitened set is
 * given as it is, with what undoes that.
 */
export function filmFrame(
  set: DistilledSet,
  look: Look,
  zca?: Whitening,
): { black: number; white: number; png: string } {
  const { images, columns, rows, width, height } = frameLayout(look.imageShape, set.network.classes);
  const { window, pictures } = firstPictures(set, look, images, zca);
  const channels = look.imageShape[0] === 3 ? 3 : 1;
  const data = new Uint8Array(columns * width * rows * height * channels);
  const sheet: PngImage = { width: columns * width, height: rows * height, channels, data };
  for (const { class: place, picture: whole } of pictures) {
    const picture = resized(whole, { width, height });
    const left = (place % columns) * width;
    const top = Math.floor(place / columns) * height;
    for (let y = 0; y < height; y++)
      data.set(
        picture.data.subarray(y * width * channels, (y + 1) * width * channels),
        ((top + y) * sheet.width + left) * channels,
      );
  }
  return { ...window, png: Buffer.from(encodePng(sheet)).toString('base64') };
}
