import type { Dataset, Labels } from '../data/dataset.js';
import { picturesOf } from '../data/examples.js';
import type { PngImage } from '../util/png.js';
import { gallery, type Named } from './gallery.js';

const shown = 16;

/** Sixteen training images, classes in turn, before any whitening. Floats are shown from the least to the largest value. */
export function samples({ zca, imageShape, classNames, classes, ...data }: Dataset): Named[] {
  const { train } = zca?.source ?? data;
  const picked = pick(train.labels, classes);
  const pictures = picturesOf(train, picked, imageShape);
  return picked.map((row, i) => ({ name: classNames[train.labels[row]], picture: pictures[i] }));
}

/** The same on one sheet, four in a row. */
export function sampleSheet(dataset: Dataset): PngImage {
  const [, H, W] = dataset.imageShape;
  const side = Math.max(112, H, W);
  return gallery(samples(dataset), { side, columns: 4, gap: 8, letters: 2 });
}

/** The first images of each class, classes in turn. */
function pick(labels: Labels, classes: number): number[] {
  const rows = Array.from({ length: classes }, () => [] as number[]);
  for (const [row, label] of labels.entries()) if (rows[label].length < shown) rows[label].push(row);
  const picked: number[] = [];
  for (let turn = 0; turn < shown; turn++)
    for (const ofClass of rows)
      if (turn < ofClass.length && picked.length < shown) picked.push(ofClass[turn]);
  return picked;
}
