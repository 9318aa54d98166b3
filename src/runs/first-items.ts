import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { firstImages, firstNames } from '../data/first-images.js';
import { type Items, itemClasses } from '../methods/items.js';
import { LimbeckError } from '../util/errors.js';

/** What first items are told: the options of the run. */
export interface FirstOptions {
  readonly first: string;
  readonly seed: number;
  readonly imageScale: number;
}

/**
 * The items that a run begins with, `[count, C, H, W]` in the order of its method. `from` is the set in the file that
 * `first` names. Throws ERR_OPTION where a file is named and not given, ERR_DATA where it does not fit.
 */
export async function firstItems(
  dataset: Dataset,
  items: Omit<Items, 'first'>,
  { first, seed, imageScale }: FirstOptions,
  from?: DistilledSet,
): Promise<Float32Array> {
  const name = firstNames.find((name) => name === first);
  if (!name && !from)
    throw new LimbeckError(
      'ERR_OPTION',
      `option first is ${JSON.stringify(first)}, expected one of ${firstNames.join(', ')}, or the file of a set that is given with it`,
    );
  return firstImages(dataset, {
    first: name ?? { file: first, set: from! },
    classes: itemClasses(items),
    seed,
    scale: imageScale,
  });
}
