import { linear } from '../layers/linear.js';
import { relu } from '../layers/relu.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/** Two hidden layers of `width` (128) with ReLU, then one logit per class (Zhao et al. 2020). */
export function create(options: NetworkOptions): Network {
  const { width } = readOptions(options, { width: whole(128) });
  return new Network(options, [linear(width), relu(), linear(width), relu(), ...head(options)]);
}
