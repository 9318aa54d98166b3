import { conv } from '../layers/conv.js';
import { linear } from '../layers/linear.js';
import { maxPool } from '../layers/max-pool.js';
import { relu } from '../layers/relu.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions } from './options.js';

/**
 * LeNet as Wang et al. 2018 use it: two 5x5 convolutions (6 and 16 channels; the first pads by 2 when the
 * images are 28 pixels wide) each with ReLU and 2x2 max pooling, then fully connected 120, 84, classes with ReLU.
 * 61,706 parameters for 1x28x28 and 10 classes.
 *
 * ReLU stands after the pooling: max and ReLU commute, values and almost-everywhere derivatives alike, and the
 * map is four times smaller there.
 */
export function create(options: NetworkOptions): Network {
  readOptions(options, {});
  const pool = maxPool({ kernel: 2, stride: 2, padding: 0 });
  return new Network(
    options,
    [
      conv(6, 5, { stride: 1, padding: options.inputShape[2] === 28 ? 2 : 0 }),
      pool,
      relu(),
      conv(16, 5, { stride: 1, padding: 0 }),
      pool,
      relu(),
      linear(120),
      relu(),
      linear(84),
      relu(),
      ...head(options),
    ],
    'xavier',
  );
}
