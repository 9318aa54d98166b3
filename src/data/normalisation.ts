import type { Dataset, Split, Whitening } from './dataset.js';
import { normalisedImages } from './on-device.js';
import { type PixelScale, pixelScaleOf } from './pixel-scale.js';
import type { TextEncoding } from './text/encoding.js';

/** How pixels become what a network takes: whitened, where they are, and then `(x - mean) / std`. */
export interface Normalisation extends PixelScale {
  /** Per channel, of pixels in 0..1 or of what whitening makes of them. */
  readonly mean: readonly number[];
  /** As `mean`. */
  readonly std: readonly number[];
  /** Of ZCA-whitened images: `transform (x - mean)` of all pixels of an image together, in 0..1. */
  readonly zca?: Pick<Whitening, 'transform'> & {
    /** `[C * H * W]` */
    readonly mean: Float32Array;
  };
  /** Of texts: the words that are known, and their numbers. */
  readonly text?: TextEncoding;
}

/** How the images of a data set are normalised. */
export function normalisationOf(dataset: Dataset): Normalisation {
  const { mean, std, zca, text } = dataset;
  return {
    mean,
    std,
    ...pixelScaleOf(dataset),
    ...(zca && { zca: { mean: Float32Array.from(zca.mean), transform: zca.transform } }),
    ...(text && { text }),
  };
}

/** Images `[N, C, H, W]`, bytes or pixels on the scale of the training images, as a network takes them; of texts the rows of their words, or what is embedded already. */
export function normalise(
  images: Split['images'],
  imageShape: readonly [number, number, number],
  { mean, std, zca, text }: Normalisation,
): Float32Array {
  const size = storedSize(images, imageShape);
  const rows = Array.from({ length: images.length / size }, (_, i) => i);
  const source = zca ? whitened(images, zca) : images;
  const embedded = text && images instanceof Float32Array;
  return normalisedImages(
    { imageShape, mean, std, text: embedded ? undefined : text },
    { images: source },
    rows,
  );
}

/** Numbers that an item has as it is stored: of texts one for each word. */
export const storedSize = (images: Split['images'], imageShape: readonly number[]): number =>
  images instanceof Uint32Array ? imageShape[1] : imageShape.reduce((a, b) => a * b, 1);

/** A few images at a time: those of a whole data set are whitened by `whiten`. */
function whitened(
  images: Split['images'],
  { mean, transform }: NonNullable<Normalisation['zca']>,
): Float32Array {
  const n = mean.length;
  const scale = images instanceof Uint8Array ? 255 : 1;
  const out = new Float32Array(images.length);
  for (let first = 0; first < images.length; first += n) {
    const centred = Float64Array.from(mean, (value, j) => images[first + j] / scale - value);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += transform[i * n + j] * centred[j];
      out[first + i] = sum;
    }
  }
  return out;
}
