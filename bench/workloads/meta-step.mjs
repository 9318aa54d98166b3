import { Recorder } from '../../dist/engine/program.js';
import { createNetwork } from '../../dist/index.js';
import { recordUnrolled } from '../../dist/train/unrolled.js';
import { constant, networks, normals, oneHot } from './inputs.mjs';
import { prepareProgram } from './program.mjs';

/** By the name that sizes have for it; LeNet where they have none. */
const networkOf = ({ network = 'lenet' }) =>
  createNetwork(
    network === 'lenet'
      ? { name: 'lenet', inputShape: [1, 28, 28], classes: 10 }
      : { name: network, inputShape: [1, 30, 100], classes: 6 },
  );

/** The exact gradient of the loss on real images (or sentences) after training a network on distilled ones, to these and the rates. */
export const metaStep = (full, checked = full) => ({
  kind: 'meta-step',
  sizes: {
    full,
    checked,
    small: {
      ...full,
      ...{ n: 2, steps: Math.min(full.steps, 2), epochs: 2, batch: full.network ? 2 : 8 },
    },
  },

  async inputs({ n, steps, epochs, batch, population, ...of }) {
    const network = networkOf(of);
    return {
      parameters: await networks(network, population),
      images: normals(1, [steps, n, ...network.inputShape]),
      labels: oneHot([steps, n, network.classes]),
      rates: constant(0.02, [steps * epochs]),
      realImages: normals(2, [batch, ...network.inputShape]),
      realLabels: oneHot([batch, network.classes]),
    };
  },

  prepare(device, { steps, epochs, population, ...of }, arrays) {
    const network = networkOf(of);
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
