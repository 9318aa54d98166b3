import { Recorder } from '../../dist/engine/program.js';
import { createNetwork } from '../../dist/index.js';
import { recordUnrolled } from '../../dist/train/unrolled.js';
import { constant, networks, normals, oneHot } from './inputs.mjs';
import { prepareProgram } from './program.mjs';

const network = createNetwork({ name: 'lenet', inputShape: [1, 28, 28], classes: 10 });

/** The exact gradient of the loss on real images after training a LeNet on distilled ones, to these images and the rates. */
export const metaStep = (full, checked = full) => ({
  kind: 'meta-step',
  sizes: {
    full,
    checked,
    small: { n: 2, steps: Math.min(full.steps, 2), epochs: 2, batch: 8, population: full.population },
  },

  async inputs({ n, steps, epochs, batch, population }) {
    return {
      parameters: await networks(network, population),
      images: normals(1, [steps, n, ...network.inputShape]),
      labels: oneHot([steps, n, network.classes]),
      rates: constant(0.02, [steps * epochs]),
      realImages: normals(2, [batch, ...network.inputShape]),
      realLabels: oneHot([batch, network.classes]),
    };
  },

  prepare(device, { steps, epochs, population }, arrays) {
    const r = new Recorder('meta-step');
    const external = (name) => r.external(name, 1, arrays[name].shape);
    const [images, labels, rates] = ['images', 'labels', 'rates'].map(external);
    const theta = r.external('parameters', population, [network.count]);
    const loop = { network, theta, images, labels, rates, steps, epochs };
    const real = { x: external('realImages'), y: external('realLabels') };
    recordUnrolled(r, population, loop, real, {
      losses: r.temporary('losses', population, [1]),
      images: r.external('imagesBar', 1, images.shape),
      rates: r.external('ratesBar', 1, rates.shape),
    });
    return prepareProgram(device, r.program(), arrays, ['imagesBar', 'ratesBar']);
  },
});
