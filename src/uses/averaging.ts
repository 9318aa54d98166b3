import type { Dataset } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { ordinaryRate, ordinaryTraining, recordOnSplit } from '../eval/on-all-images.js';
import { Scoring } from '../eval/scoring.js';
import { type Accuracy, scoresOf } from '../eval/statistics.js';
import { trainingBatches } from '../eval/training-batches.js';
import type { Network } from '../networks/network.js';
import { runMinibatches, startMinibatches } from '../train/minibatch.js';
import { owning } from '../util/owned.js';

/** One epoch of a client in every round, at a constant rate. */
const local = { ...ordinaryTraining, epochs: 1, schedule: { kind: 'constant' } } as const;

/**
 * Federated averaging (McMahan et al. 2017): in every round each client trains the networks `[n, count]` on its images for an epoch, and the parameters
 * of all clients are averaged, each by its number of images.
 *
 * @returns test accuracy after each round
 */
export function federatedAveraging(
  device: Device,
  dataset: Dataset,
  clients: readonly Dataset[],
  network: Network,
  first: Float32Array,
  { rounds, seed, signal }: { readonly rounds: number; readonly seed: number; readonly signal?: AbortSignal },
): Promise<Accuracy[]> {
  return owning(async (owned) => {
    const members = first.length / network.count;
    const learners: ((from: Float32Array, round: number) => Promise<Float32Array>)[] = [];
    for (const client of clients) {
      const split = owned.own(await SplitOnDevice.upload(device, client, client.train));
      const program = recordOnSplit(network, local, members, split);
      const { tensors, executable } = await loadWithTensors(device, program, owned, split.tensors);
      learners.push(async (from, round) => {
        const rows = split.count;
        await tensors.theta.write(from);
        await startMinibatches(tensors, local, { rows, rate: ordinaryRate, seed: seed + round });
        await runMinibatches(executable, tensors, local, { rows, signal });
        return readFloats(tensors.theta);
      });
    }
    const theta = owned.own(await device.tensor('f32', first.length));
    const batches = await trainingBatches(device, dataset, network, local.batch, owned);
    const scoring = owned.own(await Scoring.create(device, dataset, dataset.test, network, theta, batches));
    const accuracies: Accuracy[] = [];
    let current = first;
    for (let round = 0; round < rounds; round++) {
      const learned: Float32Array[] = [];
      for (const learn of learners) learned.push(await learn(current, round));
      current = meanOf(learned, clients);
      await theta.write(current);
      accuracies.push(scoresOf(await scoring.run(signal)).accuracy);
    }
    owned.dispose();
    return accuracies;
  });
}

/** Of the clients' parameter vectors, by the number of their images; summed in float64. */
export function meanOf(
  vectors: readonly Float32Array[],
  clients: readonly { readonly train: { readonly count: number } }[],
): Float32Array {
  const all = clients.reduce((sum, { train }) => sum + train.count, 0);
  const mean = new Float64Array(vectors[0].length);
  for (const [i, vector] of vectors.entries()) {
    const weight = clients[i].train.count / all;
    for (let j = 0; j < mean.length; j++) mean[j] += weight * vector[j];
  }
  return Float32Array.from(mean);
}
