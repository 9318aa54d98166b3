import type { DistilledSet } from '../data/distilled-set.js';
import type { Named } from './gallery.js';
import { gridOf } from './grid.js';
import { displayWindow, imagePixels, type Look } from './pixels.js';

/** The first image of each class, of at most so many classes, in the window of the set. */
export function firstPictures(set: DistilledSet, look: Look, most: number): Named[] {
  const window = displayWindow(set, look);
  return gridOf(set)[0]
    .items.slice(0, most)
    .flatMap((item, k) =>
      item === undefined ? [] : [{ name: look.classNames[k], picture: imagePixels(set, look, item, window) }],
    );
}
