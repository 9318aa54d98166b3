import { wholeFrom } from '../analysis/sets.js';
import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalise } from '../data/normalisation.js';
import type { Device } from '../engine/device.js';
import { type Artefact, expectArtefact } from '../eval/artefact.js';
import type { Model } from '../eval/model.js';
import { askModel } from '../eval/outputs.js';
import { type Accuracy, percentSame, summarise } from '../eval/statistics.js';
import { streams } from '../train/streams.js';
import { argmax } from '../util/argmax.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { permutation, Stream } from '../util/random.js';
import { type AttackStrength, attack, type Corruption, corruptions, PixelGradient } from './perturb.js';
import { expectPixels, expectPositive, type SubjectOptions, subjectNames, subjectsOf } from './subjects.js';

/** What networks are put to; each has a default. */
export interface RobustnessOptions extends SubjectOptions {
  /** Test images, drawn; default 500. */
  readonly images?: number;
  /** By how much an attack may change a pixel of 0..1; default 0.02 and 0.1. */
  readonly epsilon?: readonly number[];
  /** Steps of the stronger attack; default 10. */
  readonly steps?: number;
}

/** How networks do on images that were changed, by what they learned from. */
export interface Robustness {
  /** Test images. */
  readonly images: number;
  /** What was done to them, in words, the images as they are first. */
  readonly conditions: readonly string[];
  /** By what networks learned from. */
  readonly subjects: readonly RobustSubject[];
}

/** Networks of one kind. */
export interface RobustSubject {
  /** What they learned from. */
  readonly name: string;
  /** Test accuracy in percent, `[conditions]`. */
  readonly accuracy: readonly Accuracy[];
}

/**
 * Test accuracy under corruptions, and under attacks that know the network: the fast gradient sign method (Goodfellow et al. 2015) and projected gradient
 * descent in the maximum norm (Madry et al. 2018), from the image itself in steps of a quarter of what is allowed.
 *
 * What it does not show: robustness against attacks that are stronger, or of another kind. Networks that hide their gradients look better than they are.
 *
 * @throws ERR_OPTION for options that are unknown or out of range, texts and whitened images; what `trainOn` throws
 */
export async function robustness(
  device: Device,
  dataset: Dataset,
  artefact: Artefact,
  options: RobustnessOptions = {},
): Promise<Robustness> {
  expectDevice('robustness', device);
  expectDataset('robustness', dataset);
  expectArtefact('robustness', artefact);
  expectOptions('robustness', options, { ...subjectNames, images: true, epsilon: true, steps: true });
  expectPixels('robustness', dataset);
  const { images: most = 500, epsilon: given = [0.02, 0.1], steps = 10, ...how } = options;
  const { seed = 0, signal } = how;
  const epsilon = expectPositive('robustness', 'epsilon', given);
  for (const [name, value] of Object.entries({ images: most, steps }))
    wholeFrom('robustness', name, value, 1);
  const { test, imageShape } = dataset;
  const rows = [...permutation(new Stream(seed, streams.testSample), test.count).subarray(0, most)];
  const size = imageShape.reduce((a, b) => a * b, 1);
  const scale = test.images instanceof Uint8Array ? 255 : 1;
  const pixels = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries())
    for (let j = 0; j < size; j++) pixels[i * size + j] = test.images[row * size + j] / scale;
  const shownTo: Shown = { pixels, truth: rows.map((row) => test.labels[row]), imageShape, signal };
  const attacks = epsilon.flatMap((one) => [
    { epsilon: one, step: one, steps: 1 },
    { epsilon: one, step: one / 4, steps },
  ]);

  const subjects: RobustSubject[] = [];
  for (const { name, model } of await subjectsOf('robustness', device, dataset, artefact, how)) {
    const accuracy = [
      ...(await changedAlike(device, model, shownTo, [asTheyAre, ...Object.values(corruptions)])),
      ...(await attacked(device, model, shownTo, attacks)),
    ];
    subjects.push({ name, accuracy });
  }
  const conditions = [
    'as they are',
    ...Object.keys(corruptions),
    ...epsilon.flatMap((one) => [`FGSM, ${one}`, `PGD, ${one}`]),
  ];
  return { images: rows.length, conditions, subjects };
}

interface Shown {
  /** `[N, C, H, W]`, 0..1. */
  readonly pixels: Float32Array;
  readonly truth: readonly number[];
  readonly imageShape: readonly [number, number, number];
  readonly signal?: AbortSignal | undefined;
}

const asTheyAre: Corruption = (pixels) => pixels;

/** On pictures that all networks are shown alike, changed in each of these ways. */
function changedAlike(
  device: Device,
  model: Model,
  { pixels, truth, imageShape, signal }: Shown,
  changes: readonly Corruption[],
): Promise<Accuracy[]> {
  return askModel(device, model, truth.length, async (outputs) => {
    const found: Accuracy[] = [];
    for (const change of changes) {
      const images = normalise(change(pixels, imageShape), imageShape, model.normalisation);
      const classes = await outputs.classes(model, images, signal);
      found.push(summarise(classes.map((of) => percentSame(of, truth))));
    }
    return found;
  });
}

/** On pictures that were changed for each network by itself, by each of these attacks. */
async function attacked(
  device: Device,
  model: Model,
  shownTo: Shown,
  attacks: readonly AttackStrength[],
): Promise<Accuracy[]> {
  const gradient = await PixelGradient.load(device, model, shownTo.truth.length);
  try {
    const found: Accuracy[] = [];
    for (const strength of attacks) found.push(await underAttack(gradient, model, shownTo, strength));
    return found;
  } finally {
    gradient.dispose();
  }
}

async function underAttack(
  gradient: PixelGradient,
  { normalisation }: Model,
  { pixels, truth, imageShape, signal }: Shown,
  strength: AttackStrength,
): Promise<Accuracy> {
  const { networks: P, rows, network } = gradient;
  const K = network.classes;
  const size = imageShape.reduce((a, b) => a * b, 1);
  const images = normalise(pixels, imageShape, normalisation);
  const right = new Array<number>(P).fill(0);
  for (let next = 0; next < truth.length; next += rows) {
    // The last piece reaches back into the one before it; only what is new counts.
    const first = Math.min(next, truth.length - rows);
    const clean = images.subarray(first * size, (first + rows) * size);
    const labels = new Float32Array(rows * K);
    for (let i = 0; i < rows; i++) labels[i * K + truth[first + i]] = 1;
    const changed = await attack(gradient, { clean, labels }, normalisation, strength, signal);
    const { outputs } = await gradient.at(changed, labels, signal);
    for (let p = 0; p < P; p++)
      for (let i = next - first; i < rows; i++) {
        const one = outputs.subarray((p * rows + i) * K, (p * rows + i + 1) * K);
        if (argmax(one) === truth[first + i]) right[p]++;
      }
  }
  return summarise(right.map((count) => (100 * count) / truth.length));
}
