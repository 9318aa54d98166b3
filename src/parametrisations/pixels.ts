import { reshape } from '../engine/view.js';
import type { Parametrisation } from './parametrisation.js';

/** Items are stored as they are. */
export const parametrisation: Parametrisation<Record<never, never>> = {
  name: 'pixels',
  source: 'Wang, Zhu, Torralba, Efros: Dataset Distillation, 2018',
  options: {},
  perPicture: () => 1,
  decoder(pictures, shape) {
    const items = [pictures, ...shape];
    return {
      perPicture: 1,
      variables: { pixels: items },
      encode: (first) => ({ pixels: first }),
      decode: (_, { pixels }, bars) => ({
        items: reshape(pixels, items),
        itemsBar: bars && reshape(bars.pixels, items),
        backward() {},
      }),
    };
  },
};
