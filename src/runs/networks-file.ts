import type { Dataset } from '../data/dataset.js';
import { printNetworkSpec } from '../networks/spec.js';
import { encodeSafetensors, type WritableData } from '../util/safetensors.js';
import { version } from '../util/version.js';
import type { TrainedNetworks } from './train-networks.js';

/**
 * The bytes of `network.safetensors`: one tensor per parameter in PyTorch's layouts, `[networks, ...shape]`, or `shape` for a single
 * network; what they are, how they were trained and how images are normalised for them is in its metadata.
 */
export function encodeNetworks(
  { network, spec, parameters, protocol, accuracy }: TrainedNetworks,
  { name, mean, std }: Dataset,
): Uint8Array {
  const { count, inputShape, classes } = network;
  const networks = parameters.length / count;
  const tensors: Record<string, { shape: number[]; data: WritableData }> = {};
  for (const { name, offset, shape } of network.parameters) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(networks * size);
    for (let p = 0; p < networks; p++)
      data.set(parameters.subarray(p * count + offset, p * count + offset + size), p * size);
    tensors[name] = { shape: networks === 1 ? [...shape] : [networks, ...shape], data };
  }
  return encodeSafetensors(tensors, {
    format: 'limbeck-network-1',
    version,
    protocol,
    network: JSON.stringify({ spec: printNetworkSpec(spec), inputShape, classes, networks }),
    notes: JSON.stringify({ dataset: name, mean, std, testAccuracy: accuracy }),
  });
}
