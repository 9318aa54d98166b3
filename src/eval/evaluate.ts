import { type Dataset, splitNames } from '../data/dataset.js';
import type { DistilledSet } from '../data/distilled-set.js';
import { expectDataset } from '../data/expect-dataset.js';
import type { Device } from '../engine/device.js';
import { createNetwork, type NetworkOptions } from '../networks/index.js';
import { type NetworkSpec, networkTitle, printNetworkSpec } from '../networks/spec.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { saidOf } from '../util/words.js';
import type { AttackScores } from './attack.js';
import {
  baselines,
  boundBaselines,
  checkBaselines,
  checkSoftBaselines,
  defaultBaselines,
  neighbourBaselines,
  perClassOf,
} from './baselines/index.js';
import { nearestNeighbours } from './baselines/nearest-neighbours.js';
import { type BaselineAccuracy, Comparison, type NetworkAccuracy } from './comparison.js';
import { findProtocol, type ProtocolChanges } from './find-protocol.js';
import type { Model } from './model.js';
import { heldOutFor, testedWith } from './pretrained.js';
import { checkLength, checkPreprocessing, checkTeacher } from './protocol.js';
import { protocolName, protocolOf } from './protocol-name.js';
import { checkScored } from './scoring.js';
import { expectSet } from './set-file.js';
import { type Accuracy, type Confusion, scoresOf } from './statistics.js';
import { teacherFrom } from './teacher.js';
import { geometryUnder, type Relabelling, relabellingUnder, stepsUnder } from './under-protocol.js';

/** How to evaluate a distilled set. */
export interface EvaluateOptions extends ProtocolChanges {
  /**
   * Networks to train; default that of the protocol for random initialisations, all given ones for fixed initialisation
   * under the learned steps.
   */
  readonly networks?: number;
  /** Name of a protocol; default that of the set's use. */
  readonly protocol?: string;
  /** Other architectures to train in the same way. */
  readonly architectures?: readonly NetworkSpec[];
  /** Also train on real images of the same budget. Default true. */
  readonly withBaselines?: boolean;
  /** Names of the baselines to compare with; default the quick ones. */
  readonly baselines?: readonly string[];
  /** The networks that a set was made for that is for pretrained ones, or others of their kind, as `decodeModel` gives them. */
  readonly pretrained?: Model;
  /** A network that was trained on the data, one as `decodeModel` gives it: for baselines with its answers as labels, and for `labels: 'teacher'`. */
  readonly teacher?: Model;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** What is being trained, and how many of those are done. */
  readonly onProgress?: ((event: { stage: string; done: number; total: number }) => void) | undefined;
}

const optionNames = {
  networks: true,
  protocol: true,
  augmentation: true,
  epochs: true,
  batch: true,
  learningRate: true,
  labels: true,
  architectures: true,
  withBaselines: true,
  baselines: true,
  pretrained: true,
  teacher: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof EvaluateOptions, true>;

/** How well networks do that were trained on a distilled set. */
export interface Evaluation {
  /** What was done, in words: to be shown with the numbers. */
  readonly protocol: string;
  /** On the test split, percent. */
  readonly accuracy: Accuracy;
  /** `learned`, or the first rate that the protocol says; `none` where nothing is trained. */
  readonly learningRate: number | 'learned' | 'none';
  /** Percent of the test images of each class, mean over the networks; null for a class without any. */
  readonly perClass: readonly (number | null)[];
  /** Answers of all networks together: how many test images of class i they took for class j, `[K][K]`. */
  readonly confusion: Confusion;
  /** Real images that each baseline has: as many of each class, and so not always the number of the set's. */
  readonly baselineImages: number;
  /** By name. */
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
  /** The same for other architectures. */
  readonly others: readonly NetworkAccuracy[];
  /** Where the set is poison: how far networks are misled. */
  readonly attack?: AttackScores;
  /** Where a teacher labels every batch: what these labels would take to store. */
  readonly relabelling?: Relabelling;
}

/** ERR_SHAPE where a set is of other images than a data set. */
export function checkFits(set: DistilledSet, dataset: Dataset): void {
  const { inputShape, classes } = set.network;
  if (shapeText(inputShape) !== shapeText(dataset.imageShape) || classes !== dataset.classes)
    throw new LimbeckError(
      'ERR_SHAPE',
      `the distilled images are ${shapeText(inputShape)} with ${classes} classes, but ${dataset.name} has ` +
        `${shapeText(dataset.imageShape)} with ${dataset.classes}: evaluate on the data set it was distilled from`,
    );
}

/** How many networks a set is evaluated with, unless asked otherwise. */
export function networksOf(set: DistilledSet, asked?: number, protocol = protocolOf(set)): number {
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1))
    throw new LimbeckError('ERR_OPTION', `networks is ${shown(asked)}, expected a whole number above 0`);
  const steps = stepsUnder(set, protocol);
  if (steps?.init !== 'fixed') return asked ?? protocol.networks;
  if (!steps.initialParameters)
    throw new LimbeckError(
      'ERR_DATA',
      'a set for a fixed initialisation must hold its initial parameters; it has none',
    );
  return steps.initialParameters.length / createNetwork(set.network).count;
}

