import { rowsByClass } from '../data/classes.js';
import type { Dataset } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisedImages } from '../data/on-device.js';
import { randomRows } from '../data/selection/random-rows.js';
import type { Device } from '../engine/device.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import { Outputs } from '../eval/outputs.js';
import { type Accuracy, percentSame, summarise } from '../eval/statistics.js';
import { streams } from '../train/streams.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { joined } from '../util/joined.js';
import { permutation, Stream } from '../util/random.js';
import { alongTraining } from './along-training.js';
import { trainFullBatch } from './full-batch.js';
import {
  type AlongOptions,
  alongNames,
  checkLearnable,
  type NamedSet,
  refuseBatchNorm,
  resolveAlong,
  wholeFrom,
} from './sets.js';

/** How networks are trained that are compared. */
export interface AgreementOptions extends AlongOptions {
  /** Networks of each kind, from weights of their own; default 5. */
  readonly networks?: number;
  /** Test images that they answer, drawn; default 2,000. */
  readonly images?: number;
}

/** Which networks answer as those do that learned from a set. */
export interface Agreement {
  /** Test images that were asked about. */
  readonly images: number;
  /** Of networks along training on real images. */
  readonly early: readonly EarlyStopped[];
  /** Of networks that learned from few real images. */
  readonly few: readonly FewReal[];
  /** In the order in which they were given. */
  readonly sets: readonly SetAgreement[];
}

/** Networks that were stopped early in training on real images. */
export interface EarlyStopped {
  /** Steps of training. */
  readonly steps: number;
  /** Test accuracy after them, percent. */
  readonly accuracy: Accuracy;
}

/** Networks that learned from few real images. */
export interface FewReal {
  /** Real images of each class. */
  readonly perClass: number;
  /** Test accuracy, percent. */
  readonly accuracy: Accuracy;
}

/** The same answers, in percent of the test images, between networks of one set and others that are right as often. */
export interface SetAgreement {
  /** As it was given. */
  readonly name: string;
  /** What its networks reach, percent. */
  readonly accuracy: Accuracy;
  /** With networks that were stopped early on real images. */
  readonly early: Agreed;
  /** With networks that learned from few real images, each from a draw of its own. */
  readonly few: Agreed;
  /** With one another; nothing of a single network. */
  readonly itself?: Agreed;
}

/** Over pairs of networks. */
export interface Agreed {
  /** Percent of the test images that both take for the same class, mean and deviation over the pairs. */
  readonly same: Accuracy;
  /** By how many points of accuracy the two differ, mean over the pairs: near 0, or the comparison says little. */
  readonly gap: number;
}

/** Passes over the images of a set, or over few real ones, all of them in each step, at this rate. */
const passes = { steps: 300, rate: 0.01 };

/**
 * Whether networks that learned from a set answer like networks that were stopped early in training on real images, or like networks that
 * learned from few of these, each as often right (Yang et al. 2024, section 4).
 *
 * @throws ERR_OPTION for options that are unknown or out of range; ERR_SHAPE for sets of other images; ERR_OUT_OF_MEMORY
 */
