import { concat } from '../layers/concat.js';
import { conv } from '../layers/conv.js';
import { dropout } from '../layers/dropout.js';
import { globalMaxPool } from '../layers/global-max-pool.js';
import { relu } from '../layers/relu.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, share, whole } from './options.js';

/**
 * The convolutional network for sentences of Kim 2014, as Sucholutsky and Schonlau 2019 use it: of a sequence of embedded words
 * `[1, length, width]`, `filters` (100) filters of each of the heights 3, 4 and 5 over the whole width, the maximum of each over
 * time, ReLU, `dropout` (0; published: 0.5) and one linear layer. 122,106 parameters for a width of 100 and 6 classes.
 *
 * ReLU stands after the maximum: the two commute, values and almost-everywhere derivatives alike.
 */
export function create(options: NetworkOptions): Network {
  const o = readOptions(options, { filters: whole(100), dropout: share(0) });
  const filters = (height: number) =>
    conv(o.filters, [height, options.inputShape[2]], { stride: 1, padding: 0 });
  return new Network(options, [
    concat(...[3, 4, 5].map((height) => [filters(height), globalMaxPool(), relu()])),
    ...(o.dropout > 0 ? [dropout(o.dropout)] : []),
    ...head(options),
  ]);
}
