import { conv } from '../layers/conv.js';
import {
  activation,
  activationOption,
  firstPadding,
  head,
  norm,
  normOption,
  pooling,
  poolingOption,
} from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/**
 * The field's ConvNet (Gidaris & Komodakis 2018; Zhao et al. 2020): `depth` (3) blocks of 3x3 convolution of `width`
 * (128) channels, `norm` (instance), `activation` (ReLU) and 2x2 `pooling` (average), then one linear layer. The
 * first convolution pads grey images by 3, so that those of 28x28 make maps of 32x32. Parameters for 10 classes: 320,010 at
 * 3x32x32, 317,706 at 1x28x28.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, {
    width: whole(128),
    depth: whole(3),
    norm: normOption,
    activation: activationOption,
    pooling: poolingOption,
  });
  const blocks = Array.from({ length: o.depth }, (_, index) => [
    conv(o.width, 3, { stride: 1, padding: index === 0 ? firstPadding(options) : 1 }),
    ...norm(o.norm),
    activation(o.activation),
    ...pooling(o.pooling),
  ]);
  return new Network(options, [...blocks.flat(), ...head(options)]);
}
