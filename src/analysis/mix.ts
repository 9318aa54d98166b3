import { classCounts } from '../data/classes.js';
import type { Dataset } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import { type LabelledRows, randomRows } from '../data/selection/random-rows.js';
import type { Device } from '../engine/device.js';
import { perClassOf } from '../eval/baselines/index.js';
import { evaluate } from '../eval/evaluate.js';
import type { Accuracy } from '../eval/statistics.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { joined } from '../util/joined.js';
import { checkLearnable, checkSets, type NamedSet, wholeFrom } from './sets.js';

/** How sets are mixed with real images; each has a default. */
export interface MixOptions {
  /** Real images of each class that are added; default those of 0, 2, 10, 50, 250 that every class has beside as many as the set. */
  readonly added?: readonly number[];
  /** Networks for each mixture; default 5. */
  readonly networks?: number;
  /** Of the real images; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Before every mixture. */
  readonly onProgress?: ((event: { stage: string; done: number; total: number }) => void) | undefined;
}

/** What networks reach that learn from a set and real images together. */
export interface Mixed {
  /** Real images of each class that were added, `[mixtures]`. */
  readonly added: readonly number[];
  /** How networks were trained, in words. */
  readonly protocol: string;
  /** By set, and by as many random real images as it stores. */
  readonly sets: readonly MixedSet[];
}

/** A set with more and more real images. */
export interface MixedSet {
  /** As it was given. */
  readonly name: string;
  /** On the test split, percent, `[mixtures]`. */
  readonly accuracy: readonly Accuracy[];
  /** With random real images in the place of the distilled ones, as many of each class as the set stores. */
  readonly control: readonly Accuracy[];
}

const usual = [0, 2, 10, 50, 250];

/**
 * Whether real images help beside distilled ones (Yang et al. 2024, section 3): networks learn from both together, by 300 steps of all
 * images at once (protocol `full-batch`), beside networks that have random real images in the place of the set.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; ERR_SHAPE for sets of other images; what `evaluate` throws
 */
export async function mix(
  device: Device,
  dataset: Dataset,
  sets: readonly NamedSet[],
  options: MixOptions = {},
): Promise<Mixed> {
  expectDevice('mix', device);
  expectDataset('mix', dataset);
  expectOptions('mix', options, { added: true, networks: true, seed: true, signal: true, onProgress: true });
  const { networks = 5, seed = 0, signal, onProgress } = options;
  wholeFrom('mix', 'networks', networks, 1);
  checkSets('mix', dataset, sets);
  checkLearnable('mix', sets);
  const budgetOf = ({ set }: NamedSet) => perClassOf(set.stored.pictures, dataset.classes);
  const added = addedTo(dataset, Math.max(...sets.map(budgetOf)), options.added);
  /** What the control depends on: sets that share all of it share their control. */
  const controlOf = (one: NamedSet) => JSON.stringify([budgetOf(one), one.set.network, one.set.seed]);
  const total = (sets.length + new Set(sets.map(controlOf)).size) * added.length;
  let [done, protocol] = [0, ''];
  const reached = async (stage: string, set: DistilledSet) => {
    onProgress?.({ stage, done: done++, total });
    const asked = { protocol: 'full-batch', networks, withBaselines: false, signal };
    const found = await evaluate(device, dataset, set, asked);
    protocol ||= found.protocol;
    return found.accuracy;
  };
  const mixed: MixedSet[] = [];
  const controls = new Map<string, Accuracy[]>();
  for (const one of sets) {
    const { name, set } = one;
    const budget = budgetOf(one);
    const known = controls.get(controlOf(one));
    const accuracy: Accuracy[] = [];
    const control: Accuracy[] = [];
    for (const count of added) {
      const more = count ? await randomRows(dataset, count, seed) : undefined;
      accuracy.push(await reached(`${name} and ${count} real images per class`, withRows(set, more)));
      if (known) continue;
      // The images that stand in for the set are none of those that are added.
      const instead = await randomRows(dataset, budget + count, seed, count);
      const beside = await reached(
        `${budget + count} real images per class`,
        withRows({ ...set, ...instead }, more),
      );
      control.push(beside);
    }
    if (!known) controls.set(controlOf(one), control);
    mixed.push({ name, accuracy, control: known ?? control });
  }
  return { added, protocol, sets: mixed };
}

/** How many real images of each class are added beside so many that stand in for a set: no image serves twice. */
function addedTo(
  { train, classes, name }: Dataset,
  budget: number,
  asked?: readonly number[],
): readonly number[] {
  const most = Math.min(...classCounts(train.labels, classes)) - budget;
  if (most < 0)
    throw new LimbeckError(
      'ERR_OPTION',
      `mix: a set has ${budget} images of each class, and the smallest class of ${name} ${most + budget}: expected as many real ones to stand in for it`,
    );
  if (asked === undefined) return usual.filter((one) => one <= most);
  if (!Array.isArray(asked) || !asked.length)
    throw new LimbeckError('ERR_OPTION', `mix: added is ${shown(asked)}, expected a list of whole numbers`);
  for (const one of asked)
    if (wholeFrom('mix', 'added', one, 0) > most)
      throw new LimbeckError(
        'ERR_OPTION',
        `mix: added is ${one}, expected at most ${most}: the smallest class of ${name} has no more beside ${budget} that stand in for a set`,
      );
  return asked;
}

/** A set with further images; it is used by ordinary training, whatever it was made for. */
function withRows(set: DistilledSet, more?: LabelledRows): DistilledSet {
  const all = more && {
    images: joined(Float32Array, [set.images, more.images]),
    labels: joined(Float32Array, [set.labels, more.labels]),
    classes: Uint16Array.from([...set.classes, ...more.classes]),
  };
  const { classes } = all ?? set;
  return {
    ...set,
    ...all,
    // All labels are learned alike, those of a teacher as they are.
    ...{ use: { kind: 'minibatches', protocol: 'full-batch' }, teacher: undefined },
    // However the set is stored, real images beside it are as many pictures more.
    stored: { parametrisation: { name: 'pixels' }, pictures: classes.length, variables: {} },
  };
}
