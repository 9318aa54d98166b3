import type { Dataset } from '../data/dataset.js';
import type { Items } from '../methods/items.js';
import { streams } from '../train/streams.js';
import { Stream } from '../util/random.js';
import type { ResolvedOptions } from './options.js';

/** What a run begins with: its first items, in the order that its method asks for. */
export async function firstItems(
  dataset: Dataset,
  { seed, imageScale }: ResolvedOptions,
): Promise<(items: Omit<Items, 'first'>) => Float32Array> {
  const pixels = dataset.imageShape.reduce((a, b) => a * b, 1);
  return ({ ipc, classes, decoder }) => {
    const source = new Stream(seed, streams.images);
    const length = ipc * classes * decoder.perPicture * pixels;
    return Float32Array.from({ length }, (_, i) => imageScale * source.normal(i));
  };
}
