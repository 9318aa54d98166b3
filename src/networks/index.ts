import { LimbeckError, shapeText } from '../util/errors.js';
import { expectArgument, shown, written } from '../util/expect.js';
import * as modules from './index.gen.js';
import { type Network, type NetworkOptions, weightSchemes } from './network.js';

export {
  Network,
  type NetworkMode,
  type NetworkOptions,
  type NetworkPasses,
  type Parameter,
  type WeightScheme,
  weightSchemes,
} from './network.js';
export { type NetworkSpec, networkSpec, networkTitle, parseNetworkSpec, printNetworkSpec } from './spec.js';

/** Names that `createNetwork` knows: one file each in this folder. */
export const networkNames: readonly string[] = Object.keys(modules);

const networks = new Map(Object.entries(modules));

/**
 * Builds a network by name; throws ERR_OPTION for unknown names and options and ERR_SHAPE for inputs it cannot take.
 * Every network takes `weights` and `gain`, how its fresh weights are drawn, and `logits: 1`, a single logit for two
 * classes; its own options are in its file.
 */
export function createNetwork(options: NetworkOptions): Network {
  expectArgument('createNetwork', 'options', options, 'name', 'an object with name, inputShape and classes');
  const { name, inputShape, classes, weights, gain, logits } = options;
  const module = networks.get(name);
  if (!module)
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${written(name)} is unknown; there are: ${networkNames.join(', ')}`,
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
  if (logits !== undefined && (logits !== 1 || classes !== 2))
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${name}: logits is ${shown(logits)} for ${classes} classes, expected 1 for two classes, or none`,
    );
  if (weights !== undefined && !weightSchemes.includes(weights))
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${name}: weights is ${written(weights)}, expected one of ${weightSchemes.join(', ')}`,
    );
  if (gain !== undefined && !(Number.isFinite(gain) && gain > 0))
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${name}: gain is ${shown(gain)}, expected a number above 0`,
    );
  const network = module.create(options);
  if (gain !== undefined && network.weights === 'pytorch')
    throw new LimbeckError(
      'ERR_OPTION',
      `network ${name}: gain is ${gain}, but PyTorch's weights have none: choose others with weights, such as kaiming`,
    );
  return network;
}
