import type { Dataset } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { loadWithTensors } from '../engine/load.js';
import { type Program, Recorder } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import {
  declareMinibatches,
  type MinibatchTraining,
  runMinibatches,
  startMinibatches,
} from '../train/minibatch.js';
import { owning } from '../util/owned.js';
import { membersThatFit } from './first-networks.js';
import { Scoring } from './scoring.js';
import type { Confusion } from './statistics.js';
import { trainingBatches } from './training-batches.js';

/** Ordinary training on the whole training split, unless asked otherwise. */
export const ordinaryTraining: Required<MinibatchTraining> = {
  optimizer: { kind: 'momentum', momentum: 0.9, weightDecay: 5e-4 },
  loss: 'cross-entropy',
  batch: 128,
  epochs: 3,
  schedule: { kind: 'cosine' },
  restart: false,
};

/** Steps that it has at least: three epochs on few images would leave a network as good as untrained. */
const leastSteps = 200;

/** The same on so many images: more epochs where there are few. */
export function ordinaryOn(images: number, least = leastSteps): Required<MinibatchTraining> {
  const perEpoch = Math.ceil(images / ordinaryTraining.batch);
  return { ...ordinaryTraining, epochs: Math.max(ordinaryTraining.epochs, Math.ceil(least / perEpoch)) };
}

/** Its first rate. */
export const ordinaryRate = 0.05;

/** Records a step of ordinary training of so many networks on a split. */
export function recordOnSplit(
  network: Network,
  training: MinibatchTraining,
  members: number,
  split: SplitOnDevice,
): Program {
  const r = new Recorder('train on the training split');
  const externals = split.declare(r);
  declareMinibatches(r, members, {
    network,
    training,
    rows: split.count,
    gather: (r, index) => split.batch(r, externals, index),
  });
  return r.program();
}

/**
 * What networks `[n, count]` take the test images for, as they are or after ordinary training on all training images. Batch norm is
 * scored with the statistics of training images.
 */
export function answersWithoutSet(
  device: Device,
  dataset: Dataset,
  network: Network,
  parameters: Float32Array,
  {
    trained,
    seed,
    signal,
  }: { readonly trained: boolean; readonly seed: number; readonly signal?: AbortSignal | undefined },
): Promise<Confusion[]> {
  return owning(async (owned) => {
    const { count } = network;
    const networks = parameters.length / count;
    const split = trained ? owned.own(await SplitOnDevice.upload(device, dataset, dataset.train)) : undefined;
    const training = ordinaryOn(dataset.train.count);
    const record = (members: number) => recordOnSplit(network, training, members, split!);
    const choices = [10, 5, 2, 1].filter((members) => networks % members === 0);
    const members = split ? membersThatFit(device, choices, (members) => [record(members)]) : choices[0];
    const loaded = split && (await loadWithTensors(device, record(members), owned, split.tensors));
    const theta = loaded?.tensors.theta ?? owned.own(await device.tensor('f32', members * count));
    const batches = await trainingBatches(device, dataset, network, training.batch, owned);
    const scoring = owned.own(await Scoring.create(device, dataset, dataset.test, network, theta, batches));
    const answers: Confusion[] = [];
    for (let first = 0; first < networks; first += members) {
      await theta.write(parameters.subarray(first * count, (first + members) * count));
      if (loaded) {
        const rows = dataset.train.count;
        await startMinibatches(loaded.tensors, training, {
          rows,
          rate: ordinaryRate,
          seed,
          firstMember: first,
        });
        await runMinibatches(loaded.executable, loaded.tensors, training, { rows, signal });
      }
      answers.push(...(await scoring.run(signal)));
    }
    owned.dispose();
    return answers;
  });
}
