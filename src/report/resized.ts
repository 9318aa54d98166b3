import type { PngImage } from '../util/png.js';

/** A picture in another size: every pixel is the mean of the area that it covers; at a whole multiple, squares of one colour. */
export function resized(
  { width, height, channels, data }: PngImage,
  to: { width: number; height: number },
): PngImage {
  const columns = coverage(width, to.width);
  const rows = coverage(height, to.height);
  const out = new Uint8Array(to.width * to.height * channels);
  for (const [y, down] of rows.entries())
    for (const [x, across] of columns.entries())
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [row, tall] of down)
          for (const [column, wide] of across)
            sum += tall * wide * data[(row * width + column) * channels + c];
        out[(y * to.width + x) * channels + c] = Math.round(sum);
      }
  return { ...to, channels, data: out };
}

/** For each new pixel the old ones that it covers, with their shares, which add up to 1. */
function coverage(from: number, to: number): (readonly [pixel: number, share: number])[][] {
  const size = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [begin, end] = [i * size, (i + 1) * size];
    const pixels: (readonly [number, number])[] = [];
    for (let pixel = Math.floor(begin); pixel < Math.min(from, Math.ceil(end - 1e-9)); pixel++) {
      const part = Math.min(end, pixel + 1) - Math.max(begin, pixel);
      if (part > 1e-9) pixels.push([pixel, part / size]);
    }
    return pixels;
  });
}
