import type { Network, NetworkOptions } from './network.js';
import { vgg } from './vgg.js';

/** VGG-19: 20,040,522 parameters for 3x32x32 and 10 classes. */
export const create = (options: NetworkOptions): Network => vgg(options, [2, 2, 4, 4, 4]);
