import { conv } from '../layers/conv.js';
import type { Layer } from '../layers/layer.js';
import { maxPool } from '../layers/max-pool.js';
import { relu } from '../layers/relu.js';
import { head, norm, normOption } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/**
 * AlexNet for 32x32 images as Zhao et al. 2020 use it: convolutions of 2, 3 (both 5x5), 4, 3 and 3 (3x3) halves of `width` (128)
 * channels, each with `norm` (none) and ReLU, 2x2 max pooling after the first, second and last, one linear layer. The first
 * pads grey images by 4, so that those of 28x28 make maps of 32x32, others by 2. 1,872,202 parameters for 3x32x32 and 10 classes.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, { width: whole(128), norm: { ...normOption, fallback: 'none' as const } });
  const half = (count: number) => Math.round((count * o.width) / 2);
  const block = (OC: number, K: number, padding: number): Layer[] => [
    ...[conv(OC, K, { stride: 1, padding }), ...norm(o.norm), relu()],
  ];
  const pool = maxPool({ kernel: 2, stride: 2, padding: 0 });
  return new Network(options, [
    ...[...block(o.width, 5, options.inputShape[0] === 1 ? 4 : 2), pool],
    ...[...block(half(3), 5, 2), pool],
    ...[...block(half(4), 3, 1), ...block(half(3), 3, 1), ...block(half(3), 3, 1), pool],
    ...head(options),
  ]);
}