/**
 * The test accuracy of a distilled set beside real images of the same budget under the same protocol, for the network it
 * was made for and for others. Everything there is to choose is chosen on the validation split.
 *
 * @throws ERR_OPTION for an unknown protocol, baseline, augmentation or architecture; ERR_SHAPE where the set is of other images than
 * the data; ERR_DATA where the validation or test split is empty, or the set is not whole; ERR_OUT_OF_MEMORY
 */
export async function evaluate(
  device: Device,
  dataset: Dataset,
  set: DistilledSet,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  expectDevice('evaluate', device);
  expectDataset('evaluate', dataset, splitNames);
  expectOptions('evaluate', options, optionNames);
  expectSet('evaluate', set);
  const { withBaselines = true, architectures = [], signal, onProgress } = options;
  checkFits(set, dataset);
  checkScored(dataset);
  const { augmentation, epochs, batch, learningRate, labels } = options;
  const changes = { augmentation, epochs, batch, learningRate, labels };
  const protocol = findProtocol(options.protocol ?? protocolOf(set).name, changes);
  checkLength(protocol, set.classes.length);
  const whitened = Boolean(dataset.zca);
  checkPreprocessing(protocol, whitened);
  const held = heldOutFor(set, options.pretrained, architectures.length > 0);
  const networks = held ? testedWith(held, options.networks) : networksOf(set, options.networks, protocol);
  const perClass = perClassOf(set.stored.pictures, set.network.classes);
  const teacher = options.teacher && teacherFrom('the teacher', options.teacher, dataset);
  const soft = Boolean(teacher && set.teacher && protocol.labels !== 'hard');
  checkTeacher(protocol, teacher);
  const names = withBaselines
    ? (options.baselines ?? defaultBaselines(perClass, set, dataset.name, soft))
    : [];
  checkBaselines(names, set);
  checkSoftBaselines(names, protocol, teacher !== undefined);
  const trained = baselines.filter(({ name }) => names.includes(name));
  const bounds = boundBaselines.filter(({ name }) => names.includes(name));
  const lookedUp = neighbourBaselines.filter(({ name }) => names.includes(name));
  // Found out before an hour has passed.
  const others = architectures.map((spec) => {
    const { inputShape, classes } = set.network;
    const shaped: NetworkOptions = { ...spec, inputShape, classes };
    return { text: printNetworkSpec(spec), network: createNetwork(shaped) };
  });
  const ownNetwork = createNetwork(set.network);
  for (const one of [ownNetwork, ...others.map(({ network }) => network)])
    geometryUnder(protocol, set, one, set.classes.length);

  const total = (1 + others.length) * (1 + trained.length + bounds.length) + lookedUp.length;
  let done = 0;
  const progress = (stage: string) => onProgress?.({ stage, done: done++, total });
  const steps = stepsUnder(set, protocol);
  const comparison = new Comparison({
    ...{ device, dataset, set, steps, perClass, protocol, baselines: trained, bounds, signal, progress },
    pretrained: held?.parts,
    teacher,
  });
  const known = steps?.init === 'fixed' ? steps.initialParameters : undefined;
  const own = await comparison.run(ownNetwork, networkTitle(set.network), {
    networks,
    known,
    own: true,
  });

  const results: Record<string, BaselineAccuracy> = { ...own.baselines };
  for (const { name, title: titled, of, draws, k } of lookedUp) {
    const title = saidOf(dataset, titled);
    progress(title);
    const answers: Confusion[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const chosen = await of.images(dataset, perClass, set.seed, draw);
      answers.push(await nearestNeighbours(dataset, dataset.test, chosen, k, signal));
    }
    const scores = scoresOf(answers);
    results[name] = { title, ...scores.accuracy, perClass: scores.perClass };
  }

  const matrix: NetworkAccuracy[] = [];
  for (const { text, network } of others) {
    const asked = { networks: options.networks ?? protocol.networks, own: false };
    const { confusion: _, ...accuracy } = await comparison.run(network, text, asked);
    matrix.push(accuracy);
  }
  onProgress?.({ stage: 'done', done: total, total });
  return {
    protocol: protocolName(set, protocol, whitened, dataset.text, teacher?.record),
    accuracy: own.accuracy,
    learningRate: own.learningRate,
    perClass: own.perClass,
    confusion: own.confusion,
    baselineImages: perClass * dataset.classes,
    baselines: results,
    others: matrix,
    ...(own.attack && { attack: own.attack }),
    ...relabellingUnder(protocol, set),
  };
}
