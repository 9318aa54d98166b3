import type { Dataset } from '../data/dataset.js';
import type { Attack, DistilledSet } from '../data/distilled-set.js';
import type { Device } from '../engine/device.js';
import { asMeant } from '../eval/attack.js';
import { type AnyEvaluator, createEvaluator } from '../eval/create-evaluator.js';
import { heldOutNetworks } from '../eval/first-networks.js';
import type { Model } from '../eval/model.js';
import { heldOutOf } from '../eval/pretrained.js';
import type { Protocol } from '../eval/protocol.js';
import { protocolOf } from '../eval/protocol-name.js';
import { percentRight } from '../eval/statistics.js';
import { geometryUnder, ratesUnder, softTemperature } from '../eval/under-protocol.js';
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
    private readonly evaluator: AnyEvaluator,
    /** What is trained. */
    private readonly networks: Float32Array,
    private readonly protocol: Protocol,
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
    const protocol = protocolOf(set);
    const { initialisation, training } = protocol;
    const { minibatches, ...usual } = geometryUnder(protocol, set, network, classes.length);
    const held = () =>
      set.pretrained && model
        ? heldOutOf(set, model).parts.validation
        : heldOutNetworks(device, network, validationNetworks, seed, validationDraw, { initialisation });
    const known = use.kind === 'learned-steps' && use.init === 'fixed' ? use.initialParameters : undefined;
    const networks = training === 'none' ? new Float32Array() : (known ?? (await held()));
    const geometry = {
      ...usual,
      members: networks.length / network.count || 1,
      // It learns from the labels as they are stored, whatever the protocol makes of them.
      temperature: softTemperature(protocol, set),
      minibatches: minibatches && { ...minibatches, epochs: Math.min(minibatches.epochs, mostEpochs) },
    };
    const evaluator = await createEvaluator(device, dataset, dataset.validation, geometry);
    return new Validation(evaluator, networks, protocol, set.attack);
  }

  /** Percent, mean over the networks; rejects with the reason of a `signal` that stops it. */
  async accuracy(set: DistilledSet, signal?: AbortSignal): Promise<number> {
    const learningRates = ratesUnder(this.protocol, set, this.protocol.learningRate);
    const { images, labels } = set;
    const answers = await this.evaluator.answers({ images, labels, learningRates }, this.networks, signal);
    const values = answers.map((counts) => percentRight(asMeant(counts, this.attack)));
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  dispose(): void {
    this.evaluator.dispose();
  }
}
