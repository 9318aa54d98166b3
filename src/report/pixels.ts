import type { DistilledSet } from '../data/distilled-set.js';
import type { PngImage } from '../util/png.js';

/** What undoes the normalisation, and what to call the classes. */
export interface Look {
  /** `[C, H, W]` of one image. */
  readonly imageShape: readonly [number, number, number];
  /** `[K]`. */
  readonly classNames: readonly string[];
  /** `[C]`: a picture is pixel x std + mean. */
  readonly mean: readonly number[];
  /** `[C]`. */
  readonly std: readonly number[];
}

/** The values shown as black and as white, where a real picture has 0 and 1. */
export interface Window {
  readonly black: number;
  readonly white: number;
}

/** A window is no narrower, so that what differs little still looks it. */
const narrowest = 0.25;

/**
 * Distilled pixels are not those of pictures: after a long training they leave 0 to 1, often far, and after a short one fill
 * little of it. Clipping them there would hide most of what was learned, and a window per image would hide which ones are
 * strong. So all images of a set share one window: their own range, without the outermost 0.5 % at each end.
 */
export function displayWindow(set: DistilledSet, { imageShape, mean, std }: Look): Window {
  const [C, H, W] = imageShape;
  const stride = Math.max(1, Math.floor(set.images.length / 1_000_000));
  const values: number[] = [];
  for (let i = 0; i < set.images.length; i += stride) {
    const channel = Math.floor(i / (H * W)) % C;
    const value = set.images[i] * std[channel] + mean[channel];
    if (Number.isFinite(value)) values.push(value);
  }
  const sorted = Float64Array.from(values).sort();
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(0.005), at(0.995)];
  const margin = Math.max(0, narrowest - (high - low)) / 2;
  return { black: low - margin, white: high + margin };
}

/** One image of a set as bytes, grey or RGB; sets with another number of channels show their first. */
export function imagePixels(
  set: DistilledSet,
  { imageShape, mean, std }: Look,
  index: number,
  { black, white }: Window,
): PngImage {
  const [C, H, W] = imageShape;
  const channels = C === 3 ? 3 : 1;
  const data = new Uint8Array(H * W * channels);
  const first = index * C * H * W;
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < H * W; i++) {
      const value = set.images[first + c * H * W + i] * std[c] + mean[c];
      // A value that is not a number becomes 0 in a byte array.
      data[i * channels + c] = Math.max(
        0,
        Math.min(255, Math.round((255 * (value - black)) / (white - black))),
      );
    }
  return { width: W, height: H, channels, data };
}
