import type { Dataset, Labels } from '../data/dataset.js';
import { picturesOf } from '../data/examples.js';
import type { PngImage } from '../util/png.js';
import { Canvas } from './canvas.js';
import { glyphHeight } from './pixel-font.js';

const perRow = 4;
const shown = 16;
const comfortable = 112;

/**
 * Sixteen training images on one sheet, four in a row, the name of its class above each; classes take turns. Floats are shown from
 * the least to the largest value.
 */
export function sampleSheet({ train, imageShape, classNames, classes }: Dataset): PngImage {
  const [C, H, W] = imageShape;
  const picked = pick(train.labels, classes);
  const scale = Math.max(1, Math.ceil(comfortable / Math.max(H, W)));
  const [gap, letters] = [8, 2];
  const head = glyphHeight * letters + 4;
  const cell = { width: W * scale + gap, height: H * scale + gap + head };
  const channels = C === 3 ? 3 : 1;
  const sheet = new Canvas(
    gap + perRow * cell.width,
    gap + Math.ceil(picked.length / perRow) * cell.height,
    channels,
  );
  const pictures = picturesOf(train, picked, imageShape);
  picked.forEach((row, place) => {
    const x = gap + (place % perRow) * cell.width;
    const y = gap + Math.floor(place / perRow) * cell.height;
    sheet.text(x, y, classNames[train.labels[row]], letters, cell.width - gap);
    sheet.image(x, y + head, pictures[place], scale);
  });
  return sheet;
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
