import type { Split } from '../data/dataset.js';
import { normalise, storedSize } from '../data/normalisation.js';
import type { Device } from '../engine/device.js';
import { readFloats } from '../engine/load.js';
import { batchStatistics } from '../eval/batch-statistics.js';
import { expectModel, type Model, networksIn } from '../eval/model.js';
import { Population } from '../eval/population.js';
import { checkLabelled } from '../eval/predict.js';
import { createNetwork } from '../networks/index.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import { LimbeckError } from '../util/errors.js';
import { expectDevice, expectOptions, shown } from '../util/expect.js';
import { owning } from '../util/owned.js';
import { counted } from '../util/words.js';
import {
  checkFinite,
  checkSeed,
  minibatchNames,
  resolveMinibatches,
  resolveRate,
} from './training-options.js';

/** A few images of somebody's own. */
export interface LabelledImages {
  /** `[N, C, H, W]`, as `predict` takes them. */
  readonly images: Split['images'];
  /** `[N]`: the number of each image's class. */
  readonly labels: ArrayLike<number>;
}

/** How to go on training; each has a default. */
export interface FineTuneOptions extends Partial<MinibatchTraining> {
  /** The first rate; default 0.01, 0.001 for `adam` and `adamw`. */
  readonly learningRate?: number;
  /** Of batches and dropout; default 0. */
  readonly seed?: number;
  /** Stops; the promise then rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
}

const known = {
  learningRate: true,
  seed: true,
  signal: true,
  ...minibatchNames,
} satisfies Record<keyof FineTuneOptions, true>;

const defaults: Required<MinibatchTraining> = {
  optimizer: { kind: 'momentum', momentum: 0.9 },
  loss: 'cross-entropy',
  batch: 256,
  epochs: 20,
  schedule: { kind: 'constant' },
  restart: false,
};

/**
 * Trains a network further on a few images, and gives back another; the first stays as it is. By default SGD with momentum 0.9 at rate
 * 0.01 and the network's own loss, twenty epochs in batches of at most 256. Batch norm takes its statistics of these images.
 *
 * @throws ERR_OPTION for options that are unknown or out of range; ERR_SHAPE for images of another size or without a label each; ERR_DATA for
 * a label that is no class; ERR_DIVERGED; ERR_OUT_OF_MEMORY
 */
export async function fineTune(
  device: Device,
  model: Model,
  given: LabelledImages,
  options: FineTuneOptions = {},
): Promise<Model> {
  expectDevice('fineTune', device);
  expectModel('fineTune', model);
  expectOptions('fineTune', options, known);
  const { seed = 0, signal } = options;
  const training = resolveMinibatches(options, { ...defaults, loss: model.loss });
  const rate = resolveRate(options.learningRate, training, 0.01);
  checkSeed(seed);
  const network = createNetwork(model.network);
  checkLabelled('fineTune', given, network, model.normalisation);
  const { images, labels } = given;
  const targets = oneHot(labels, images.length / storedSize(images, network.inputShape), network.classes);
  return owning(async (owned) => {
    const geometry = { network, members: networksIn(model, network), steps: 1, epochs: 1, n: labels.length };
    const population = owned.own(
      await Population.create(device, { ...geometry, minibatches: training, seed }),
    );
    const { trained, batches } = population;
    const normalised = normalise(images, network.inputShape, model.normalisation);
    const set = { images: normalised, labels: targets, learningRates: [rate] };
    await population.train(set, model.parameters, signal);
    const parameters = await readFloats(trained);
    checkFinite(parameters, 'these images', training.epochs, rate);
    const statistics = await batchStatistics(device, network, trained, batches);
    owned.dispose();
    const trainedOn = `${model.notes.trainedOn}, then ${counted(labels.length, 'image')}`;
    const { dataset, protocol } = model.notes;
    return {
      ...{ ...model, parameters, loss: training.loss },
      ...(statistics && { statistics }),
      notes: { dataset, trainedOn, protocol },
    };
  });
}

function oneHot(labels: ArrayLike<number>, count: number, classes: number): Float32Array {
  if (labels.length !== count)
    throw new LimbeckError(
      'ERR_SHAPE',
      `fineTune: there are ${labels.length} labels for ${counted(count, 'image')}, expected one for each`,
    );
  const out = new Float32Array(count * classes);
  for (let i = 0; i < count; i++) {
    const label = labels[i];
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new LimbeckError(
        'ERR_DATA',
        `fineTune: labels[${i}] is ${shown(label)}, expected the number of a class, 0 to ${classes - 1}`,
      );
    out[i * classes + label] = 1;
  }
  return out;
}
