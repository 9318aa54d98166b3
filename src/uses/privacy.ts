import { wholeFrom } from '../analysis/sets.js';
import type { Dataset, Split } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import type { Model } from '../eval/model.js';
import { askModel } from '../eval/outputs.js';
import { type Accuracy, summarise } from '../eval/statistics.js';
import { asDistilled } from '../runs/train-on-checks.js';
import { softmax } from '../train/softmax.js';
import { streams } from '../train/streams.js';
import { inPieces } from '../util/breathe.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { permutation, Stream } from '../util/random.js';
import { type SubjectOptions, subjectNames, subjectsOf } from './subjects.js';

/** How membership is guessed; each has a default. */
export interface PrivacyOptions extends SubjectOptions {
  /** Training images, and test images, drawn; default 1,000 of each, or as many as there are of both. */
  readonly images?: number;
}

/** How well somebody tells training images from test images. */
export interface Privacy {
  /** Of each of the two splits. */
  readonly images: number;
  /** By what networks learned from. */
  readonly subjects: readonly MembershipInference[];
  /** Where distilled images lie. */
  readonly nearest: NearestReal;
}

/** By the loss of networks of one kind on an image: the smaller it is, the rather it is taken for a training image (Yeom et al. 2018). */
export interface MembershipInference {
  /** What the networks learned from. */
  readonly name: string;
  /** Area under the receiver operating characteristic, percent: 50 is guessing, 100 always right. */
  readonly area: Accuracy;
  /** Percent of the training images that are found where one in a hundred test images is accused. */
  readonly foundAtOne: Accuracy;
}

/** The nearest real image of each distilled one. */
export interface NearestReal {
  /** Of the training split, by image of the set. */
  readonly training: readonly Neighbour[];
  /** Of the test split, which the set cannot have come from. */
  readonly test: readonly Neighbour[];
}

/** A real image near another. */
export interface Neighbour {
  /** Of its split. */
  readonly row: number;
  /** Euclidean, of normalised pixels. */
  readonly distance: number;
}

/**
 * Whether a distilled set, or networks that learned from it, give away which images it was made from.
 *
 * What it does not show: that nothing is given away. The attacker here is a simple one; one who trains networks with and without an image (Carlini et al. 2022)
 * finds more, and soft labels can say more than pixels.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; what `trainOn` throws
 */
export async function privacy(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: PrivacyOptions = {},
): Promise<Privacy> {
  expectDevice('privacy', device);
  expectDataset('privacy', dataset);
  expectArtefact('privacy', artefact);
  expectOptions('privacy', options, { ...subjectNames, images: true });
  const { images: most = 1000, ...how } = options;
  const { seed = 0, signal } = how;
  wholeFrom('privacy', 'images', most, 1);
  // Real images lie beside distilled ones as these are normalised.
  const data = asDistilled(dataset, artefact);
  const { train, test } = data;
  const count = Math.min(most, train.count, test.count);
  const drawn = (split: Split, stream: number) => [
    ...permutation(new Stream(seed, stream), split.count).subarray(0, count),
  ];
  const inside = drawn(train, streams.suspects);
  const outside = drawn(test, streams.strangers);
  const subjects: MembershipInference[] = [];
  for (const { name, model } of await subjectsOf('privacy', device, data, artefact, how)) {
    const members = await lossesOf(device, data, model, train, inside, signal);
    const others = await lossesOf(device, data, model, test, outside, signal);
    subjects.push({
      name,
      area: summarise(members.map((own, p) => 100 * areaUnder(own, others[p]))),
      foundAtOne: summarise(members.map((own, p) => 100 * foundAt(own, others[p], 0.01))),
    });
  }
  const nearestOf = (split: Split, rows: readonly number[]) =>
    nearestAmong(artefact.set.images, normalisedImages(data, split, rows), rows, signal);
  const nearest = { training: await nearestOf(train, inside), test: await nearestOf(test, outside) };
  return { images: count, subjects, nearest };
}

/** The cross-entropy of each network on each image, `[networks][rows]`. */
function lossesOf(
  device: Device,
  dataset: Dataset,
  model: Model,
  split: Split,
  rows: readonly number[],
  signal?: AbortSignal,
): Promise<Float64Array[]> {
  const K = dataset.classes;
  const piece = (first: number, end: number) => normalisedImages(dataset, split, rows.slice(first, end));
  return askModel(device, model, rows.length, async (outputs) => {
    const probabilities = softmax(Float64Array.from(await outputs.of(model, rows.length, piece, signal)), K);
    return Array.from({ length: outputs.networks }, (_, p) =>
      Float64Array.from(
        rows,
        (row, i) => -Math.log(probabilities[(p * rows.length + i) * K + split.labels[row]]),
      ),
    );
  });
}

/** The part of all pairs in which the loss of the member is the smaller one; ties are half. */
export function areaUnder(members: Float64Array, others: Float64Array): number {
  const sorted = others.slice().sort();
  let pairs = 0;
  for (const loss of members) pairs += sorted.length - (below(sorted, loss) + upTo(sorted, loss)) / 2;
  return pairs / members.length / others.length;
}

/** The part of the members whose loss is under the bound that no more than `rate` of the others are under. */
export function foundAt(members: Float64Array, others: Float64Array, rate: number): number {
  const bound = others.slice().sort()[Math.floor(rate * others.length)];
  return members.filter((loss) => loss < bound).length / members.length;
}

/** How many of sorted values are below x, and how many are no larger. */
const below = (sorted: Float64Array, x: number) => position(sorted, (value) => value < x);
const upTo = (sorted: Float64Array, x: number) => position(sorted, (value) => value <= x);

function position(sorted: Float64Array, before: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(sorted[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Numbers that are compared between two breaths. */
const comparedAtOnce = 2 ** 22;

/** For each image `[n, size]` the nearest of others `[rows, size]`; other work of this thread may run between two pieces of it. */
export async function nearestAmong(
  images: Float32Array,
  others: Float32Array,
  rows: readonly number[],
  signal?: AbortSignal,
): Promise<Neighbour[]> {
  const size = others.length / rows.length;
  const nearest = Array.from({ length: images.length / size }, () => ({
    row: rows[0],
    distance: Number.POSITIVE_INFINITY,
  }));
  const pairs = nearest.length * rows.length;
  await inPieces(
    pairs,
    (from, to) => {
      signal?.throwIfAborted();
      for (let pair = from; pair < to; pair++) {
        const [i, j] = [Math.floor(pair / rows.length), pair % rows.length];
        let squares = 0;
        for (let k = 0; k < size; k++) squares += (images[i * size + k] - others[j * size + k]) ** 2;
        const distance = Math.sqrt(squares);
        if (distance < nearest[i].distance) nearest[i] = { row: rows[j], distance };
      }
    },
    Math.max(1, Math.floor(comparedAtOnce / size)),
  );
  return nearest;
}
