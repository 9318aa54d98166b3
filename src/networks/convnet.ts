import { conv } from '../layers/conv.js';
import { linear } from '../layers/linear.js';
import { activation, activationOption, norm, normOption, pooling, poolingOption } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/**
 * The field's ConvNet (Gidaris & Komodakis 2018; Zhao et al. 2020): `depth` (3) blocks of 3x3 convolution of `width`
 * (128) channels, `norm` (instance), `activation` (ReLU) and 2x2 `pooling` (average), then one linear layer. The
 * first convolution pads by 3 when the images are 28x28 and grey, so that its map is 32x32. Parameters for 10 classes:
 * 320,010 at 3x32x32, 317,706 at 1x28x28.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, {
    width: whole(128),
    depth: whole(3),
    norm: normOption,
    activation: activationOption,
    pooling: poolingOption,
  });
  const [C, H, W] = options.inputShape;
  const wide = C === 1 && H === 28 && W === 28;
  const blocks = Array.from({ length: o.depth }, (_, index) => [
    conv(o.width, 3, { stride: 1, padding: index === 0 && wide ? 3 : 1 }),
    ...norm(o.norm),
    activation(o.activation),
    ...pooling(o.pooling),
  ]);
  return new Network(options, [...blocks.flat(), linear(options.classes)]);
}
