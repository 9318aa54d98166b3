import { linear } from '../layers/linear.js';
import { relu } from '../layers/relu.js';
import { LimbeckError } from '../util/errors.js';
import { Network, type NetworkOptions } from './network.js';

/** Two hidden layers of `width` (128) with ReLU, then one logit per class (Zhao et al. 2020). */
export function create({ inputShape, classes, width = 128 }: NetworkOptions): Network {
  if (!Number.isInteger(width) || (width as number) < 1)
    throw new LimbeckError(
      'ERR_OPTION',
      `network mlp: width is ${String(width)}, expected a whole number above 0`,
    );
  return new Network('mlp', inputShape, classes, [
    linear(width as number),
    relu(),
    linear(width as number),
    relu(),
    linear(classes),
  ]);
}
