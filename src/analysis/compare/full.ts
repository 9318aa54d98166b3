import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../../data/dataset.js';
import type { Device } from '../../engine/device.js';
import { decodeModel, encodeModel } from '../../eval/model.js';
import { networkTitle } from '../../networks/index.js';
import { trainNetworks } from '../../runs/train-networks.js';
import { writeFileAtomic } from '../../util/atomic-file.js';
import type { Comparing } from './options.js';
import type { FullTraining } from './record.js';

/** Networks that are trained on the whole training split. */
const trained = 3;

interface FullOptions {
  readonly comparing: Comparing;
  /** Of the data: networks of other data may lie in the same folder. */
  readonly sha256: string;
  readonly signal?: AbortSignal;
}

/**
 * What networks reach on the whole training split: of those in the folder, where they were trained alike, else of such as are trained
 * now and kept there. `sha256` is that of the images before whitening.
 */
export async function fullTraining(
  folder: string,
  device: Device,
  dataset: Dataset,
  { comparing, sha256, signal }: FullOptions,
): Promise<FullTraining> {
  const { network, fullEpochs: epochs, seed } = comparing;
  const title = networkTitle(network).replace(/[^\w.=-]+/g, '-');
  const data = `${sha256.slice(0, 12)}${dataset.zca ? '-zca' : ''}`;
  const path = join(folder, `${title}-${epochs}-epochs-seed${seed}-data-${data}.safetensors`);
  if (existsSync(path)) {
    const { protocol, testAccuracy } = decodeModel(await readFile(path)).notes;
    if (testAccuracy) return { protocol, accuracy: testAccuracy };
  }
  const { model, protocol, accuracy } = await trainNetworks(device, dataset, {
    ...{ network, networks: trained, epochs, seed, learningRate: 0.01, signal },
  });
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(path, encodeModel(model));
  return { protocol, accuracy };
}
