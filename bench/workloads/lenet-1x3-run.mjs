import { distill, generateDigits } from '../../dist/index.js';

/** A whole run through the public interface: data on the device, outer steps, looks at the validation split, the test. */
export default {
  title: 'a whole run: 200 outer steps of the main job on the generated digits, validation and test included',
  kind: 'run',
  peers: [],
  sizes: {
    full: { iterations: 200, batch: 1024, train: 2000, scored: 1000 },
    // Adam divides a gradient by its own size: what is rounding in one near 0 would be a whole step of a pixel.
    small: { iterations: 3, batch: 8, train: 20, scored: 10, epsilon: 1e-6 },
  },

  // The digits are generated: there is nothing to hand over.
  inputs: async () => ({}),

  prepare(device, { train, scored, ...options }) {
    const dataset = generateDigits({ train, validation: scored, test: scored });
    let result;
    return {
      images: options.iterations * options.batch,
      repeats: 1,
      async step() {
        result = await distill(device, dataset, options);
      },
      results: async () => ({ images: result.set.images, learningRates: result.set.use.learningRates }),
    };
  },
};
