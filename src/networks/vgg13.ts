import type { Network, NetworkOptions } from './network.js';
import { vgg } from './vgg.js';

/** VGG-13: 9,416,010 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => vgg(options, [2, 2, 2, 2, 2]);
