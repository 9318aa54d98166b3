import { LimbeckError, shapeText } from '../util/errors.js';
import * as modules from './index.gen.js';
import type { Network, NetworkOptions } from './network.js';

export { Network, type NetworkOptions, type NetworkPasses, type Parameter } from './network.js';

/** Names that `createNetwork` knows: one file each in this folder. */
export const networkNames: readonly string[] = Object.keys(modules);

const networks = new Map(Object.entries(modules));

/** Builds a network by name; throws ERR_OPTION for unknown names and ERR_SHAPE for inputs it cannot take. */
export function createNetwork(options: NetworkOptions): Network {
  const { name, inputShape, classes } = options;
  const module = networks.get(name);
  if (!module)
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${JSON.stringify(name)} is unknown; there are: ${networkNames.join(', ')}`,
    );
  if (
    !Array.isArray(inputShape) ||
    inputShape.length !== 3 ||
    !inputShape.every((size) => Number.isInteger(size) && size > 0)
  )
    throw new LimbeckError(
      'ERR_SHAPE',
      `network ${name}: inputShape is ${Array.isArray(inputShape) ? shapeText(inputShape) : String(inputShape)}, expected [C, H, W]`,
    );
  if (!Number.isInteger(classes) || classes < 2)
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${name}: classes is ${classes}, expected a whole number of at least 2`,
    );
  return module.create(options);
}
