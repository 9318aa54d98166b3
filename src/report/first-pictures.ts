import type { Whitening } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { unwhiten } from '../data/zca.js';
import { elements } from '../engine/view.js';
import { pickedRows } from '../util/picked-rows.js';
import type { PngImage } from '../util/png.js';
import { gridOf } from './grid.js';
import { displayWindow, imagePixels, type Look, type Window } from './pixels.js';

/** The first image of a class. */
export interface FirstPicture {
  readonly class: number;
  readonly picture: PngImage;
}

/**
 * The first image of each of the first `most` classes that have one, and the window that they are shown in, which is their own. Those of
 * a whitened set are pictures again: they alone, for each takes a product with a large matrix.
 */
export function firstPictures(
  set: DistilledSet,
  look: Look,
  most: number,
  zca?: Whitening,
): { readonly window: Window; readonly pictures: readonly FirstPicture[] } {
  const size = elements(look.imageShape);
  const first = gridOf(set)[0]
    .items.slice(0, most)
    .flatMap((item, k) => (item === undefined ? [] : [{ item, class: k }]));
  const items = first.map(({ item }) => item);
  const images = pickedRows(set.images, size, items);
  const own = { ...set, images: zca ? unwhiten(zca, images) : images };
  const window = displayWindow(own, look);
  const pictures = first.map((one, i) => ({ class: one.class, picture: imagePixels(own, look, i, window) }));
  return { window, pictures };
}
