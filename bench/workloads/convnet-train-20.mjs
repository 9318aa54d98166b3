import { loadWithTensors } from '../../dist/engine/load.js';
import { membersThatFit } from '../../dist/eval/first-networks.js';
import { recordTraining } from '../../dist/eval/population.js';
import { Owned } from '../../dist/util/owned.js';
import { convnet } from './convnets.mjs';
import { constant, networks, normals, oneHot } from './inputs.mjs';

/** What evaluation spends its time on: fresh networks trained on the distilled images, as many at once as it takes. */
export default {
  title: '20 fresh ConvNets, 5 SGD steps each on 10 distilled images',
  kind: 'train',
  peers: ['torch'],
  sizes: {
    full: { width: 128, n: 10, T: 5, networks: 20 },
    // Rounding decides a ReLU on its edge now and then, and every step has a million of them: two float32 sides part.
    checked: { width: 128, n: 10, T: 2, networks: 2 },
    small: { width: 4, n: 2, T: 3, networks: 4 },
  },

  async inputs({ width, n, T, networks: count }) {
    const network = convnet({ width });
    return {
      parameters: await networks(network, count),
      images: normals(1, [1, n, ...network.inputShape]),
      labels: oneHot([1, n, network.classes]),
      rates: constant(0.02, [T]),
    };
  },

  async prepare(
    device,
    { width, n, T, networks: count, members: given },
    { parameters, images, labels, rates },
  ) {
    const network = convnet({ width });
    const geometry = { network, steps: 1, epochs: T, n };
    const record = (members) => recordTraining({ ...geometry, members });
    const divisors = [10, 5, 2, 1].filter((m) => count % m === 0);
    const members = given ?? membersThatFit(device, divisors, (members) => [record(members)]);
    const program = record(members);
    const { tensors, executable } = await loadWithTensors(device, program, new Owned());
    await tensors.images.write(repeated(images.data, members));
    await tensors.rates.write(repeated(rates.data, members));
    await tensors.labels.write(labels.data);
    const trained = new Float32Array(parameters.data.length);
    return {
      gflop: (program.flops() * count) / members / 1e9,
      async step() {
        const length = members * network.count;
        for (let at = 0; at < trained.length; at += length) {
          await tensors.theta.write(parameters.data.subarray(at, at + length));
          await executable.run();
          trained.set(await tensors.trained.read(), at);
        }
      },
      // The way from the first parameters: the parameters themselves would hide an error behind what both sides began with.
      results: async () => ({ change: trained.map((value, i) => value - parameters.data[i]) }),
    };
  },
};

function repeated(values, times) {
  return Float32Array.from({ length: values.length * times }, (_, i) => values[i % values.length]);
}
