import { Recorder } from '../../dist/engine/program.js';
import { lossOf } from '../../dist/train/loss.js';
import { convnet } from './convnets.mjs';
import { networks, normals, oneHot } from './inputs.mjs';
import { prepareProgram } from './program.mjs';

export default {
  title: 'ConvNet, 256 real images, gradient to all parameters',
  kind: 'gradient',
  peers: ['torch'],
  sizes: { full: { width: 128, batch: 256 }, small: { width: 4, batch: 4 } },

  async inputs({ width, batch }) {
    const network = convnet({ width });
    return {
      parameters: await networks(network, 1),
      realImages: normals(2, [batch, ...network.inputShape]),
      realLabels: oneHot([batch, network.classes]),
    };
  },

  prepare(device, { width, batch }, arrays) {
    const network = convnet({ width });
    const r = new Recorder('gradient');
    const theta = r.external('parameters', 1, [network.count]);
    const x = r.external('realImages', 1, arrays.realImages.shape);
    const y = r.external('realLabels', 1, arrays.realLabels.shape);
    const passes = network.forward(r, x, theta);
    const zBar = lossOf('cross-entropy')
      .forward(r, passes.z, y)
      .backward(1 / batch);
    passes.backward(zBar, { thetaBar: r.external('parametersBar', 1, [network.count]) });
    return prepareProgram(device, r.program(), arrays, ['parametersBar']);
  },
};
