import type { Dataset } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import type { TrainedNetwork } from '../methods/teacher.js';
import type { Network } from '../networks/network.js';
import { batchesOf, runMinibatches, startMinibatches } from '../train/minibatch.js';
import { owning } from '../util/owned.js';
import { batchStatistics } from './batch-statistics.js';
import { heldOutNetworks } from './first-networks.js';
import { ordinaryOn, ordinaryRate, recordOnSplit } from './on-all-images.js';
import { trainingBatches } from './training-batches.js';

/** Parts of the training after which it is stopped. */
const parts = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];

/** Steps that the training has at least, in whole epochs. */
const leastSteps = 1500;

/** Draw of its first weights: that of no network that is tested or chosen by. */
const draw = 0xfffd_0000;

/** A network in the course of ordinary training on all training images, at several times: the shortest training first. */
export function earlyExperts(
  device: Device,
  dataset: Dataset,
  network: Network,
  seed: number,
  signal?: AbortSignal,
): Promise<TrainedNetwork[]> {
  return owning(async (owned) => {
    const rows = dataset.train.count;
    const training = ordinaryOn(rows, leastSteps);
    const split = owned.own(await SplitOnDevice.upload(device, dataset, dataset.train));
    const program = recordOnSplit(network, training, 1, split);
    const { tensors, executable } = await loadWithTensors(device, program, owned, split.tensors);
    const batches = await trainingBatches(device, dataset, network, training.batch, owned);
    await tensors.theta.write(await heldOutNetworks(device, network, 1, seed, draw));
    await startMinibatches(tensors, training, { rows, rate: ordinaryRate, seed });
    const { steps } = batchesOf(training, rows);
    const experts: TrainedNetwork[] = [];
    let first = 0;
    for (const end of parts.map((part) => Math.max(1, Math.round(part * steps)))) {
      await runMinibatches(executable, tensors, training, { rows, first, end, signal });
      first = end;
      const parameters = await readFloats(tensors.theta);
      const statistics = await batchStatistics(device, network, tensors.theta, batches);
      experts.push({ network, parameters, statistics });
    }
    owned.dispose();
    return experts;
  });
}
