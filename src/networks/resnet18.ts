import { avgPool } from '../layers/avg-pool.js';
import { conv } from '../layers/conv.js';
import { globalAvgPool } from '../layers/global-avg-pool.js';
import type { Layer } from '../layers/layer.js';
import { linear } from '../layers/linear.js';
import { residual } from '../layers/residual.js';
import { activation, activationOption, norm, normOption } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { oneOf, readOptions, whole } from './options.js';

/**
 * ResNet-18 for small images (He et al. 2016; Zhao et al. 2020): a 3x3 convolution of `width` (64) channels, four stages
 * of two residual blocks (1, 2, 4 and 8 times as many; no biases in the convolutions), one linear layer. `norm` is
 * instance.
 *
 * `downsampling: 'stride'` halves the map with strided convolutions and ends in global average pooling: 11,173,962
 * parameters for 3x32x32 and 10 classes. `'avg'` (the field's "AP" variant) has 2x2 average pooling in the place of
 * every stride and feeds the last map to the linear layer without pooling it.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, {
    width: whole(64),
    norm: normOption,
    activation: activationOption,
    downsampling: oneOf('stride', 'avg'),
  });
  const halve = avgPool({ kernel: 2, stride: 2, padding: 0 });
  /** A convolution without bias and its norm; halves the map where asked to. */
  const convolution = (OC: number, K: number, halving: boolean, after: Layer[] = []) => {
    const stride = halving && o.downsampling === 'stride' ? 2 : 1;
    const pool = halving && o.downsampling === 'avg' ? [halve] : [];
    const geometry = { stride, padding: (K - 1) / 2, bias: false };
    // Pooling a shortcut comes before its norm, in a branch after its activation.
    return after.length
      ? [conv(OC, K, geometry), ...norm(o.norm), ...after, ...pool]
      : [conv(OC, K, geometry), ...pool, ...norm(o.norm)];
  };
  const block = (OC: number, halving: boolean, same: boolean) => [
    residual(
      [...convolution(OC, 3, halving, [activation(o.activation)]), ...convolution(OC, 3, false)],
      same ? [] : convolution(OC, 1, halving),
    ),
    activation(o.activation),
  ];
  const stages = [1, 2, 4, 8].flatMap((factor, stage) => [
    ...block(factor * o.width, stage > 0, stage === 0),
    ...block(factor * o.width, false, true),
  ]);
  return new Network(options, [
    ...convolution(o.width, 3, false, [activation(o.activation)]),
    ...stages,
    ...(o.downsampling === 'stride' ? [globalAvgPool()] : []),
    linear(options.classes),
  ]);
}
