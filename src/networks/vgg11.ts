import type { Network, NetworkOptions } from './network.js';
import { vgg } from './vgg.js';

/** VGG-11: 9,231,114 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => vgg(options, [1, 1, 2, 2, 2]);
