import type { Split } from './dataset.js';

/**
 * Mean and standard deviation of each channel over all pixels of a split, of values scaled to 0..1 (bytes / 255,
 * floats as they are); summed in float64, rounded to float32. A constant channel gets standard deviation 1, so
 * that normalising by it is harmless.
 *
 * @param imageShape `[C, H, W]`
 */
export function channelStatistics(
  split: Split,
  imageShape: readonly [number, number, number],
): { mean: number[]; std: number[] } {
  const [channels, height, width] = imageShape;
  const pixels = height * width;
  const scale = split.images instanceof Uint8Array ? 1 / 255 : 1;
  const n = split.count * pixels;
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const average = sumOverChannel(split, channel, channels, pixels, (x) => x) / n;
    const variance = sumOverChannel(split, channel, channels, pixels, (x) => (x - average) ** 2) / n;
    mean.push(Math.fround(average * scale));
    std.push(variance > 0 ? Math.fround(Math.sqrt(variance) * scale) : 1);
  }
  return { mean, std };
}

function sumOverChannel(
  { images, count }: Split,
  channel: number,
  channels: number,
  pixels: number,
  term: (x: number) => number,
): number {
  let sum = 0;
  for (let image = 0; image < count; image++) {
    const begin = (image * channels + channel) * pixels;
    for (let i = begin; i < begin + pixels; i++) sum += term(images[i]);
  }
  return sum;
}

/**
 * The channels that have one value in all pixels of a split, and which.
 *
 * @param imageShape `[C, H, W]`
 */
export function constantChannels(
  { images, count }: Split,
  [channels, height, width]: readonly [number, number, number],
): { readonly channel: number; readonly value: number }[] {
  const pixels = height * width;
  const varies = (channel: number): boolean => {
    const value = images[channel * pixels];
    for (let image = 0; image < count; image++) {
      const begin = (image * channels + channel) * pixels;
      for (let i = begin; i < begin + pixels; i++) if (images[i] !== value) return true;
    }
    return false;
  };
  return Array.from({ length: channels }, (_, channel) => ({
    channel,
    value: images[channel * pixels],
  })).filter(({ channel }) => !varies(channel));
}
