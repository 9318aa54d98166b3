import { conv } from '../layers/conv.js';
import { linear } from '../layers/linear.js';
import { activation, activationOption, norm, normOption, pooling, poolingOption } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/** Channels of the 3x3 convolutions in units of the width, and where the map is halved. */
const plan = [1, 'pool', 2, 'pool', 4, 4, 'pool', 8, 8, 'pool', 8, 8, 'pool'] as const;

/**
 * VGG-11 for small images (Simonyan & Zisserman 2015; Zhao et al. 2020): eight 3x3 convolutions of `width` (64) to
 * 8 `width` channels, each with `norm` (instance) and `activation` (ReLU), five 2x2 `pooling`s (max), one linear
 * layer. The first convolution pads by 3 when the images are 28x28 and grey. 9,231,114 parameters for 3x32x32 and 10
 * classes.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, {
    width: whole(64),
    norm: normOption,
    activation: activationOption,
    pooling: { ...poolingOption, fallback: 'max' as const },
  });
  const [C, H, W] = options.inputShape;
  const wide = C === 1 && H === 28 && W === 28;
  const features = plan.flatMap((piece, index) =>
    piece === 'pool'
      ? pooling(o.pooling)
      : [
          conv(piece * o.width, 3, { stride: 1, padding: index === 0 && wide ? 3 : 1 }),
          ...norm(o.norm),
          activation(o.activation),
        ],
  );
  return new Network(options, [...features, linear(options.classes)]);
}
