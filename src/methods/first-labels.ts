import { inPlaceKernel } from '../engine/ops/orthonormalise.js';
import { streams } from '../train/streams.js';
import { LimbeckError } from '../util/errors.js';
import { text } from '../util/option.js';
import { Stream } from '../util/random.js';
import { itemCount, oneHotLabels } from './items.js';
import type { Setting } from './method.js';

/** What learned labels may begin as; anything else is a file of them. */
export const firstLabelNames = ['one-hot', 'smoothed', 'random', 'orthogonal'] as const;

export const firstLabelsOption = text<string>(
  'one-hot',
  'what learned labels begin as: one-hot, smoothed by 0.1, normal random numbers, orthonormal random rows, or the array [images, classes] of a file',
  (given) =>
    typeof given === 'string' && given !== '' ? undefined : `${firstLabelNames.join(', ')} or a file`,
  { value: `${firstLabelNames.join('|')}|FILE.npy` },
);

/** Part of a label that smoothing shares out among all classes (Szegedy et al. 2016). */
const smoothing = 0.1;

/** ERR_OPTION where labels are to begin as something and are not learned. */
export function checkFirstLabels({
  labels,
  firstLabels,
}: {
  labels: 'hard' | 'soft';
  firstLabels: string;
}): void {
  if (labels === 'hard' && firstLabels !== 'one-hot')
    throw new LimbeckError(
      'ERR_OPTION',
      `firstLabels is ${firstLabels} and labels is hard: hard labels are one-hot and stay so, expected labels: soft beside it`,
    );
}

/**
 * The labels `[count, K]` that are learned, before the first step (Sucholutsky & Schonlau 2019). Orthonormal are the rows, or the
 * columns where there are fewer of them; a label need not be a probability.
 *
 * @throws ERR_OPTION for a file that is named and not given; ERR_SHAPE for one of other sizes
 */
export function firstLabels(
  { items, options, blank, firstLabels: given }: Setting,
  how: string,
): Float32Array {
  const K = items.classes;
  const oneHot = oneHotLabels(items);
  // Measuring takes any labels.
  if (how === 'one-hot' || (blank && !given)) return oneHot;
  if (how === 'smoothed') return oneHot.map((one) => (1 - smoothing) * one + smoothing / K);
  if (how !== 'random' && how !== 'orthogonal') return labelsGiven(how, given, itemCount(items), K);
  const source = new Stream(options.seed, streams.labels);
  const drawn = Float64Array.from(oneHot, (_, i) => source.normal(i));
  if (how === 'orthogonal') orthonormalise(drawn, itemCount(items), K);
  return Float32Array.from(drawn);
}

function labelsGiven(file: string, given: Float32Array | undefined, count: number, K: number): Float32Array {
  if (!given)
    throw new LimbeckError(
      'ERR_OPTION',
      `option firstLabels is ${JSON.stringify(file)}, expected one of ${firstLabelNames.join(', ')}, or a file whose labels are given with it`,
    );
  if (given.length !== count * K)
    throw new LimbeckError(
      'ERR_SHAPE',
      `${file} holds ${given.length} numbers, expected ${count} x ${K}: a label of ${K} numbers for each of the ${count} images`,
    );
  return given;
}

/** By the definition of the op, in float64. */
function orthonormalise(w: Float64Array, rows: number, columns: number): void {
  const [vectors, length, next, along] =
    rows <= columns ? [rows, columns, columns, 1] : [columns, rows, 1, columns];
  inPlaceKernel.reference({ w: () => w }, { P: 1, vectors, length, next, along }, { gain: 1 }, false);
}
