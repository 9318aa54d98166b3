import { conv } from '../layers/conv.js';
import type { Layer } from '../layers/layer.js';
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
 * VGG for small images (Simonyan & Zisserman 2015; Zhao et al. 2020): five stages of 3x3 convolutions, `counts` of them in
 * each, of 1, 2, 4, 8 and 8 times `width` (64) channels, each with `norm` (instance) and `activation` (ReLU); a 2x2 `pooling`
 * (max) after every stage, and one linear layer. The first convolution pads grey images by 3.
 */
export function vgg(options: NetworkOptions, counts: readonly number[]): Network {
  const o = readOptions(options, {
    width: whole(64),
    norm: normOption,
    activation: activationOption,
    pooling: { ...poolingOption, fallback: 'max' as const },
  });
  const factors = [1, 2, 4, 8, 8];
  const layers: Layer[] = [];
  for (const [stage, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      const padding = layers.length === 0 ? firstPadding(options) : 1;
      layers.push(conv(factors[stage] * o.width, 3, { stride: 1, padding }));
      layers.push(...norm(o.norm), activation(o.activation));
    }
    layers.push(...pooling(o.pooling));
  }
  return new Network(options, [...layers, ...head(options)]);
}
