import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { shownTexts } from '../data/text/shown.js';
import { elements } from '../engine/view.js';
import { pickedRows } from '../util/picked-rows.js';
import { gridOf } from './grid.js';

/** Words of a text that a line has. */
const mostWords = 12;

/** The first text of each of the first `most` classes that have one, as the words that are nearest to it; nothing of images. */
export function textLines(set: DistilledSet, data: Dataset, most: number): string[] {
  if (!data.text) return [];
  const size = elements(data.imageShape);
  const first = gridOf(set)[0]
    .items.slice(0, most)
    .flatMap((item, k) => (item === undefined ? [] : [{ item, k }]));
  const items = first.map(({ item }) => item);
  const texts = pickedRows(set.images, size, items);
  const { nearest } = shownTexts(data, texts)!;
  return nearest.map((places, i) => {
    const words = places.flatMap((near) => near ?? []);
    const shown = words.slice(0, mostWords).map(({ word, similarity }) => `${word} ${similarity.toFixed(2)}`);
    return `${data.classNames[first[i].k]}: ${shown.join(', ')}${words.length > mostWords ? ', …' : ''}`;
  });
}
