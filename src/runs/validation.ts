import type { Dataset } from '../data/dataset.js';
import type { Attack, DistilledSet } from '../data/distilled-set.js';
import type { Device } from '../engine/device.js';
import { asMeant } from '../eval/attack.js';
import { Evaluator } from '../eval/evaluator.js';
import { findProtocol } from '../eval/find-protocol.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import type { Model } from '../eval/model.js';
import type { PopulationGeometry } from '../eval/population.js';
import { heldOutOf } from '../eval/pretrained.js';
import { learnedRateOf, strategyOf } from '../eval/protocol.js';
import { percentRight } from '../eval/statistics.js';
import { temperatureUnder } from '../eval/under-protocol.js';
import { createNetwork } from '../networks/index.js';
import type { ResolvedOptions } from './options.js';

/** Draw of the networks that look at the validation split: far from those of the test, which count from 0. */
const validationDraw = 0xffff_0000;

/** Epochs of ordinary training at most, so that a look takes a small part of a run. */
const mostEpochs = 300;

/**
 * What networks make of a set on the validation split: those it was made for, or held-out ones, trained as the set is used.
 * Results are chosen by this; the test split plays no part.
 */
export class Validation {
  private constructor(
    private readonly evaluator: Evaluator,
    /** What is trained. */
    private readonly networks: Float32Array,
    private readonly learningRate: number | 'learned',
    private readonly attack: Attack | undefined,
  ) {}

  /** For sets of the sizes and the use of `set`. */
  static async create(
    device: Device,
    dataset: Dataset,
    set: DistilledSet,
    { validationNetworks }: ResolvedOptions,
    model?: Model,
  ): Promise<Validation> {
    const { use, classes, seed } = set;
    const network = createNetwork(set.network);
    const protocol = use.kind === 'minibatches' ? findProtocol(use.protocol) : undefined;
    const { initialisation } = protocol ?? {};
    const held = () =>
      set.pretrained && model
        ? heldOutOf(set, model).parts.validation
        : heldOutNetworks(device, network, validationNetworks, seed, validationDraw, { initialisation });
    const known = use.kind === 'learned-steps' && use.init === 'fixed' ? use.initialParameters : undefined;
    const networks = known ?? (await held());
    const count = classes.length;
    const members = networks.length / network.count;
    const common = { network, members, seed };
    let geometry: PopulationGeometry;
    if (use.kind === 'learned-steps') {
      const { steps, epochs, training } = use;
      geometry = { ...common, steps, epochs, n: count / steps, training };
    } else {
      const { training } = protocol!;
      const minibatches =
        training === 'learned-steps'
          ? undefined
          : { ...training, epochs: Math.min(training.epochs, mostEpochs) };
      const augmentation = strategyOf(protocol!);
      const { ridge } = protocol!;
      const temperature = temperatureUnder({ ...protocol!, labels: 'stored' }, set);
      geometry = {
        ...{ ...common, steps: 1, epochs: 1, n: count },
        ...{ minibatches, augmentation, ridge, temperature },
      };
    }
    const evaluator = await Evaluator.create(device, dataset, dataset.validation, geometry);
    return new Validation(evaluator, networks, protocol?.learningRate ?? 'learned', set.attack);
  }

  /** Percent, mean over the networks; rejects with the reason of a `signal` that stops it. */
  async accuracy({ images, labels, use }: DistilledSet, signal?: AbortSignal): Promise<number> {
    const rate = this.learningRate === 'learned' ? learnedRateOf(use) : this.learningRate;
    const learningRates = use.kind === 'learned-steps' ? use.learningRates : [rate];
    const answers = await this.evaluator.answers({ images, labels, learningRates }, this.networks, signal);
    const values = answers.map((counts) => percentRight(asMeant(counts, this.attack)));
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  dispose(): void {
    this.evaluator.dispose();
  }
}
