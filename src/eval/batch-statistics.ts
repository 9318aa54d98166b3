import type { Device, Tensor } from '../engine/device.js';
import { loadWithTensors, readFloats } from '../engine/load.js';
import { Recorder } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { recordBatchStatistics } from '../train/batch-statistics.js';
import { owning } from '../util/owned.js';
import type { TrainingBatches } from './scoring.js';

/**
 * What trained networks `[members, count]` with batch norm are used with, `[members, statisticsCount]`: the statistics of the
 * batches they were trained on, as they are scored. Undefined for networks without.
 */
export async function batchStatistics(
  device: Device,
  network: Network,
  trained: Tensor,
  batches: TrainingBatches,
): Promise<Float32Array | undefined> {
  if (!network.statisticsCount) return undefined;
  const members = trained.length / network.count;
  const r = new Recorder('batch statistics');
  const theta = r.external('trained', members, [network.count]);
  const into = r.external('statistics', members, [network.statisticsCount]);
  recordBatchStatistics(r, members, network, batches.record(r), theta, into);
  return owning(async (owned) => {
    const bound = await loadWithTensors(device, r.program(), owned, { ...batches.tensors, trained });
    await bound.executable.run();
    const statistics = await readFloats(bound.tensors.statistics);
    owned.dispose();
    return statistics;
  });
}
