import { Recorder } from '../../dist/engine/program.js';
import { recordTrajectoryMatching } from '../../dist/train/trajectory-matching.js';
import { convnet } from './convnets.mjs';
import { constant, networks, normals, oneHot } from './inputs.mjs';
import { prepareProgram } from './program.mjs';

/** Gradient of ||theta[T] - theta*||^2 / ||theta[0] - theta*||^2 (Cazenavette et al. 2022), exact. */
export default {
  title: 'ConvNet trajectory matching, 10 images, 10 inner steps, exact meta-gradient',
  kind: 'trajectory',
  peers: ['torch'],
  sizes: {
    full: { width: 128, n: 10, T: 10 },
    // Rounding decides a ReLU on its edge now and then, and ten steps on ten images have millions of them.
    checked: { width: 128, n: 2, T: 2 },
    small: { width: 4, n: 2, T: 2 },
  },

  async inputs({ width, n, T }) {
    const network = convnet({ width });
    return {
      parameters: await networks(network, 1),
      target: await networks(network, 1, 1),
      images: normals(1, [1, n, ...network.inputShape]),
      labels: oneHot([1, n, network.classes]),
      rates: constant(0.02, [T]),
    };
  },

  prepare(device, { width, T }, arrays) {
    const network = convnet({ width });
    const r = new Recorder('trajectory matching');
    const external = (name) => r.external(name, 1, arrays[name].shape);
    const [images, labels, rates] = ['images', 'labels', 'rates'].map(external);
    const [theta, target] = ['parameters', 'target'].map((name) => r.external(name, 1, [network.count]));
    const loop = { network, theta, images, labels, rates, steps: 1, epochs: T };
    recordTrajectoryMatching(r, 1, loop, target, {
      losses: r.external('losses', 1, [1]),
      images: r.external('imagesBar', 1, images.shape),
      rates: r.external('ratesBar', 1, rates.shape),
    });
    return prepareProgram(device, r.program(), arrays, ['imagesBar', 'ratesBar']);
  },
};
