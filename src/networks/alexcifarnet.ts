import { conv } from '../layers/conv.js';
import { linear } from '../layers/linear.js';
import { localResponseNorm } from '../layers/local-response-norm.js';
import { maxPool } from '../layers/max-pool.js';
import { relu } from '../layers/relu.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions } from './options.js';

/**
 * AlexCifarNet as Wang et al. 2018 use it: two 5x5 convolutions of 64 channels with ReLU, overlapping 3x3 max pooling
 * and local response normalisation (over 4 channels; in this order after the first, the norm before the pooling after
 * the second), then fully connected 384, 192, classes with ReLU. 1,756,426 parameters for 3x32x32 and 10 classes.
 */
export function create(options: NetworkOptions): Network {
  readOptions(options, {});
  const pool = maxPool({ kernel: 3, stride: 2, padding: 1 });
  const norm = localResponseNorm({ size: 4, alpha: 0.001 / 9, beta: 0.75, k: 1 });
  const convolution = () => conv(64, 5, { stride: 1, padding: 2 });
  return new Network(
    options,
    [
      convolution(),
      relu(),
      pool,
      norm,
      convolution(),
      relu(),
      norm,
      pool,
      linear(384),
      relu(),
      linear(192),
      relu(),
      ...head(options),
    ],
    'xavier',
  );
}
