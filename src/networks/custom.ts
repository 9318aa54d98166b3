import { LimbeckError } from '../util/errors.js';
import { type LayerSpec, layersOf } from './layer-specs.js';
import { Network, type NetworkOptions } from './network.js';
import { readOptions } from './options.js';

/**
 * A network of your own: its layers as a list that JSON can hold, so that a file made for it describes it.
 *
 *     createNetwork({
 *       name: 'custom', inputShape: [1, 28, 28], classes: 10,
 *       layers: [{ conv: 8, kernel: 3, padding: 1 }, 'instanceNorm', 'relu', { avgPool: 2 }, { linear: 10 }],
 *     })
 *
 * `LayerSpec` lists the layers there are. ERR_OPTION for a layer that is unknown or badly put, ERR_SHAPE for layers that do
 * not fit together.
 */
export function create(options: NetworkOptions): Network {
  const { layers } = readOptions(options, {
    layers: {
      fallback: [] as readonly LayerSpec[],
      expected: 'a list of layers',
      read: (value) => (Array.isArray(value) && value.length ? (value as readonly LayerSpec[]) : undefined),
    },
  });
  if (!layers.length)
    throw new LimbeckError(
      'ERR_OPTION',
      'network custom has no layers: give them as layers: [...] (in a configuration file, or to the API)',
    );
  return new Network(options, layersOf(layers, 'network custom: layers'));
}
