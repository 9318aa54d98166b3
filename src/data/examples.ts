import type { PngImage } from '../util/png.js';
import type { Dataset, Split } from './dataset.js';
import { expectDataset } from './expect-dataset.js';

/**
 * Images of a split as pictures, grey or RGB; with another number of channels, their first. Bytes are shown as they are, floats from
 * the least to the largest value of these images.
 */
export function picturesOf(
  { images }: Split,
  rows: readonly number[],
  [C, H, W]: Dataset['imageShape'],
): PngImage[] {
  const channels = C === 3 ? 3 : 1;
  const size = C * H * W;
  const shown = rows.map((row) => images.subarray(row * size, (row + 1) * size));
  const [black, white] = images instanceof Uint8Array ? [0, 255] : rangeOf(shown);
  return shown.map((values) => {
    const data = new Uint8Array(H * W * channels);
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < H * W; i++)
        data[i * channels + c] = Math.round((255 * (values[c * H * W + i] - black)) / (white - black || 1));
    return { width: W, height: H, channels, data };
  });
}

function rangeOf(parts: readonly ArrayLike<number>[]): [least: number, most: number] {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const values of parts)
    for (let i = 0; i < values.length; i++) {
      if (values[i] < least) least = values[i];
      if (values[i] > most) most = values[i];
    }
  return [least, most];
}

/** The first training image of each class as a picture, before any whitening; undefined for a class without any. */
export function classExamples(dataset: Dataset): (PngImage | undefined)[] {
  expectDataset('classExamples', dataset, ['train']);
  const { train, zca, classes, imageShape } = dataset;
  const split = zca?.source.train ?? train;
  const rows = Array.from({ length: classes }, (_, k) => split.labels.indexOf(k));
  const pictures = picturesOf(
    split,
    rows.filter((row) => row >= 0),
    imageShape,
  ).values();
  return rows.map((row) => (row >= 0 ? pictures.next().value : undefined));
}
