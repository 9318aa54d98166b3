import type { Dataset } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import { recordOnSplit } from '../eval/on-all-images.js';
import type { Network } from '../networks/network.js';
import { batchesOf, type MinibatchTraining, runMinibatches, startMinibatches } from '../train/minibatch.js';
import { Owned } from '../util/owned.js';

/** SGD as in "What is Dataset Distillation Learning?" (Yang et al. 2024). */
export const realTraining = {
  optimizer: { kind: 'momentum', momentum: 0.9 },
  loss: 'cross-entropy',
  batch: 256,
  schedule: { kind: 'constant' },
} satisfies Omit<MinibatchTraining, 'epochs'>;
/** Its rate. */
export const realRate = 0.01;

/** Networks that learn from real images, and when to look at them. */
export interface AlongTraining {
  readonly network: Network;
  /** How many, from weights of their own. */
  readonly networks: number;
  readonly seed: number;
  /** Training steps after which to look, in their order; 0 is before the first. */
  readonly at: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** Networks after so many steps of training. */
export interface Snapshot {
  readonly step: number;
  /** `[networks, count]` */
  readonly parameters: Float32Array;
}

/** Trains networks on the training split, and gives what they are at each of these steps. */
export async function* alongTraining(
  device: Device,
  dataset: Dataset,
  { network, networks, seed, at, signal }: AlongTraining,
): AsyncGenerator<Snapshot> {
  const rows = dataset.train.count;
  const { perEpoch } = batchesOf({ ...realTraining, epochs: 1 }, rows);
  const training = { ...realTraining, epochs: Math.max(1, Math.ceil(at[at.length - 1] / perEpoch)) };
  const owned = new Owned();
  try {
    const train = owned.own(await SplitOnDevice.upload(device, dataset, dataset.train));
    const program = recordOnSplit(network, training, networks, train);
    const { tensors, executable } = await loadWithTensors(device, program, owned, train.tensors);
    await tensors.theta.write(await heldOutNetworks(device, network, networks, seed, 0));
    await startMinibatches(tensors, training, { rows, rate: realRate, seed });
    let first = 0;
    for (const step of at) {
      if (step > first)
        await runMinibatches(executable, tensors, training, { rows, first, end: step, signal });
      first = step;
      yield { step, parameters: await readFloats(tensors.theta) };
    }
  } finally {
    owned.dispose();
  }
}
