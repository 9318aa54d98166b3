import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { Outputs } from '../eval/outputs.js';
import { type Accuracy, percentSame, summarise } from '../eval/statistics.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { Owned } from '../util/owned.js';
import { alongTraining } from './along-training.js';
import {
  type AlongOptions,
  alongNames,
  type NamedSet,
  realSample,
  refuseBatchNorm,
  resolveAlong,
  wholeFrom,
} from './sets.js';

/** How networks are trained that look at sets. */
export interface RecogniseOptions extends AlongOptions {
  /** Networks, from weights of their own; default 5. */
  readonly networks?: number;
}

/** What networks along real training take images for. */
export interface Recognised {
  /** Training steps, `[looks]`. */
  readonly steps: readonly number[];
  /** `[looks]`: of 1,000 training images at most, percent right. */
  readonly real: readonly Accuracy[];
  /** By set: of its images, percent taken for the class that they were made for. */
  readonly sets: readonly RecognisedSet[];
}

/** How a set is recognised. */
export interface RecognisedSet {
  /** As it was given. */
  readonly name: string;
  /** `[looks]` */
  readonly accuracy: readonly Accuracy[];
}

const realImages = 1000;

/**
 * Whether networks that learn from real images recognise distilled ones, along their training (Yang et al. 2024, section 3): SGD with
 * momentum 0.9 at rate 0.01 in batches of 256.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, networks with batch norm; ERR_SHAPE for sets of other images; ERR_OUT_OF_MEMORY
 */
export async function recognise(
  device: Device,
  dataset: Dataset,
  sets: readonly NamedSet[],
  options: RecogniseOptions = {},
): Promise<Recognised> {
  expectDevice('recognise', device);
  expectDataset('recognise', dataset);
  expectOptions('recognise', options, { ...alongNames, networks: true });
  const { networks = 5, signal, onProgress } = options;
  wholeFrom('recognise', 'networks', networks, 1);
  const { network, at, seed } = resolveAlong('recognise', dataset, sets, options);
  refuseBatchNorm('recognise', network);
  const { images, labels } = await realSample(dataset, realImages, seed);
  const K = dataset.classes;
  const asked = [
    {
      images,
      classes: Array.from({ length: labels.length / K }, (_, i) => labels.indexOf(1, i * K) - i * K),
    },
    ...sets.map(({ set }) => ({ images: set.images, classes: [...set.classes] })),
  ];
  const owned = new Owned();
  try {
    const outputs: Outputs[] = [];
    for (const { classes } of asked)
      outputs.push(owned.own(await Outputs.load(device, network, { networks, count: classes.length })));
    const found: Accuracy[][] = asked.map(() => []);
    for await (const { step, parameters } of alongTraining(device, dataset, {
      network,
      networks,
      seed,
      at,
      signal,
    })) {
      for (const [i, { images, classes }] of asked.entries()) {
        const taken = await outputs[i].classes({ parameters }, images, signal);
        found[i].push(summarise(taken.map((of) => percentSame(of, classes))));
      }
      onProgress?.({ step, steps: at[at.length - 1] });
    }
    const [real, ...ofSets] = found;
    return { steps: at, real, sets: sets.map(({ name }, i) => ({ name, accuracy: ofSets[i] })) };
  } finally {
    owned.dispose();
  }
}
