import { type Dataset, splitNames } from '../data/dataset.js';
import { expectDataset } from '../data/expect-dataset.js';
import { normalisationOf } from '../data/normalisation.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { batchStatistics } from '../eval/batch-statistics.js';
import { heldOutNetworks, membersThatFit } from '../eval/first-networks.js';
import type { Model } from '../eval/model.js';
import { ordinaryOn, ordinaryRate, recordOnSplit } from '../eval/on-all-images.js';
import { checkScored, Scoring } from '../eval/scoring.js';
import { type Accuracy, type Confusion, percentRight, scoresOf, summarise } from '../eval/statistics.js';
import { trainingBatches } from '../eval/training-batches.js';
import { createNetwork, type Network } from '../networks/index.js';
import { type NetworkSpec, networkSpec, printNetworkSpec } from '../networks/spec.js';
import {
  batchesOf,
  describeMinibatches,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../train/minibatch.js';
import { expectDevice, expectOptions } from '../util/expect.js';
import { owning } from '../util/owned.js';
import { saidOf } from '../util/words.js';
import {
  checkFinite,
  checkPositive,
  checkSeed,
  minibatchNames,
  resolveMinibatches,
  resolveRate,
} from './training-options.js';

/** How to train on the whole training split; each has a default. */
export interface TrainOptions extends Partial<MinibatchTraining> {
  /** Default `lenet`; with options as an object. */
  readonly network?: string | NetworkSpec;
  /** Default 1. */
  readonly networks?: number;
  /** The first rate; default 0.05, 0.001 for `adam` and `adamw`. */
  readonly learningRate?: number;
  /** Of weights and batches; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** After every epoch; validation accuracy in percent, mean over the networks trained at the time. */
  readonly onProgress?:
    | ((event: {
        network: number;
        networks: number;
        epoch: number;
        epochs: number;
        validationAccuracy: number;
      }) => void)
    | undefined;
}

const known = {
  network: true,
  networks: true,
  learningRate: true,
  seed: true,
  signal: true,
  onProgress: true,
  ...minibatchNames,
} satisfies Record<keyof TrainOptions, true>;

/** Networks after ordinary training. */
export interface TrainedNetworks {
  /** Their architecture. */
  readonly network: Network;
  /** What `predict`, `exportOnnx` and `encodeModel` take. */
  readonly model: Model;
  /** What was done, in words. */
  readonly protocol: string;
  /** On the test split, percent; it is opened once, after the last step. */
  readonly accuracy: Accuracy;
  /** On the validation split, percent. */
  readonly validation: Accuracy;
  /** Percent of the test images of each class, mean over the networks; null for a class without any. */
  readonly perClass: readonly (number | null)[];
  /** `[networks, count]` */
  readonly parameters: Float32Array;
}

/**
 * Ordinary training on the whole training split: what a distilled set is measured against. By default SGD with momentum 0.9 at rate
 * 0.05, weight decay 0.0005, batches of 128, three epochs (more where these are less than 200 steps), half a cosine to 0.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; ERR_SHAPE for images that the network cannot take; ERR_DATA where
 * the validation or test split is empty; ERR_DIVERGED where parameters are not finite after an epoch; ERR_OUT_OF_MEMORY
 */
export async function trainNetworks(
  device: Device,
  dataset: Dataset,
  options: TrainOptions = {},
): Promise<TrainedNetworks> {
  expectDevice('trainNetworks', device);
  expectDataset('trainNetworks', dataset, splitNames);
  expectOptions('trainNetworks', options, known);
  const { networks = 1, seed = 0, signal } = options;
  const training = resolveTraining(options, dataset.train.count);
  const { imageShape: inputShape, classes } = dataset;
  const spec = networkSpec(options.network ?? 'lenet');
  const network = createNetwork({ ...spec, inputShape, classes });
  const learningRate = resolveRate(options.learningRate, training, ordinaryRate);
  checkPositive('networks', networks, true);
  checkSeed(seed);
  checkScored(dataset);
  return owning(async (owned) => {
    const train = owned.own(await SplitOnDevice.upload(device, dataset, dataset.train));
    const record = (count: number) => recordOnSplit(network, training, count, train);
    const members = membersThatFit(
      device,
      [10, 5, 2, 1].filter((count) => count === 1 || count <= networks),
      (count) => [record(count)],
    );
    const { tensors, executable } = await loadWithTensors(device, record(members), owned, train.tensors);
    const batches = await trainingBatches(device, dataset, network, training.batch, owned);
    const validation = owned.own(
      await Scoring.create(device, dataset, dataset.validation, network, tensors.theta, batches),
    );
    const parameters = new Float32Array(networks * network.count);
    const validated: number[] = [];
    for (let first = 0; first < networks; first += members) {
      const draw = Math.floor(first / 10);
      const start = { firstMember: first % 10 };
      await tensors.theta.write(await heldOutNetworks(device, network, members, seed, draw, start));
      const kept = Math.min(members, networks - first);
      const values = await trainPopulation(
        executable,
        tensors,
        { first, kept },
        validation,
        (epoch, accuracies) => {
          const mean = summarise(accuracies.slice(0, kept)).mean;
          options.onProgress?.({
            network: first,
            networks,
            epoch,
            epochs: training.epochs,
            validationAccuracy: mean,
          });
        },
      );
      validated.push(...values.slice(0, kept));
      const trained = await readFloats(tensors.theta);
      parameters.set(trained.subarray(0, kept * network.count), first * network.count);
    }

    // Everything is trained: now, and only now, the test split.
    const test = owned.own(
      await Scoring.create(device, dataset, dataset.test, network, tensors.theta, batches),
    );
    const answers: Confusion[] = [];
    const statistics = new Float32Array(networks * network.statisticsCount);
    for (let first = 0; first < networks; first += members) {
      const kept = Math.min(members, networks - first);
      const from = first * network.count;
      // The last networks may be fewer than go at once; what is left of others is not looked at.
      await tensors.theta.write(parameters.subarray(from, from + kept * network.count), 0);
      answers.push(...(await test.run(signal)).slice(0, kept));
      const all = await batchStatistics(device, network, tensors.theta, batches);
      if (all)
        statistics.set(all.subarray(0, kept * network.statisticsCount), first * network.statisticsCount);
    }
    owned.dispose();
    const trainedOn = `all ${dataset.train.count}${dataset.zca ? ' ZCA-whitened' : ''} training ${saidOf(dataset, 'images')}`;
    const protocol = `${printNetworkSpec(spec)} on ${trainedOn}: ${describeMinibatches(training, learningRate)}, ${network.weights} weights`;
    const { accuracy, perClass } = scoresOf(answers);
    return {
      network,
      model: {
        network: { ...spec, inputShape, classes },
        parameters,
        ...(network.statisticsCount && { statistics }),
        loss: training.loss,
        classNames: dataset.classNames,
        normalisation: normalisationOf(dataset),
        notes: { dataset: dataset.name, trainedOn, protocol, testAccuracy: accuracy },
      },
      protocol,
      accuracy,
      validation: summarise(validated),
      perClass,
      parameters,
    };
  });

  /** Returns the validation accuracies after the last epoch. */
  async function trainPopulation(
    executable: Executable,
    tensors: Readonly<Record<string, Tensor>>,
    { first, kept }: { first: number; kept: number },
    validation: Scoring,
    report: (epoch: number, accuracies: readonly number[]) => void,
  ): Promise<number[]> {
    const rows = dataset.train.count;
    await startMinibatches(tensors, training, { rows, rate: learningRate, seed, firstMember: first });
    const { perEpoch } = batchesOf(training, rows);
    let accuracies: number[] = [];
    for (let epoch = 1; epoch <= training.epochs; epoch++) {
      const steps = { first: (epoch - 1) * perEpoch, end: epoch * perEpoch };
      await runMinibatches(executable, tensors, training, { rows, ...steps, signal });
      // Training only goes on from there.
      const theta = await readFloats(tensors.theta);
      checkFinite(theta.subarray(0, kept * network.count), dataset.name, epoch, learningRate);
      accuracies = (await validation.run(signal)).map(percentRight);
      report(epoch, accuracies);
    }
    return accuracies;
  }
}

/** Training on so many images, which decide how long it is where nobody says so, with every option filled in; ERR_OPTION for what is unknown or out of range. */
export const resolveTraining = (options: TrainOptions, images = 1): MinibatchTraining =>
  resolveMinibatches(options, ordinaryOn(images));
