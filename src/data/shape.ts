import { breathe } from '../util/breathe.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { Dataset, Split } from './dataset.js';
import { channelStatistics } from './statistics.js';

type Shape = Dataset['imageShape'];

/** Shares of red, green and blue in grey (ITU-R BT.601). */
const greyShares = [0.299, 0.587, 0.114];

/** Images between two breaths. */
const piece = 2000;

/**
 * The same data with images of another shape `[C, H, W]`, so that networks made for others can take them: grey as three equal channels or
 * colour as grey, then resized by linear interpolation, averaging where images shrink. Bytes stay bytes. Mean and deviation are taken anew.
 *
 * @throws ERR_SHAPE for other numbers of channels than 1 and 3 that differ; ERR_OPTION for whitened images
 */
export async function broughtTo(dataset: Dataset, shape: Shape): Promise<Dataset> {
  const { name, imageShape } = dataset;
  if (shape.join() === imageShape.join()) return dataset;
  if (dataset.zca)
    throw new LimbeckError(
      'ERR_OPTION',
      `${name} is whitened, and its images are to be brought to ${shapeText(shape)}: expected that before whitening, by the option shape of loadDataset`,
    );
  const channels = [imageShape[0], shape[0]];
  if (channels[0] !== channels[1] && !channels.every((C) => C === 1 || C === 3))
    throw new LimbeckError(
      'ERR_SHAPE',
      `${name} has images of ${shapeText(imageShape)}, which cannot be brought to ${shapeText(shape)}: expected the same number of channels, or 1 and 3`,
    );
  const change = async (split: Split): Promise<Split> => ({
    ...split,
    images: await changed(split, imageShape, shape),
  });
  const train = await change(dataset.train);
  return {
    ...dataset,
    imageShape: shape,
    originalShape: dataset.originalShape ?? imageShape,
    ...channelStatistics(train, shape),
    train,
    validation: await change(dataset.validation),
    test: await change(dataset.test),
    notes: [
      ...(dataset.notes ?? []),
      `its images of ${shapeText(imageShape)} were brought to ${shapeText(shape)}`,
    ],
  };
}

async function changed({ images, count }: Split, from: Shape, to: Shape): Promise<Split['images']> {
  const [[C, H, W], [OC, OH, OW]] = [from, to];
  const out =
    images instanceof Uint8Array
      ? new Uint8Array(count * OC * OH * OW)
      : new Float32Array(count * OC * OH * OW);
  const [rows, columns] = [interpolation(H, OH), interpolation(W, OW)];
  const plane = new Float64Array(H * W);
  const narrow = new Float64Array(H * OW);
  for (let image = 0; image < count; image++) {
    if (image % piece === 0) await breathe();
    for (let c = 0; c < OC; c++) {
      const at = (image * C + (C === OC ? c : 0)) * H * W;
      for (let i = 0; i < H * W; i++) plane[i] = C > OC ? grey(images, at + i, H * W) : images[at + i];
      for (let y = 0; y < H; y++)
        for (const [x, old] of columns.entries())
          narrow[y * OW + x] = old.reduce((sum, [column, share]) => sum + share * plane[y * W + column], 0);
      const into = (image * OC + c) * OH * OW;
      for (const [y, old] of rows.entries())
        for (let x = 0; x < OW; x++) {
          const value = old.reduce((sum, [row, share]) => sum + share * narrow[row * OW + x], 0);
          out[into + y * OW + x] = images instanceof Uint8Array ? Math.round(value) : value;
        }
    }
  }
  return out;
}

const grey = (images: Split['images'], at: number, plane: number): number =>
  greyShares.reduce((sum, share, c) => sum + share * images[at + c * plane], 0);

/**
 * For each new pixel of a line the old ones that it is made of, with their shares, which add up to 1: linear interpolation, averaging where
 * the line shrinks.
 */
export function interpolation(from: number, to: number): (readonly [pixel: number, share: number])[][] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale - 0.5;
    const near: [number, number][] = [];
    for (let pixel = Math.ceil(centre - reach); pixel <= centre + reach; pixel++) {
      const weight = 1 - Math.abs(pixel - centre) / reach;
      // Beyond its edge a line goes on as it ends.
      if (weight > 0) near.push([Math.min(from - 1, Math.max(0, pixel)), weight]);
    }
    const total = near.reduce((sum, [, weight]) => sum + weight, 0);
    return near.map(([pixel, weight]) => [pixel, weight / total] as const);
  });
}
