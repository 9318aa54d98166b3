import type { Dataset, Split } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisationOf, normalise, storedSize } from '../data/normalisation.js';
import type { PixelScale } from '../data/pixel-scale.js';
import { type NetworkSpec, networkSpec } from '../networks/index.js';
import { argmax } from '../util/argmax.js';
import { LimbeckError } from '../util/errors.js';
import { expectOptions, shown } from '../util/expect.js';
import { findProtocol } from './find-protocol.js';
import { checkLabelled } from './predict.js';

/** What stands in a set in the place of its method, where the images come from elsewhere. */
export const methodOfOthers = 'others';

/** What the numbers of images are: pixels, which are normalised as the data set is, or normalised alike already. */
export const imageValues = ['pixels', 'normalised'] as const;

/** What is to be assumed of images of somebody else; each has a default. */
export interface SetOfImagesOptions {
  /** Default: `pixels` for bytes and for floats of 0..1 (or of the range of the data set, where its floats have another), `normalised` for others. */
  readonly values?: (typeof imageValues)[number];
  /** What is trained on them; default `convnet`. */
  readonly network?: string | NetworkSpec;
  /** How it is trained; default `dc`: on images as they are, without augmentation. */
  readonly protocol?: string;
  /** That was learned with them, for protocols that take the learned one. */
  readonly learningRate?: number;
  /** Of everything random in the evaluation; default 0. */
  readonly seed?: number;
}

const known = {
  values: true,
  network: true,
  protocol: true,
  learningRate: true,
  seed: true,
} satisfies Record<keyof SetOfImagesOptions, true>;

/**
 * A set that `evaluate` scores, of images `[count, C, H, W]` that somebody else made for a data set: bytes or floats. `labels` are numbers of classes
 * `[count]`, or probabilities `[count, K]`.
 *
 * @throws ERR_SHAPE for images of another geometry or labels of another number; ERR_DATA for labels that are none; ERR_OPTION
 */
export function setOfImages(
  dataset: Dataset,
  given: { readonly images: Split['images']; readonly labels: ArrayLike<number> },
  options: SetOfImagesOptions = {},
): DistilledSet {
  expectDataset('setOfImages', dataset, []);
  expectOptions('setOfImages', options, known);
  const { imageShape: inputShape, classes: K } = dataset;
  const normalisation = normalisationOf(dataset);
  checkLabelled('setOfImages', given, { inputShape }, normalisation);
  const { images, labels } = given;
  const {
    values = valuesOf(images, normalisation),
    network = 'convnet',
    protocol = 'dc',
    seed = 0,
    learningRate,
  } = options;
  if (learningRate !== undefined && !(learningRate > 0 && Number.isFinite(learningRate)))
    throw new LimbeckError(
      'ERR_OPTION',
      `setOfImages: learningRate is ${shown(learningRate)}, expected a number above 0`,
    );
  if (!imageValues.includes(values))
    throw new LimbeckError(
      'ERR_OPTION',
      `setOfImages: values is ${shown(values)}, expected one of ${imageValues.join(', ')}`,
    );
  const count = images.length / storedSize(images, inputShape);
  const soft = probabilities(labels, count, K);
  if (findProtocol(protocol).training === 'learned-steps')
    throw new LimbeckError(
      'ERR_OPTION',
      `setOfImages: protocol is ${protocol}, but images of others have no learned steps, expected one of training in minibatches such as dc`,
    );
  return {
    method: methodOfOthers,
    network: { ...networkSpec(network), inputShape, classes: K },
    images: values === 'pixels' ? normalise(images, inputShape, normalisation) : Float32Array.from(images),
    classes: Uint16Array.from({ length: count }, (_, i) => argmax(soft.subarray(i * K, (i + 1) * K))),
    labels: soft,
    use: { kind: 'minibatches', protocol, learningRate },
    stored: { parametrisation: { name: 'pixels' }, pictures: count, variables: {} },
    seed,
  };
}

/** What numbers are taken for where nothing else is said. */
export const valuesOf = (
  images: Split['images'],
  { range: [least, most] = [0, 1] }: PixelScale,
): (typeof imageValues)[number] =>
  !(images instanceof Float32Array) || images.every((pixel) => pixel >= least && pixel <= most)
    ? 'pixels'
    : 'normalised';

function probabilities(labels: ArrayLike<number>, count: number, K: number): Float32Array {
  const soft = labels.length === count * K;
  if (!soft && labels.length !== count)
    throw new LimbeckError(
      'ERR_SHAPE',
      `setOfImages: there are ${labels.length} labels for ${count} images of ${K} classes, expected ${count} numbers of classes or ${count * K} probabilities`,
    );
  if (!soft) {
    const out = new Float32Array(count * K);
    for (let i = 0; i < count; i++) {
      if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < K))
        throw new LimbeckError(
          'ERR_DATA',
          `setOfImages: labels[${i}] is ${shown(labels[i])}, expected the number of a class, 0 to ${K - 1}`,
        );
      out[i * K + labels[i]] = 1;
    }
    return out;
  }
  const out = Float32Array.from(labels);
  const wrong = out.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `setOfImages: labels[${wrong}] is ${out[wrong]}, expected a finite number`,
    );
  return out;
}
