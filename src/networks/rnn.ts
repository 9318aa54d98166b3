import { rnn } from '../layers/recurrent.js';
import { head, recurrentOptions } from './blocks.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions } from './options.js';

/**
 * Recurrent network of tanh units (Elman 1990) over the rows of a sequence `[1, length, width]`, as Sucholutsky and Schonlau 2019
 * use it for sentences: `layers` (2) of `hidden` (100) units, walked from both ends where `bidirectional` (true), and one linear layer on
 * the last state of each direction. Parameters and first weights are PyTorch's. 102,006 parameters for a width of 100 and 6 classes.
 */
export function create(options: NetworkOptions): Network {
  return new Network(options, [rnn(readOptions(options, recurrentOptions)), ...head(options)]);
}
