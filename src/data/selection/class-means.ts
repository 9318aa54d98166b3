import { byClass, type Selection } from './by-class.js';
import { meanOf, rowOf } from './vectors.js';

/** One image per class is its mean; several are the means of as many equal random parts of it. */
export const classMeans: Selection = (dataset, perClass, seed, draw) =>
  byClass(dataset, perClass, seed, draw, (ofClass) => {
    const { images, count, pixels } = ofClass;
    const out = new Float32Array(perClass * pixels);
    for (let part = 0; part < perClass; part++) {
      const from = Math.floor((part * count) / perClass);
      const to = Math.max(from + 1, Math.floor(((part + 1) * count) / perClass));
      const group = { ...ofClass, count: to - from, images: images.subarray(from * pixels, to * pixels) };
      rowOf(out, part, pixels).set(meanOf(group));
    }
    return out;
  });
