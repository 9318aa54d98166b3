import type { Split } from '../data/dataset.js';
import { type Normalisation, normalise, storedSize } from '../data/normalisation.js';
import { checkScale } from '../data/pixel-scale.js';
import type { Device } from '../engine/device.js';
import { createNetwork, type Network } from '../networks/index.js';
import type { LossName } from '../train/loss.js';
import { softmax } from '../train/softmax.js';
import { argmax } from '../util/argmax.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { expectArgument, expectDevice, expectOptions, shown } from '../util/expect.js';
import { expectModel, type Model, networksIn } from './model.js';
import { askModel } from './outputs.js';

/** What a network says of images. */
export interface Predictions {
  /** What scores are: probabilities, or the outputs as they are where it was trained on squared error. */
  readonly kind: 'probabilities' | 'outputs';
  /** `[N, K]`; of several networks their mean. */
  readonly scores: Float32Array;
  /** `[N]`: the number of the class with the largest score, of several the first. */
  readonly classes: Uint16Array;
}

/** How the outputs of a network are read, by what it was trained to minimise: logits in, scores out. */
const readings = {
  'cross-entropy': { kind: 'probabilities', read: (logits) => softmax(logits, logits.length) },
  'binary-cross-entropy': {
    kind: 'probabilities',
    read: (logits) => logits.map((logit) => 1 / (1 + Math.exp(-logit))),
  },
  'squared-error': { kind: 'outputs', read: (logits) => logits },
} satisfies Record<LossName, { kind: Predictions['kind']; read: (logits: Float64Array) => Float64Array }>;

/**
 * What a trained network says of images `[N, C, H, W]` in its geometry: bytes, or pixels in 0..1 (of data sets of other floats, such floats alone);
 * it normalises them itself. Of texts, the rows of their words as a split has them, or embedded ones: `embedTexts`.
 *
 * @throws ERR_SHAPE for images of another size; ERR_DATA for a pixel that is not finite, scores that are not, or bytes where it takes other floats; ERR_OUT_OF_MEMORY
 */
export async function predict(
  device: Device,
  model: Model,
  images: Split['images'],
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Predictions> {
  expectDevice('predict', device);
  expectModel('predict', model);
  expectOptions('predict', options, { signal: true });
  const network = createNetwork(model.network);
  checkImages('predict', images, network, model.normalisation);
  const logits = await logitsOf(device, model, network, images, options.signal);
  const { kind, read } = readings[model.loss];
  const K = network.classes;
  const networks = networksIn(model, network);
  const count = logits.length / networks / K;
  const scores = new Float32Array(count * K);
  const classes = new Uint16Array(count);
  for (let row = 0; row < count; row++) {
    const mean = new Float64Array(K);
    for (let p = 0; p < networks; p++) {
      const at = (p * count + row) * K;
      for (const [k, score] of read(Float64Array.from(logits.subarray(at, at + K))).entries())
        mean[k] += score / networks;
    }
    if (!mean.every(Number.isFinite))
      throw new LimbeckError(
        'ERR_DATA',
        `predict: the scores of image ${row} are not finite, expected finite ones: its pixels are too far outside of 0..1, or the network is damaged`,
      );
    scores.set(mean, row * K);
    classes[row] = argmax(mean);
  }
  return { kind, scores, classes };
}

/** ERR_SHAPE unless images `[N, ...inputShape]` are of the network's size, ERR_DATA unless they are finite and on the scale of the training images. */
export function checkImages(
  where: string,
  images: Split['images'],
  { inputShape }: Pick<Network, 'inputShape'>,
  normalisation: Pick<Normalisation, 'text' | 'range'>,
): void {
  const { text } = normalisation;
  const size = storedSize(images, inputShape);
  if (
    !(
      images instanceof Uint8Array ||
      images instanceof Float32Array ||
      (text && images instanceof Uint32Array)
    )
  )
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: images is ${shown(images)}, expected a Uint8Array of bytes or a Float32Array of pixels in 0..1`,
    );
  if (!images.length || images.length % size)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${where}: images has ${images.length} values, expected a multiple of ${size}: images of ${shapeText(inputShape)}, one after the other`,
    );
  checkScale(where, images, normalisation);
  const most = images instanceof Uint32Array ? text!.words.length - 1 : Number.MAX_VALUE;
  const wrong = images.findIndex((pixel) => !(Math.abs(pixel) <= most));
  if (wrong >= 0)
    throw new LimbeckError(
      'ERR_DATA',
      `${where}: images[${wrong}] is ${images[wrong]}, expected ${images instanceof Uint32Array ? `the row of a word, 0 to ${most}` : 'a finite number'}`,
    );
}

/** The same of images with a list of labels beside them, whatever these are; ERR_OPTION where one of the two is missing. */
export function checkLabelled(
  where: string,
  given: { readonly images: Split['images']; readonly labels: ArrayLike<number> },
  network: Pick<Network, 'inputShape'>,
  normalisation: Pick<Normalisation, 'text' | 'range'>,
): void {
  expectArgument(where, 'given', given, 'images', 'images with their labels: { images, labels }');
  checkImages(where, given.images, network, normalisation);
  const labels: unknown = given.labels;
  if (typeof labels !== 'object' || labels === null || !('length' in labels))
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: labels is ${shown(labels)}, expected a list or a typed array of numbers, for every image the number of its class`,
    );
}

/** `[networks, N, K]` */
function logitsOf(
  device: Device,
  model: Model,
  { inputShape }: Network,
  images: Split['images'],
  signal?: AbortSignal,
): Promise<Float32Array> {
  const size = storedSize(images, inputShape);
  const count = images.length / size;
  const piece = (first: number, end: number) =>
    normalise(images.subarray(first * size, end * size), inputShape, model.normalisation);
  return askModel(device, model, count, (outputs) => outputs.of(model, count, piece, signal));
}
