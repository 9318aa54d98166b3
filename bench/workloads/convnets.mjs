import { createNetwork } from '../../dist/index.js';

/** The field's ConvNet: three blocks of 3x3 convolution, instance norm, ReLU and average pooling, on 3x32x32. */
export const convnet = ({ width }) =>
  createNetwork({ name: 'convnet', inputShape: [3, 32, 32], classes: 10, width });
