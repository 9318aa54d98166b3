import { fits } from '../engine/ops/zoom.js';
import { LimbeckError } from '../util/errors.js';

/** ERR_OPTION where one of F x F sub-pictures of a picture of H x W would have no pixel. */
export function expectSubPictures(F: number, H: number, W: number): void {
  if (!fits(F, [H, W]))
    throw new LimbeckError(
      'ERR_OPTION',
      `factor is ${F}, expected a whole number that leaves each of ${F}x${F} sub-pictures of a picture of ${H}x${W} a pixel: give a smaller one`,
    );
}

/** The pixels of an axis of an item that each pixel of its sub-picture is the mean of, and by what share. */
function areas(whole: number, size: number): (readonly [pixel: number, share: number])[][] {
  return Array.from({ length: size }, (_, a) => {
    const [from, to] = [(a * whole) / size, ((a + 1) * whole) / size];
    const first = Math.floor(from);
    return Array.from({ length: Math.min(whole, Math.ceil(to)) - first }, (_, i) => {
      const covered = Math.min(first + i + 1, to) - Math.max(first + i, from);
      return [first + i, (covered * size) / whole] as const;
    });
  });
}

/** Pictures whose F x F sub-pictures are the items shrunk: each pixel is the mean of the area it stands for. */
export function shrink(items: Float32Array, [C, H, W]: readonly number[], F: number): Float32Array {
  const [S, T] = [Math.ceil(H / F), Math.ceil(W / F)];
  const [rows, columns] = [areas(H, S), areas(W, T)];
  const pixels = new Float32Array(items.length / (F * F));
  for (let map = 0; map < pixels.length / (H * W); map++)
    for (let h = 0; h < H; h++)
      for (let w = 0; w < W; w++) {
        const part = Math.floor(h / S) * F + Math.floor(w / T);
        const item = ((Math.floor(map / C) * F * F + part) * C + (map % C)) * H * W;
        let mean = 0;
        for (const [i, row] of rows[h % S])
          for (const [j, column] of columns[w % T]) mean += row * column * items[item + i * W + j];
        pixels[(map * H + h) * W + w] = mean;
      }
  return pixels;
}
