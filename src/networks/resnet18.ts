import type { Network, NetworkOptions } from './network.js';
import { resnet } from './resnet.js';

/** ResNet-18: 11,173,962 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => resnet(options, 'basic', [2, 2, 2, 2]);
