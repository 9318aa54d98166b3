import { createNetwork } from '../../dist/index.js';

/** The field's ConvNet: three blocks of 3x3 convolution, instance norm, ReLU and average pooling. */
export const convnet = ({ width, inputShape = [3, 32, 32] }) =>
  createNetwork({ name: 'convnet', inputShape, classes: 10, width });
