import type { Device, Executable, Tensor } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import type { ArccosineKernel } from '../engine/ops/arccosine.js';
import { type Program, Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { TrainedNetwork } from '../methods/teacher.js';
import type { Network } from '../networks/network.js';
import type { Strategy } from '../train/augmentation.js';
import { gatherRows } from '../train/gather-rows.js';
import { recordInnerLoop } from '../train/inner-loop.js';
import {
  batchesOf,
  declareMinibatches,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../train/minibatch.js';
import { randomState, streams } from '../train/streams.js';
import type { Training } from '../train/training.js';
import { LimbeckError } from '../util/errors.js';
import { repeated } from '../util/joined.js';
import { type Owned, owning } from '../util/owned.js';
import { recordRegressedClassifier } from './regressed-classifier.js';
import type { TrainingBatches } from './scoring.js';

/** What networks are trained on: the same for the whole population, or one set after another for its members. */
export interface TrainingSet {
  /** `[steps, n, C, H, W]` or `[members, steps, n, C, H, W]` */
  readonly images: ArrayLike<number>;
  /** `[steps, n, K]`; with `ownLabels` `[members, steps, n, K]`. */
  readonly labels: ArrayLike<number>;
  /**
   * `[steps * epochs]`, `[1]` for all steps, or `[members, steps * epochs]`; one number, the first rate, where training is in
   * minibatches.
   */
  readonly learningRates: ArrayLike<number>;
  /** Number of the first member (default 0): each draws its augmentation and dropout masks by its number. */
  readonly firstMember?: number;
}

export interface PopulationGeometry {
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
  /** In the place of any training: kernel regression on all images, with `ridge`; see `KernelEvaluator`. */
  readonly kernel?: ArccosineKernel;
  /** Whether every member has labels of its own. */
  readonly ownLabels?: boolean;
  /** Of labels that a network gave: see `MinibatchStep`. */
  readonly temperature?: number;
  /** Whose answers are the labels of every batch, in the place of those of the set; see `MinibatchStep`. */
  readonly labeller?: TrainedNetwork;
  /** Of kernel regression on all images, whose classifier takes the place of the trained one afterwards; left out, that stays. */
  readonly ridge?: number;
  /** Of the order of minibatches, of their augmentation, and of dropout masks. */
  readonly seed?: number;
}

/** Trains a population of networks on a small set, exactly as the inner loop does or in minibatches. */
export class Population {
  private constructor(
    readonly geometry: PopulationGeometry,
    private readonly tensors: Readonly<Record<string, Tensor>>,
    private readonly executable: Executable,
    private readonly regression: Executable | undefined,
    private readonly owned: Owned,
  ) {}

  static create(device: Device, geometry: PopulationGeometry): Promise<Population> {
    return owning(async (owned) => {
      const { tensors, executable } = await loadWithTensors(device, recordTraining(geometry), owned);
      const { images, labels } = tensors;
      const { parameters, statistics } = geometry.labeller ?? {};
      if (parameters) await tensors.labeller.write(parameters);
      if (statistics) await tensors.labellerStatistics.write(statistics);
      const bound = { images, labels, theta: trainedOf(tensors) };
      const regression = geometry.ridge ? regressionOf(geometry) : undefined;
      const loaded = regression && (await loadWithTensors(device, regression, owned, bound));
      return new Population(geometry, tensors, executable, loaded?.executable, owned);
    });
  }

  /** `[members, count]`: the parameters after `train`. */
  get trained(): Tensor {
    return trainedOf(this.tensors);
  }

  /** What it was last trained on, as it was: without augmentation. */
  get batches(): TrainingBatches {
    return { tensors: { images: this.tensors.images }, record: trainingBatches(this.geometry) };
  }

  /** Trains from the given parameters `[members, count]`. */
  async train(
    { images, labels, learningRates, firstMember }: TrainingSet,
    parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<void> {
    const { tensors, geometry } = this;
    await tensors.theta.write(parameters);
    await tensors.images.write(filling(images, tensors.images.length));
    await tensors.labels.write(labels);
    const { minibatches: training, seed = 0 } = geometry;
    if (training) {
      const rows = geometry.steps * geometry.n;
      await startMinibatches(tensors, training, { rows, rate: learningRates[0], seed, firstMember });
      await runMinibatches(this.executable, tensors, training, { rows, signal });
    } else {
      await tensors.rates.write(filling(learningRates, tensors.rates.length));
      await tensors.state?.write(randomState(seed, 0, firstMember));
      await this.executable.run({ signal });
    }
    if (!this.regression) return;
    await this.regression.run({ signal });
    await this.#checkRegression();
  }

  /** A factor that float32 cannot hold gives a classifier of NaN to features that are none, which would be scored as guessing. */
  async #checkRegression(): Promise<void> {
    const { network, members, steps, n, ridge } = this.geometry;
    const { offset } = network.parameters.at(-2)!;
    const theta = await this.trained.read();
    for (let p = 0; p < members; p++) {
      const own = theta.subarray(p * network.count, (p + 1) * network.count);
      const wrong = own.findIndex((value) => !Number.isFinite(value));
      if (wrong < offset) continue;
      throw new LimbeckError(
        'ERR_DIVERGED',
        `kernel regression of ${steps * n} images on ${network.features} features has no solution in float32 at a ridge of ${ridge}; score the set ` +
          'without it: --protocol frepo.',
      );
    }
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** All that a population runs: what decides how many members there is memory for. */
export const populationPrograms = (geometry: PopulationGeometry): readonly Program[] => [
  recordTraining(geometry),
  ...(geometry.ridge ? [regressionOf(geometry)] : []),
];

/** The program of the regression that follows training. */
export function regressionOf(geometry: PopulationGeometry): Program {
  const { network, members, steps, n, ridge = 0, ownLabels } = geometry;
  const regressed = { network, members, rows: steps * n, ridge, ownLabels };
  return recordRegressedClassifier(regressed, trainingBatches(geometry));
}

const trainedOf = ({ trained, theta }: Readonly<Record<string, Tensor>>): Tensor => trained ?? theta;

/** The batch of every step; of minibatches those of an epoch in the order of the rows, the last one of what is left. */
const trainingBatches =
  ({ network, members, steps, n, minibatches }: PopulationGeometry) =>
  (r: Recorder): View[] => {
    const { inputShape } = network;
    const rows = steps * n;
    const size = minibatches ? batchesOf(minibatches, rows).size : n;
    const images = r.external('images', members, [rows, ...inputShape]);
    return Array.from({ length: Math.ceil(rows / size) }, (_, t) =>
      slice(images, t * size * elements(inputShape), [Math.min(size, rows - t * size), ...inputShape]),
    );
  };

/** `values` as often as they fill `length`. */
const filling = (values: ArrayLike<number>, length: number): ArrayLike<number> =>
  values.length === length ? values : repeated(Float32Array, values, length / values.length);

/** The program that trains the population. */
export function recordTraining(geometry: PopulationGeometry): Program {
  return geometry.minibatches
    ? recordMinibatches(geometry, geometry.minibatches)
    : recordLearnedSteps(geometry);
}

const labelledBy = ({ members, ownLabels }: PopulationGeometry): number => (ownLabels ? members : 1);

function recordLearnedSteps(geometry: PopulationGeometry): Program {
  const { network, members, steps, epochs, n, training } = geometry;
  const r = new Recorder('train on distilled images');
  const inputs = {
    theta: r.external('theta', members, [network.count]),
    images: r.external('images', members, [steps, n, ...network.inputShape]),
    labels: r.external('labels', labelledBy(geometry), [steps, n, network.classes]),
    rates: r.external('rates', members, [steps * epochs]),
  };
  const last = { theta: r.external('trained', members, [network.count]) };
  const random = network.draws
    ? { state: r.external('state', 1, [4], 'u32'), stream: streams.dropout }
    : undefined;
  recordInnerLoop(r, members, { network, steps, epochs, training, random, ...inputs }, last);
  return r.program();
}

function recordMinibatches(geometry: PopulationGeometry, training: MinibatchTraining): Program {
  const { network, members, steps, n, augmentation, temperature, labeller: teacher } = geometry;
  const r = new Recorder('train on distilled images in minibatches');
  const rows = steps * n;
  const images = r.external('images', members, [rows, ...network.inputShape]);
  const labels = r.external('labels', labelledBy(geometry), [rows, network.classes]);
  const labeller = teacher && {
    network: teacher.network,
    theta: r.external('labeller', 1, [teacher.network.count]),
    statistics: teacher.statistics && r.external('labellerStatistics', 1, [teacher.statistics.length]),
  };
  declareMinibatches(r, members, {
    ...{ network, training, augmentation, rows, temperature, labeller },
    gather: (r, index) => gatherRows(r, { images, labels, index }),
  });
  return r.program();
}
