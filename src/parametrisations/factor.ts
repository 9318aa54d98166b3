import * as zoom from '../engine/ops/zoom.js';
import { whole } from '../util/option.js';
import type { Parametrisation } from './parametrisation.js';
import { expectSubPictures, shrink } from './shrink.js';

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
  perPicture: ({ factor }) => factor ** 2,
  decoder(pictures, shape, { factor: F }) {
    const [C, H, W] = shape;
    expectSubPictures(F, H, W);
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
