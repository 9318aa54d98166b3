import { conv } from '../layers/conv.js';
import { maxPool } from '../layers/max-pool.js';
import { lstm } from '../layers/recurrent.js';
import { relu } from '../layers/relu.js';
import { rowsAsChannels } from '../layers/rows-as-channels.js';
import { head } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions, whole } from './options.js';

/**
 * Convolution and LSTM as Sucholutsky and Schonlau 2019 use them for sentences: the words of a sequence `[1, length, width]` are channels,
 * and `filters` (16) filters of width 5 run along the embedding; ReLU and the maximum of every 4 neighbours; then one layer of LSTM of
 * `hidden` (10) units over the filters, a step for each, and one linear layer on its last state. For a length of 30, a width of 100
 * and 6 classes 3,922 parameters.
 *
 * ReLU stands after the pooling: the two commute, values and almost-everywhere derivatives alike.
 */
export function create(options: NetworkOptions): Network {
  const { filters, hidden } = readOptions(options, { filters: whole(16), hidden: whole(10) });
  return new Network(options, [
    rowsAsChannels(),
    conv(filters, [1, 5], { stride: 1, padding: 0 }),
    maxPool({ kernel: [1, 4], stride: 4, padding: 0 }),
    relu(),
    lstm({ hidden, layers: 1, bidirectional: false }),
    ...head(options),
  ]);
}
