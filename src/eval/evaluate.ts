import type { Dataset } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import type { DistilledArrays } from '../methods/outer-loop.js';
import { createNetwork, type NetworkOptions } from '../networks/index.js';
import { type NetworkSpec, networkTitle, printNetworkSpec } from '../networks/spec.js';
import { plainTraining, type Training, trainingName } from '../train/training.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { expectArgument, expectDataset, expectDevice, expectOptions, shown } from '../util/expect.js';
import { baselines, checkBaselines, defaultBaselines, neighbourBaselines } from './baselines/index.js';
import { nearestNeighbours } from './baselines/nearest-neighbours.js';
import { Comparison, type NetworkAccuracy } from './comparison.js';
import {
  checkPreprocessing,
  describeProtocol,
  findProtocol,
  type Protocol,
  type ProtocolChanges,
} from './protocol.js';
import { checkScored } from './scoring.js';
import { type Accuracy, percentRight, summarise } from './statistics.js';

/** A distilled set with what one must know to train on it. */
export interface DistilledSet extends DistilledArrays {
  /** The network it was made for. */
  readonly network: NetworkOptions;
  /** `fixed`: for networks that begin with `initialParameters`; `random`: for any. */
  readonly init: 'fixed' | 'random';
  /** Inner steps per epoch. */
  readonly steps: number;
  /** Times the inner steps are repeated. */
  readonly epochs: number;
  /** Images per class in each step. */
  readonly ipc: number;
  /** Of everything random in the run, and in its evaluation. */
  readonly seed: number;
  /** Optimiser and loss of that training; left out, plain SGD on cross-entropy. */
  readonly training?: Training;
  /** `[P, count]`: the networks it was made for, when the initialisation is fixed. */
  readonly initialParameters?: Float32Array;
}

/** How to evaluate a distilled set. */
export interface EvaluateOptions extends ProtocolChanges {
  /**
   * Networks to train; default that of the protocol for random initialisations, all given ones for fixed initialisation
   * under the learned steps.
   */
  readonly networks?: number;
  /** Name of a protocol; default `learned-steps`. */
  readonly protocol?: string;
  /** Other architectures to train in the same way. */
  readonly architectures?: readonly NetworkSpec[];
  /** Also train on real images of the same budget. Default true. */
  readonly withBaselines?: boolean;
  /** Names of the baselines to compare with; default the quick ones. */
  readonly baselines?: readonly string[];
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
  /** What is being trained, and how many of those are done. */
  readonly onProgress?: (event: { stage: string; done: number; total: number }) => void;
}

const optionNames = {
  networks: true,
  protocol: true,
  augmentation: true,
  epochs: true,
  batch: true,
  learningRate: true,
  architectures: true,
  withBaselines: true,
  baselines: true,
  signal: true,
  onProgress: true,
} satisfies Record<keyof EvaluateOptions, true>;

/** The accuracy, in percent, of networks trained on something else of the same number of images. */
export interface BaselineAccuracy extends Accuracy {
  /** In words. */
  readonly title: string;
  /** The learning rate, constant or first; left out where nothing is trained. */
  readonly learningRate?: number;
}

/** How well networks do that were trained on a distilled set. */
export interface Evaluation {
  /** What was done, in words: to be shown with the numbers. */
  readonly protocol: string;
  /** On the test split, percent. */
  readonly accuracy: Accuracy;
  /** `learned`, or the first rate that the protocol says. */
  readonly learningRate: number | 'learned';
  /** Percent of the test images of each class, mean over the networks. */
  readonly perClass: readonly number[];
  /** By name. */
  readonly baselines: Readonly<Record<string, BaselineAccuracy>>;
  /** The same for other architectures. */
  readonly others: readonly NetworkAccuracy[];
}

/**
 * `steps x epochs, ipc, init` in words, or the protocol's own: printed beside every accuracy. `whitened`: whether the data
 * is, for training and scoring alike.
 */
export function protocolName(
  set: DistilledSet,
  {
    protocol = findProtocol('learned-steps'),
    whitened = false,
  }: { protocol?: Protocol; whitened?: boolean } = {},
): string {
  const { steps, epochs, ipc, init } = set;
  const { training } = protocol;
  const network = `${networkTitle(set.network)}${whitened ? ' on ZCA-whitened images' : ''}`;
  if (training !== 'learned-steps') return `${network}, ${describeProtocol({ ...protocol, training })}`;
  const schedule = `${steps} step${steps > 1 ? 's' : ''} x ${epochs} epoch${epochs > 1 ? 's' : ''}`;
  return `${network}, ${init} initialisation, ${schedule}, ${ipc} image${ipc > 1 ? 's' : ''} per class and step, ${trainingName(set.training ?? plainTraining)} in the learned order`;
}

