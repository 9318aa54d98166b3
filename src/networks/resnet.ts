import { avgPool } from '../layers/avg-pool.js';
import { conv } from '../layers/conv.js';
import { globalAvgPool } from '../layers/global-avg-pool.js';
import type { Layer } from '../layers/layer.js';
import { residual } from '../layers/residual.js';
import { activation, activationOption, head, norm, normOption } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { oneOf, readOptions, whole } from './options.js';

/** The two kinds of block: two 3x3 convolutions, or a 3x3 one between two 1x1, of which the last is four times as wide. */
export type Block = 'basic' | 'bottleneck';

/**
 * ResNet for small images (He et al. 2016; Zhao et al. 2020): a 3x3 convolution of `width` (64) channels, four stages of
 * residual blocks, `counts` of them in each (1, 2, 4 and 8 times as wide; no biases in the convolutions), one linear layer.
 * `norm` is instance.
 *
 * `downsampling: 'stride'` halves the map with strided convolutions and ends in global average pooling. `'avg'` (the
 * field's "AP" variant) has 2x2 average pooling in the place of every stride and feeds the last map to the linear layer
 * without pooling it.
 */
export function resnet(options: NetworkOptions, kind: Block, counts: readonly number[]): Network {
  const o = readOptions(options, {
    width: whole(64),
    norm: normOption,
    activation: activationOption,
    downsampling: oneOf('stride', 'avg'),
  });
  const strided = o.downsampling === 'stride';
  const halve = avgPool({ kernel: 2, stride: 2, padding: 0 });
  const act = () => activation(o.activation);
  /** A convolution without bias; halves the map by a stride where that is how. */
  const convolution = (OC: number, K: number, halving: boolean) =>
    conv(OC, K, { stride: halving && strided ? 2 : 1, padding: (K - 1) / 2, bias: false });
  // Pooling a shortcut comes before its norm, in a branch after its activation.
  const pool = (halving: boolean) => (halving && !strided ? [halve] : []);
  const ahead = (OC: number, K: number, halving: boolean) => [
    ...[convolution(OC, K, halving), ...norm(o.norm), act()],
    ...pool(halving),
  ];
  const branches: Record<Block, (width: number, halving: boolean) => Layer[]> = {
    basic: (width, halving) => [
      ...ahead(width, 3, halving),
      ...[convolution(width, 3, false), ...norm(o.norm)],
    ],
    bottleneck: (width, halving) => [
      ...ahead(width, 1, false),
      ...ahead(width, 3, halving),
      ...[convolution(4 * width, 1, false), ...norm(o.norm)],
    ],
  };
  const widening = kind === 'bottleneck' ? 4 : 1;
  let channels = o.width;
  const block = (width: number, halving: boolean): Layer[] => {
    const OC = widening * width;
    const shortcut = [convolution(OC, 1, halving), ...pool(halving), ...norm(o.norm)];
    const same = channels === OC && !halving;
    channels = OC;
    return [residual(branches[kind](width, halving), same ? [] : shortcut), act()];
  };
  const stages = counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i) => block(2 ** stage * o.width, stage > 0 && i === 0)).flat(),
  );
  return new Network(options, [
    ...[convolution(o.width, 3, false), ...norm(o.norm), act()],
    ...stages,
    ...(strided ? [globalAvgPool()] : []),
    ...head(options),
  ]);
}
