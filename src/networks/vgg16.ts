import type { Network, NetworkOptions } from './network.js';
import { vgg } from './vgg.js';

/** VGG-16: 14,728,266 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => vgg(options, [2, 2, 3, 3, 3]);
