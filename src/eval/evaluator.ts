import type { Dataset, Split } from '../data/dataset.js';
import type { Device } from '../engine/device.js';
import { type Owned, owning } from '../util/owned.js';
import { Population, type PopulationGeometry, type TrainingSet } from './population.js';
import { Scoring } from './scoring.js';
import type { Confusion } from './statistics.js';

/**
 * Trains a population on a small set and scores it on a split. Batch norm is scored with the statistics that
 * `recordBatchStatistics` takes of the training batches after training, of the images as they are, as those that are scored:
 * without augmentation.
 */
export class Evaluator {
  private constructor(
    private readonly population: Population,
    private readonly scoring: Scoring,
    private readonly owned: Owned,
  ) {}

  static create(
    device: Device,
    dataset: Dataset,
    split: Split,
    geometry: PopulationGeometry,
  ): Promise<Evaluator> {
    return owning(async (owned) => {
      const population = owned.own(await Population.create(device, geometry));
      const { trained, batches } = population;
      const { network } = geometry;
      const scoring = owned.own(await Scoring.create(device, dataset, split, network, trained, batches));
      return new Evaluator(population, scoring, owned);
    });
  }

  get members(): number {
    return this.population.geometry.members;
  }

  /** What each member, trained from the given parameters `[members, count]`, takes the images of the split for. */
  async answers(
    training: TrainingSet,
    parameters: ArrayLike<number>,
    signal?: AbortSignal,
  ): Promise<Confusion[]> {
    await this.population.train(training, parameters, signal);
    return this.scoring.run(signal);
  }

  dispose(): void {
    this.owned.dispose();
  }
}