function checkFits(set: DistilledSet, dataset: Dataset): void {
  const { inputShape, classes } = set.network;
  if (shapeText(inputShape) !== shapeText(dataset.imageShape) || classes !== dataset.classes)
    throw new LimbeckError(
      'ERR_SHAPE',
      `the distilled images are ${shapeText(inputShape)} with ${classes} classes, but ${dataset.name} has ` +
        `${shapeText(dataset.imageShape)} with ${dataset.classes}: evaluate on the data set it was distilled from`,
    );
}

/** Whether the networks that are trained are those the set was made for. */
export const trainsKnownNetworks = (set: DistilledSet, protocol: Protocol): boolean =>
  set.init === 'fixed' && protocol.training === 'learned-steps';

/** How many networks a set is evaluated with, unless asked otherwise. */
export function networksOf(
  set: DistilledSet,
  asked?: number,
  protocol = findProtocol('learned-steps'),
): number {
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 1))
    throw new LimbeckError('ERR_OPTION', `networks is ${shown(asked)}, expected a whole number above 0`);
  if (trainsKnownNetworks(set, protocol)) {
    if (!set.initialParameters)
      throw new LimbeckError(
        'ERR_DATA',
        'a set for a fixed initialisation must hold its initial parameters; it has none',
      );
    return set.initialParameters.length / createNetwork(set.network).count;
  }
  return asked ?? protocol.networks;
}

/**
 * The test accuracy of a distilled set beside real images of the same budget under the same protocol, for the network it
 * was made for and for others. Everything there is to choose is chosen on the validation split.
 *
 * @throws ERR_OPTION for an unknown protocol, baseline, augmentation or architecture; ERR_SHAPE where the set is of other images than
 * the data; ERR_DATA where the validation or test split is empty; ERR_OUT_OF_MEMORY
 */
export async function evaluate(
  device: Device,
  dataset: Dataset,
  set: DistilledSet,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  expectDevice('evaluate', device);
  expectDataset('evaluate', dataset);
  expectArgument(
    'evaluate',
    'set',
    set,
    'network',
    'a distilled set: `set` of what `distill` or `decodeArtefact` gives',
  );
  expectOptions('evaluate', options, optionNames);
  const { withBaselines = true, architectures = [], signal, onProgress } = options;
  checkFits(set, dataset);
  checkScored(dataset);
  const { augmentation, epochs, batch, learningRate } = options;
  const changes = { augmentation, epochs, batch, learningRate };
  const protocol = findProtocol(options.protocol ?? 'learned-steps', changes);
  const whitened = Boolean(dataset.zca);
  checkPreprocessing(protocol, whitened);
  const networks = networksOf(set, options.networks, protocol);
  const names = withBaselines ? (options.baselines ?? defaultBaselines(set.ipc * set.steps)) : [];
  checkBaselines(names);
  const trained = baselines.filter(({ name }) => names.includes(name));
  const lookedUp = neighbourBaselines.filter(({ name }) => names.includes(name));
  // Found out before an hour has passed.
  const others = architectures.map((spec) => {
    const { inputShape, classes } = set.network;
    const shaped: NetworkOptions = { ...spec, inputShape, classes };
    return { text: printNetworkSpec(spec), network: createNetwork(shaped) };
  });

  const total = (1 + others.length) * (1 + trained.length) + lookedUp.length;
  let done = 0;
  const progress = (stage: string) => onProgress?.({ stage, done: done++, total });
  const comparison = new Comparison({ device, dataset, set, protocol, baselines: trained, signal, progress });
  const known = trainsKnownNetworks(set, protocol) ? set.initialParameters : undefined;
  const own = await comparison.run(createNetwork(set.network), networkTitle(set.network), {
    networks,
    known,
    own: true,
  });

  const results: Record<string, BaselineAccuracy> = { ...own.baselines };
  for (const { name, title, of, draws, k } of lookedUp) {
    progress(title);
    const values: number[] = [];
    for (let draw = 0; draw < draws; draw++) {
      const chosen = await of.images(dataset, set.ipc * set.steps, set.seed, draw);
      const right = await nearestNeighbours(dataset, dataset.test, chosen, k, signal);
      values.push(percentRight(right, dataset.test.count));
    }
    results[name] = { title, ...summarise(values) };
  }

  const matrix: NetworkAccuracy[] = [];
  for (const { text, network } of others)
    matrix.push(
      await comparison.run(network, text, {
        networks: options.networks ?? protocol.networks,
        own: false,
      }),
    );
  onProgress?.({ stage: 'done', done: total, total });
  return {
    protocol: protocolName(set, { protocol, whitened }),
    accuracy: own.accuracy,
    learningRate: own.learningRate,
    perClass: own.perClass,
    baselines: results,
    others: matrix,
  };
}
