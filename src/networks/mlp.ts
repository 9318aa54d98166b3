import type { Layer } from '../layers/layer.js';
import { linear } from '../layers/linear.js';
import { relu } from '../layers/relu.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/** `layers` (2) hidden ones of `width` (128) with ReLU, then one logit per class (Zhao et al. 2020). */
export function create(options: NetworkOptions): Network {
  const { width, layers } = readOptions(options, { width: whole(128), layers: whole(2) });
  const hidden = Array.from({ length: layers }, (): Layer[] => [linear(width), relu()]);
  return new Network(options, [...hidden.flat(), ...head(options)]);
}
