import type { Influence } from '../analysis/influence.js';
import type { NamedSet } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { picturesOf } from '../data/examples.js';
import { unwhiten } from '../data/zca.js';
import { encodePng, type PngImage } from '../util/png.js';
import { count } from '../util/words.js';
import { escapeHtml } from './figure.js';
import { pngTag } from './page/picture.js';
import { displayWindow, imagePixels } from './pixels.js';

/** Test images beside each image of a set, as in the paper, and images of a set, at most. */
const shown = { tests: 9, items: 30 };

/** What an image of a set does to test images. */
export interface ItemInfluence {
  readonly item: number;
  readonly class: number;
  /** Mean over the test images of its class, and over all others. */
  readonly own: number;
  readonly others: number;
  /** Rows of the test split whose loss it lowers most, the most first. */
  readonly helped: readonly number[];
}

/** Influence by image of the set, those that help most over all test images first. */
export function influenceByItem(
  { rows, influence }: Influence,
  classes: ArrayLike<number>,
  labels: ArrayLike<number>,
): ItemInfluence[] {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / (values.length || 1);
  const total = influence.map((values) => mean([...values]));
  return influence
    .map((values, item) => {
      const of = (own: boolean) =>
        mean([...values].filter((_, j) => (labels[rows[j]] === classes[item]) === own));
      const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
      const helped = order.slice(0, shown.tests).map((j) => rows[j]);
      return { item, class: classes[item], own: of(true), others: of(false), helped };
    })
    .sort((a, b) => total[b.item] - total[a.item]);
}

/** Every image of a set beside the test images that it teaches most. */
export function influenceSection(dataset: Dataset, { name, set }: NamedSet, found: Influence): string {
  const { test, imageShape, classNames, text } = dataset;
  const items = influenceByItem(found, set.classes, test.labels).slice(0, shown.items);
  const own = text ? [] : picturesOfSet(dataset, set);
  const [, height, width] = imageShape;
  const picture = (png: PngImage, kind: string, alt: string) =>
    pngTag(encodePng(png), { kind, alt, width, height });
  const rows = items.map((item) => {
    const said = classNames[item.class];
    const beside = text ? [] : picturesOf(test, [...item.helped], imageShape);
    return (
      `<div class="row-name">${escapeHtml(said)}: ${signed(item.own)}, others ${signed(item.others)}</div>` +
      (own.length ? picture(own[item.item], 'distilled', `image ${item.item} of ${name}, ${said}`) : '') +
      beside
        .map((png, i) =>
          picture(png, 'real', `test image ${item.helped[i]}, ${classNames[test.labels[item.helped[i]]]}`),
        )
        .join('')
    );
  });
  const columns = text ? '' : ` repeat(${shown.tests + 1},minmax(40px,1fr))`;
  const left = set.classes.length - items.length;
  return (
    `<section><h2>${escapeHtml(name)}</h2><p class="about">Each image, and beside it the test images that it helps most: whose loss is most larger ` +
    'when networks learn without it. The numbers are by how much, on average over the test images of its class and over all others; those that help most ' +
    `come first${left > 0 ? `, and ${count(left)} are left out` : ''}. With all images ${found.accuracy.toFixed(1)} % of ${count(found.rows.length)} test images are right.</p>` +
    `<div class="scroll"><div class="images rows" style="grid-template-columns:max-content${columns}">${rows.join('')}</div></div></section>`
  );
}

function picturesOfSet(dataset: Dataset, set: DistilledSet): PngImage[] {
  const own = { ...set, images: dataset.zca ? unwhiten(dataset.zca, set.images) : set.images };
  const window = displayWindow(own, dataset);
  return Array.from(set.classes, (_, i) => imagePixels(own, dataset, i, window));
}

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toPrecision(2)}`;
