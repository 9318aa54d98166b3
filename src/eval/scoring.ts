import type { Dataset, Split } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Executable, Tensor } from '../engine/device.js';
import * as accuracy from '../engine/ops/accuracy.js';
import { type Program, Recorder } from '../engine/program.js';
import { slice, type View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { recordBatchStatistics } from '../train/batch-statistics.js';
import { LimbeckError } from '../util/errors.js';
import { type Owned, owning } from '../util/owned.js';
import type { Confusion } from './statistics.js';

/** Images scored in one piece by all members together, at most; a population of large networks takes fewer. */
const imagesInFlight = 2048;

/** Bytes that the activations of one piece may take. */
const bytesInFlight = 256 * 2 ** 20;

/** What networks were trained on, for those with batch norm: they are scored with the statistics of these batches. */
export interface TrainingBatches {
  /** External tensors that `record` declares. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Declares the tensors and returns the batches of images. */
  record(r: Recorder): readonly View[];
}

/** ERR_DATA for a data set without images to validate or test with: found before the work, not after it. */
export function checkScored({ name, validation, test }: Dataset): void {
  for (const [split, { count }] of Object.entries({ validation, test }))
    if (count < 1)
      throw new LimbeckError('ERR_DATA', `${name} has no ${split} images, expected at least one`);
}

/** Counts what a population of trained networks takes the images of a whole split for. */
export class Scoring {
  private constructor(
    private readonly counts: Tensor,
    private readonly classes: number,
    private readonly executable: Executable,
    private readonly owned: Owned,
  ) {}

  /** `trained` is the population's parameters `[members, count]`, read at every run. */
  static create(
    device: Device,
    dataset: Dataset,
    split: Split,
    network: Network,
    trained: Tensor,
    batches: TrainingBatches,
  ): Promise<Scoring> {
    return owning(async (owned) => {
      const uploaded = owned.own(await SplitOnDevice.upload(device, dataset, split));
      const members = trained.length / network.count;
      const program = recordScoring(network, members, uploaded, batches);
      const rows = Uint32Array.from({ length: split.count }, (_, i) => i);
      const order = owned.own(await device.tensor('u32', split.count, rows));
      const counts = owned.own(await device.tensor('f32', members * network.classes ** 2));
      const training = network.statisticsCount ? batches.tensors : {};
      const bindings = { ...uploaded.tensors, order, trained, counts, ...training };
      return new Scoring(counts, network.classes, owned.own(await device.load(program, bindings)), owned);
    });
  }

  /** One matrix for each member. */
  async run(signal?: AbortSignal): Promise<Confusion[]> {
    await this.executable.run({ signal });
    return confusions(await this.counts.read(), this.classes);
  }

  dispose(): void {
    this.owned.dispose();
  }
}

/** The counts `[members, K, K]` as one matrix for each member. */
export const confusions = (counts: ArrayLike<number>, K: number): Confusion[] => inRows(inRows(counts, K), K);

/** Values in rows of `size`. */
const inRows = <T>(values: ArrayLike<T>, size: number): T[][] =>
  Array.from({ length: values.length / size }, (_, row) =>
    Array.from({ length: size }, (_, i) => values[row * size + i]),
  );

function recordScoring(
  network: Network,
  members: number,
  split: SplitOnDevice,
  batches: TrainingBatches,
): Program {
  const record = (count: number, piece: number, calibrated: boolean) => {
    const r = new Recorder('count answers');
    const externals = split.declare(r);
    const order = r.external('order', 1, [split.count], 'u32');
    const trained = r.external('trained', members, [network.count]);
    const counts = r.external('counts', members, [network.classes, network.classes]);
    let frozen: View | undefined;
    if (calibrated && network.statisticsCount) {
      frozen = r.temporary('statistics', members, [network.statisticsCount]);
      recordBatchStatistics(r, members, network, batches.record(r), trained, frozen);
    }
    for (let start = 0; start < count; start += piece) {
      const index = slice(order, start, [Math.min(piece, count - start)]);
      const { x, y } = split.batch(r, externals, index);
      const { z } = network.forward(r, x, trained, { frozen });
      accuracy.confusion(r, { z, y }, { into: counts, accumulate: start > 0 });
    }
    return r.program();
  };
  const perImage = record(1, 1, false).bytes().temporary;
  const piece = Math.min(Math.floor(imagesInFlight / members), Math.floor(bytesInFlight / perImage));
  return record(split.count, Math.max(1, piece), true);
}
