import type { Dataset } from '../data/dataset.js';
import { normalisedImages } from '../data/on-device.js';
import type { Device } from '../engine/device.js';
import { elements, slice } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import type { Owned } from '../util/owned.js';
import type { TrainingBatches } from './scoring.js';

/** Batches of training images that batch norm is scored with: enough for steady statistics, evenly spread. */
export async function trainingBatches(
  device: Device,
  dataset: Dataset,
  network: Network,
  batch: number,
  owned: Owned,
): Promise<TrainingBatches> {
  if (!network.statisticsCount) return { tensors: {}, record: () => [] };
  const { count } = dataset.train;
  const n = Math.min(batch, count);
  const T = Math.min(Math.ceil(2048 / n), Math.floor(count / n));
  // Batch t takes places t, t + T, t + 2T …: files are often sorted by class, and a batch should hold all of them.
  const place = (i: number) => (i % n) * T + Math.floor(i / n);
  const rows = Array.from({ length: n * T }, (_, i) => Math.floor((place(i) * count) / (n * T)));
  const images = normalisedImages(dataset, dataset.train, rows);
  const shape = [n, ...network.inputShape];
  return {
    tensors: { images: owned.own(await device.tensor('f32', images.length, images)) },
    record(r) {
      const all = r.external('images', 1, [rows.length, ...network.inputShape]);
      return Array.from({ length: rows.length / n }, (_, t) => slice(all, t * elements(shape), shape));
    },
  };
}