export async function agreement(
  device: Device,
  dataset: Dataset,
  sets: readonly NamedSet[],
  options: AgreementOptions = {},
): Promise<Agreement> {
  expectDevice('agreement', device);
  expectDataset('agreement', dataset);
  expectOptions('agreement', options, { ...alongNames, networks: true, images: true });
  const { networks = 5, images: most = 2000, signal, onProgress } = options;
  wholeFrom('agreement', 'networks', networks, 1);
  wholeFrom('agreement', 'images', most, 1);
  const { network, at, seed } = resolveAlong('agreement', dataset, sets, options);
  checkLearnable('agreement', sets);
  refuseBatchNorm('agreement', network);
  const { test, classes: K } = dataset;
  const rows = [...permutation(new Stream(seed, streams.testSample), test.count).subarray(0, most)];
  const images = normalisedImages(dataset, test, rows);
  const truth = rows.map((row) => test.labels[row]);
  const outputs = await Outputs.load(device, network, { networks, count: rows.length });
  try {
    const answers = async (parameters: Float32Array): Promise<Answers[]> =>
      (await outputs.classes({ parameters }, images, signal)).map((classes) => ({
        classes,
        accuracy: percentSame(classes, truth),
      }));
    /** Each kind from weights of its own: a pair must not share where it began. */
    const learned = async (images: Float32Array, labels: Float32Array) => {
      const parameters = await heldOutNetworks(device, network, networks, seed, 1);
      return trainFullBatch(device, { network, parameters, images, labels, ...passes, seed, signal });
    };
    /** From few real images, which each network draws for itself: a pair must not share those either. */
    const learnedFew = async (perClass: number) => {
      const all = await heldOutNetworks(device, network, networks, seed, 2);
      const trained: Float32Array[] = [];
      for (let p = 0; p < networks; p++) {
        const { images, labels } = await randomRows(dataset, perClass, seed + p);
        const parameters = all.subarray(p * network.count, (p + 1) * network.count);
        const training = { network, parameters, images, labels, ...passes, seed: seed + p, signal };
        trained.push(await trainFullBatch(device, training));
      }
      return joined(Float32Array, trained);
    };

    const early: { steps: number; answers: Answers[] }[] = [];
    for await (const { step, parameters } of alongTraining(device, dataset, {
      network,
      networks,
      seed,
      at,
      signal,
    })) {
      early.push({ steps: step, answers: await answers(parameters) });
      onProgress?.({ step, steps: at[at.length - 1] });
    }
    const ofSets: { name: string; answers: Answers[] }[] = [];
    for (const { name, set } of sets)
      ofSets.push({ name, answers: await answers(await learned(set.images, set.labels)) });

    const best = Math.max(...ofSets.map(({ answers }) => accuracyOf(answers).mean));
    const { starts } = rowsByClass(dataset.train.labels, K, dataset.name);
    const fewest = Math.min(...Array.from({ length: K }, (_, k) => starts[k + 1] - starts[k]));
    const few: { perClass: number; answers: Answers[] }[] = [];
    // Twice as many each time, until they do better than every set.
    for (let perClass = 1; perClass <= fewest; perClass *= 2) {
      const trained = await learnedFew(perClass);
      few.push({ perClass, answers: await answers(trained) });
      if (accuracyOf(few[few.length - 1].answers).mean > best) break;
    }
    return {
      images: rows.length,
      early: early.map(({ steps, answers }) => ({ steps, accuracy: accuracyOf(answers) })),
      few: few.map(({ perClass, answers }) => ({ perClass, accuracy: accuracyOf(answers) })),
      sets: ofSets.map(({ name, answers }) => ({
        name,
        accuracy: accuracyOf(answers),
        early: agreed(
          answers,
          early.flatMap((one) => one.answers),
        ),
        few: agreed(
          answers,
          few.flatMap((one) => one.answers),
        ),
        ...(networks > 1 && { itself: within(answers) }),
      })),
    };
  } finally {
    outputs.dispose();
  }
}

/** What a network takes the test images for, and how often it is right, in percent. */
interface Answers {
  readonly classes: readonly number[];
  readonly accuracy: number;
}

const accuracyOf = (answers: readonly Answers[]) => summarise(answers.map(({ accuracy }) => accuracy));

const over = (pairs: readonly (readonly [Answers, Answers])[]): Agreed => ({
  same: summarise(pairs.map(([a, b]) => percentSame(a.classes, b.classes))),
  gap: pairs.reduce((sum, [a, b]) => sum + Math.abs(a.accuracy - b.accuracy), 0) / pairs.length,
});

/** Each network with as many others as there are networks, those that are right most nearly as often. */
function agreed(own: readonly Answers[], others: readonly Answers[]): Agreed {
  const distance = (a: Answers, b: Answers) => Math.abs(a.accuracy - b.accuracy);
  return over(
    own.flatMap((one) =>
      [...others]
        .sort((a, b) => distance(one, a) - distance(one, b))
        .slice(0, own.length)
        .map((other) => [one, other] as const),
    ),
  );
}

/** All pairs of different networks. */
const within = (own: readonly Answers[]): Agreed =>
  over(own.flatMap((one, i) => own.slice(i + 1).map((other) => [one, other] as const)));
