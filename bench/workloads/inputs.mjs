/** What workloads are made of: the same numbers for limbeck, for its reference and for every peer. */
import { ReferenceDevice } from '../../dist/engine/reference.js';
import { heldOutNetworks } from '../../dist/eval/first-networks.js';
import { Stream } from '../../dist/util/random.js';

export const elements = (shape) => shape.reduce((product, size) => product * size, 1);

/** Standard normal numbers; another `stream` gives others. */
export function normals(stream, shape) {
  const source = new Stream(7, stream);
  return { shape, data: Float32Array.from({ length: elements(shape) }, (_, i) => source.normal(i)) };
}

/** Row i is class `i mod K`. */
export function oneHot(shape) {
  const K = shape.at(-1);
  const data = new Float32Array(elements(shape));
  for (let row = 0; row < data.length / K; row++) data[row * K + (row % K)] = 1;
  return { shape, data };
}

export function constant(value, shape) {
  return { shape, data: new Float32Array(elements(shape)).fill(value) };
}

/** Freshly drawn networks `[members, count]`. */
export async function networks(network, members, draw = 0) {
  const device = new ReferenceDevice();
  const data = await heldOutNetworks(device, network, members, 7, draw);
  await device.dispose();
  return { shape: [members, network.count], data };
}
