import type { Network, NetworkOptions } from './network.js';
import { resnet } from './resnet.js';

/** ResNet-34: 21,282,122 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => resnet(options, 'basic', [3, 4, 6, 3]);
