import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import { expectSet } from '../eval/set-file.js';
import { createNetwork, type NetworkOptions, type NetworkSpec, networkSpec } from '../networks/index.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { permutation, Stream } from '../util/random.js';
import { trainFullBatch } from './full-batch.js';
import { type Asked, influencesByProducts } from './influence-products.js';
import { retrained, testedWith } from './influence-retraining.js';
import { checkLearnable, checkSets, wholeFrom } from './sets.js';

/** How influence is found; each option has a default. */
export interface InfluenceOptions {
  /** Default: that of the set. */
  readonly network?: string | NetworkSpec;
  /**
   * `retraining`: a network is trained without each image, which is exact; `products`: one network is trained, and what would change is
   * found by products with the inverse of its Gauss-Newton matrix, which takes less time where images are many. Default `retraining`.
   */
  readonly by?: 'retraining' | 'products';
  /** Test images, drawn; default 1,000. */
  readonly images?: number;
  /** Training steps, all images in each; default 300. */
  readonly steps?: number;
  /** Their rate; default 0.01. */
  readonly rate?: number;
  /**
   * Added to the diagonal of that matrix by `products`. Default (1 - momentum) / (rate x steps): what stops early moves along a direction
   * of curvature h as far as one does with h and this together.
   */
  readonly damping?: number;
  /** Of the network and the test images; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

/** What every image of a set does to the loss on test images. */
export interface Influence {
  /** How it was found. */
  readonly by: 'retraining' | 'products';
  /** Rows of the test split, `[images]`. */
  readonly rows: readonly number[];
  /** `[images]`: the cross-entropy of the network that learned from the whole set. */
  readonly losses: Float64Array;
  /** Percent of these images that it takes for what they are. */
  readonly accuracy: number;
  /**
   * By image of the set, `[images]` each: by how much the loss of a test image is larger where the network learned without it. Positive where the
   * image helps.
   */
  readonly influence: readonly Float64Array[];
}

const names = {
  network: true,
  by: true,
  images: true,
  steps: true,
  rate: true,
  damping: true,
  seed: true,
  signal: true,
} satisfies Record<keyof InfluenceOptions, true>;

const momentum = 0.9;

/**
 * What each image of a set teaches: by how much the loss of test images changes where it is left out (Yang et al. 2024, section 5; by
 * products Koh and Liang 2017). One network learns from all images at once, by SGD with momentum 0.9.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, a set of one image, a network with batch norm; ERR_SHAPE for a set of other images; ERR_OUT_OF_MEMORY
 */
export async function influence(
  device: Device,
  dataset: Dataset,
  set: DistilledSet,
  options: InfluenceOptions = {},
): Promise<Influence> {
  expectDevice('influence', device);
  expectDataset('influence', dataset);
  expectOptions('influence', options, names);
  const { by = 'retraining', images: most = 1000, steps = 300, rate = 0.01, seed = 0, signal } = options;
  const { damping = (1 - momentum) / (rate * steps) } = options;
  expectSet('influence', set);
  const named = [{ name: 'the set', set }];
  checkSets('influence', dataset, named);
  checkLearnable('influence', named);
  wholeFrom('influence', 'images', most, 1);
  wholeFrom('influence', 'steps', steps, 1);
  for (const [name, value] of Object.entries({ rate, damping }))
    if (!(Number.isFinite(value) && value > 0))
      throw refused(`${name} is ${shown(value)}, expected a positive number`);
  if (by === 'retraining' && options.damping !== undefined)
    throw refused(
      `damping is ${damping}, which retraining does not have; leave it out, or give by: products`,
    );
  if (by !== 'retraining' && by !== 'products')
    throw refused(`by is ${shown(by)}, expected retraining or products`);
  const spec: NetworkOptions = {
    ...(options.network === undefined ? set.network : networkSpec(options.network)),
    inputShape: dataset.imageShape,
    classes: dataset.classes,
  };
  const network = createNetwork(spec);
  if (network.statisticsCount)
    throw refused(
      `network ${network.name} has batch norm, by which an image changes what others are worth; choose one without, such as convnet`,
    );
  const n = set.classes.length;
  if (n < 2)
    throw refused('the set has one image, expected several: nothing is left to learn from without it');

  const first = await heldOutNetworks(device, network, 1, seed, 0);
  const training = { network, images: set.images, steps, rate, seed, signal };
  const rows = [...permutation(new Stream(seed, streams.testSample), dataset.test.count).subarray(0, most)];
  const asked: Asked = { device, dataset, network, rows, signal };

  if (by === 'products') {
    const { labels } = set;
    const parameters = await trainFullBatch(device, { ...training, parameters: first, labels });
    const whole = await testedWith(asked, parameters);
    const learned = { network, parameters, images: set.images, labels, signal };
    const influence: Float64Array[] = [];
    for await (const few of influencesByProducts(asked, learned, damping)) influence.push(...few);
    return { by, rows, ...whole, influence };
  }
  const [whole, ...without] = await retrained(asked, { ...training, first, labels: set.labels });
  const influence = without.map(({ losses }) => losses.map((loss, j) => loss - whole.losses[j]));
  return { by, rows, ...whole, influence };
}

const refused = (what: string) => new LimbeckError('ERR_OPTION', `influence: ${what}`);
