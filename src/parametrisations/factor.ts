import * as zoom from '../engine/ops/zoom.js';
import { LimbeckError } from '../util/errors.js';
import { whole } from '../util/option.js';
import type { Parametrisation } from './parametrisation.js';

const options = { factor: whole(2, 'sub-pictures per side of a stored picture') };

/**
 * One stored picture of the size of an item holds factor x factor sub-pictures, each an item once it is zoomed to that size:
 * bilinear, as `zoom` says. Where the factor does not divide height or width, the sub-pictures at the end are smaller and
 * continued by their last row or column (the reference implementation continues the picture by a constant).
 */
export const parametrisation: Parametrisation<typeof options> = {
  name: 'factor',
  source:
    'Kim, Kim, Oh, Yun, Song, Jeong, Ha, Song: Dataset Condensation via Efficient Synthetic-Data Parameterization, 2022',
  options,
  decoder(pictures, shape, { factor: F }) {
    const [C, H, W] = shape;
    if (!zoom.fits(F, [H, W]))
      throw new LimbeckError(
        'ERR_OPTION',
        `factor is ${F}, expected a whole number that leaves each of ${F}x${F} sub-pictures of a picture of ${H}x${W} a pixel: give a smaller one`,
      );
    return {
      perPicture: F * F,
      variables: { pixels: [pictures, ...shape] },
      encode: (items) => ({ pixels: shrink(items, [C, H, W], F) }),
      decode(r, { pixels }, bars) {
        const items = zoom.forward(r, { x: pixels }, F);
        const itemsBar = bars && r.temporary('itemsBar', 1, items.shape);
        return {
          items,
          itemsBar,
          backward() {
            if (itemsBar) zoom.backward(r, { yBar: itemsBar }, F, { into: bars.pixels });
          },
        };
      },
    };
  },
};

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

/** Pictures whose sub-pictures are the items shrunk: each pixel is the mean of the area it stands for. */
function shrink(items: Float32Array, [C, H, W]: readonly number[], F: number): Float32Array {
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
