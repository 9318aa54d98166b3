import type { Stream } from '../../util/random.js';
import { interpolation } from '../shape.js';

/** A part of an image, in whole pixels. */
export interface Crop {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** The least part of an image's area that a crop has, as in the program of RDED. */
const leastArea = 0.08;

/**
 * Crop k of a stream's draw: of the proportions of the image, its area anywhere from `leastArea` to all of it, its place anywhere in
 * the image.
 */
export function drawCrop(stream: Stream, k: number, [height, width]: readonly [number, number]): Crop {
  const side = Math.sqrt(leastArea + (1 - leastArea) * stream.uniform(3 * k));
  const extent = (whole: number) => Math.max(1, Math.round(side * whole));
  const place = (index: number, room: number) =>
    Math.min(room, Math.floor(stream.uniform(index) * (room + 1)));
  const [h, w] = [extent(height), extent(width)];
  return {
    top: place(3 * k + 1, height - h),
    left: place(3 * k + 2, width - w),
    height: h,
    width: w,
  };
}

/** A crop of an image `[C, H, W]`, brought to `[C, height, width]` by linear interpolation, averaging where it shrinks. */
export function resizedCrop(
  image: Float32Array,
  [C, H, W]: readonly [number, number, number],
  { top, left, ...crop }: Crop,
  [height, width]: readonly [number, number],
): Float32Array {
  const [rows, columns] = [interpolation(crop.height, height), interpolation(crop.width, width)];
  const narrow = new Float64Array(crop.height * width);
  const out = new Float32Array(C * height * width);
  for (let c = 0; c < C; c++) {
    for (let y = 0; y < crop.height; y++) {
      const line = (c * H + top + y) * W + left;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (const [column, share] of columns[x]) sum += share * image[line + column];
        narrow[y * width + x] = sum;
      }
    }
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (const [row, share] of rows[y]) sum += share * narrow[row * width + x];
        out[(c * height + y) * width + x] = sum;
      }
  }
  return out;
}
