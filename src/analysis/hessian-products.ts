import type { Device } from '../engine/device.js';
import { createNetwork } from '../networks/index.js';
import {
  type HessianVectorProductOptions,
  hessianVectorProduct,
} from '../train/calls/hessian-vector-product.js';
import { joined, repeated } from '../util/joined.js';

/** The Hessian of the mean loss of one network on images; flat arrays. */
export interface HessianOf
  extends Pick<HessianVectorProductOptions, 'network' | 'images' | 'labels' | 'loss' | 'signal'> {
  /** `[count]`: the network, in PyTorch's parameter order. */
  readonly parameters: ArrayLike<number>;
}

/** Images that go through the network together. */
const images = 256;

/** Vectors that are multiplied together, at most: more take more memory and no less time. */
export const vectorsAtOnce = 8;

/** The products of the Hessian on all images with a few vectors `[count]`, summed in float64. */
export async function hessianProducts(
  device: Device,
  { network, parameters, images: all, labels, loss, signal }: HessianOf,
  vectors: readonly Float64Array[],
): Promise<Float64Array[]> {
  const { inputShape, classes } = createNetwork(network);
  const pixels = inputShape.reduce((a, b) => a * b, 1);
  const total = all.length / pixels;
  const count = parameters.length;
  const products = vectors.map(() => new Float64Array(count));
  const vector = joined(Float64Array, vectors);
  const networks = repeated(Float64Array, parameters, vectors.length);
  // Pieces of one size but for the last: another size is another program.
  const size = Math.max(1, Math.ceil(total / Math.max(1, Math.ceil(total / images))));
  for (let from = 0; from < Math.max(1, total); from += size) {
    const to = Math.min(total, from + size);
    const own = {
      images: part(all, from * pixels, to * pixels),
      labels: part(labels, from * classes, to * classes),
    };
    const { parameters: answers } = await hessianVectorProduct(device, {
      ...{ network, parameters: networks, ...own, vector, loss, signal },
    });
    for (const [i, product] of products.entries())
      for (let j = 0; j < count; j++) product[j] += (answers[i * count + j] * (to - from)) / total;
  }
  return products;
}

const part = (values: ArrayLike<number>, from: number, to: number): ArrayLike<number> =>
  ArrayBuffer.isView(values)
    ? (values as Float32Array).subarray(from, to)
    : Array.from(values).slice(from, to);
