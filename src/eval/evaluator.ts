import type { Dataset, Split } from '../data/dataset.js';
import type { Device, EngineName, Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { Network, WeightScheme } from '../networks/network.js';
import type { Strategy } from '../train/augmentation.js';
import { drawNetworks } from '../train/initialise.js';
import { recordInnerLoop } from '../train/inner-loop.js';
import {
  batchesOf,
  declareMinibatches,
  gatherRows,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../train/minibatch.js';
import { randomState, streams } from '../train/streams.js';
import type { Training } from '../train/training.js';
import { type Owned, owning } from '../util/owned.js';
import { Scoring } from './scoring.js';
import { percentRight } from './statistics.js';

/** What networks are trained on: the same for the whole population, or one set after another for its members. */
export interface TrainingSet {
  /** `[steps, n, C, H, W]` or `[members, steps, n, C, H, W]` */
  readonly images: ArrayLike<number>;
  /** `[steps, n, K]`, always shared. */
  readonly labels: ArrayLike<number>;
  /**
   * `[steps * epochs]`, `[1]` for all steps, or `[members, steps * epochs]`; one number, the first rate, where training is in
   * minibatches.
   */
  readonly learningRates: ArrayLike<number>;
  /** Number of the first member (default 0): each draws its augmentation and dropout masks by its number. */
  readonly firstMember?: number;
}

export interface EvaluatorGeometry {
  readonly network: Network;
  /** Networks trained at once. */
  readonly members: number;
  readonly steps: number;
  readonly epochs: number;
  /** Images per step. */
  readonly n: number;
  /** The learned steps in their order; left out, plain SGD on cross-entropy. */
  readonly training?: Training;
  /** In the place of the learned steps: ordinary training on all images together. */
  readonly minibatches?: MinibatchTraining;
  /** Of the minibatches. */
  readonly augmentation?: Strategy;
  /** Of the order of minibatches, of their augmentation, and of dropout masks. */
  readonly seed?: number;
}

/**
 * Trains a population on a small set, exactly as the inner loop does or in minibatches, and scores it on a split. Batch norm
 * is scored with the statistics that `recordBatchStatistics` takes of the training batches after training, of the images as
 * they are, as those that are scored: without augmentation.
 */
export class Evaluator {
  private constructor(
    readonly geometry: EvaluatorGeometry,
    private readonly count: number,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly executable: Executable,
    private readonly scoring: Scoring,
    private readonly owned: Owned,
  ) {}

  static create(
    device: Device,
    dataset: Dataset,
    split: Split,
    geometry: EvaluatorGeometry,
  ): Promise<Evaluator> {
    return owning(async (owned) => {
      const program = recordTraining(geometry);
      const { tensors, executable } = await loadWithTensors(device, program, owned);
      const trained = tensors.trained ?? tensors.theta;
      const batches = { tensors: { images: tensors.images }, record: trainingBatches(geometry) };
      const scoring = owned.own(
        await Scoring.create(device, dataset, split, geometry.network, trained, batches),
      );
      return new Evaluator(geometry, split.count, tensors, executable, scoring, owned);
    });
  }

  /** Accuracy in percent of each member, trained from the given parameters `[members, count]`. */
  async run(training: TrainingSet, parameters: ArrayLike<number>, signal?: AbortSignal): Promise<number[]> {
    const right = await this.rightAnswers(training, parameters, signal);
    return right.map((byClass) => percentRight(byClass, this.count));
  }

  /** Right answers of each member by class, `[members][K]`. */
  async rightAnswers(
    { images, labels, learningRates, firstMember }: TrainingSet,
    parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<number[][]> {
    const { tensors, geometry } = this;
    await tensors.theta.write(parameters);
    await tensors.images.write(repeated(images, tensors.images.length));
    await tensors.labels.write(labels);
    const { minibatches, seed = 0 } = geometry;
    if (minibatches) await this.#minibatches(minibatches, learningRates[0], firstMember, signal);
    else {
      await tensors.rates.write(repeated(learningRates, tensors.rates.length));
      await tensors.state?.write(randomState(seed, 0, firstMember));
      await this.executable.run({ signal });
    }
    return this.scoring.run(geometry.members, signal);
  }

  async #minibatches(
    training: MinibatchTraining,
    rate: number,
    firstMember: number | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    const { tensors, geometry } = this;
    const rows = geometry.steps * geometry.n;
    await startMinibatches(tensors, training, { rows, rate, seed: geometry.seed ?? 0, firstMember });
    await runMinibatches(this.executable, tensors, training, { rows, signal });
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** The batch of every step; of minibatches those of an epoch in the order of the rows, the last one of what is left. */
const trainingBatches =
  ({ network, members, steps, n, minibatches }: EvaluatorGeometry) =>
  (r: Recorder): View[] => {
    const { inputShape } = network;
    const rows = steps * n;
    const size = minibatches ? batchesOf(minibatches, rows).size : n;
    const images = r.external('images', members, [rows, ...inputShape]);
    return Array.from({ length: Math.ceil(rows / size) }, (_, t) =>
      slice(images, t * size * elements(inputShape), [Math.min(size, rows - t * size), ...inputShape]),
    );
  };

/** `values` over and over, up to `length`. */
function repeated(values: ArrayLike<number>, length: number): ArrayLike<number> {
  return values.length === length
    ? values
    : Float32Array.from({ length }, (_, i) => values[i % values.length]);
}

/**
 * Bytes that training a population may take, unless a single network takes more. A GPU wants many networks at once; to a
 * processor, where each thread trains one after the other, they are only memory.
 */
const trainingBytes: Record<EngineName, number> = { webgpu: 2 ** 30, cpu: 2 ** 26, reference: 2 ** 26 };

/** The first of the given numbers of members whose training fits into memory; the last one where none does. */
export function membersThatFit(
  { engine }: Device,
  choices: readonly number[],
  record: (members: number) => Program,
): number {
  const fits = (members: number) => record(members).bytes().total <= trainingBytes[engine];
  return choices.find(fits) ?? choices[choices.length - 1];
}

/** The program that trains the population. */
export function recordTraining(geometry: EvaluatorGeometry): Program {
  return geometry.minibatches
    ? recordMinibatches(geometry, geometry.minibatches)
    : recordLearnedSteps(geometry);
}

function recordLearnedSteps({ network, members, steps, epochs, n, training }: EvaluatorGeometry): Program {
  const r = new Recorder('train on distilled images');
  const inputs = {
    theta: r.external('theta', members, [network.count]),
    images: r.external('images', members, [steps, n, ...network.inputShape]),
    labels: r.external('labels', 1, [steps, n, network.classes]),
    rates: r.external('rates', members, [steps * epochs]),
  };
  const last = { theta: r.external('trained', members, [network.count]) };
  const random = network.draws
    ? { state: r.external('state', 1, [4], 'u32'), stream: streams.dropout }
    : undefined;
  recordInnerLoop(r, members, { network, steps, epochs, training, random, ...inputs }, last);
  return r.program();
}

function recordMinibatches(
  { network, members, steps, n, augmentation }: EvaluatorGeometry,
  training: MinibatchTraining,
): Program {
  const r = new Recorder('train on distilled images in minibatches');
  const rows = steps * n;
  const images = r.external('images', members, [rows, ...network.inputShape]);
  const labels = r.external('labels', 1, [rows, network.classes]);
  declareMinibatches(r, members, {
    ...{ network, training, augmentation, rows },
    gather: (r, index) => gatherRows(r, { images, labels, index }),
  });
  return r.program();
}

/**
 * Parameters `[members, count]` of networks that are never used in distillation; every draw gives others, and member 0 is
 * network `firstMember` of its draw.
 */
export async function heldOutNetworks(
  device: Device,
  network: Network,
  members: number,
  seed: number,
  draw: number,
  options: { firstMember?: number; initialisation?: WeightScheme } = {},
): Promise<Float32Array> {
  const theta = await device.tensor('f32', members * network.count);
  try {
    await drawNetworks(device, network, theta, seed, streams.heldOutNetworks, draw, options);
    return Float32Array.from(await theta.read());
  } finally {
    theta.dispose();
  }
}
