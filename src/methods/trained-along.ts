import type { Tensor } from '../engine/device.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import type { Owned } from '../util/owned.js';
import type { Setting } from './method.js';
import { TrainOnItems } from './train-on-items.js';

/** How a network is trained on the distilled set between outer steps. */
export interface TrainingAlong {
  /** Outer steps that one network is for. */
  readonly outerLoop: number;
  /** Epochs on the distilled set between two of them. */
  readonly innerLoop: number;
  /** Its rate, by SGD. */
  readonly networkLr: number;
  /** Of the distilled images in that training, every image with its own draw. */
  readonly augmentation: string;
}

/** Images per step of that training, at most. */
const batch = 256;

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * A network beside a run that is drawn afresh every `outerLoop` outer steps and trained on the current set in between (the
 * source of networks of gradient matching).
 */
export class TrainedAlong {
  #started = false;

  private constructor(
    private readonly options: TrainingAlong,
    readonly networks: TrainOnItems,
  ) {}

  /** `tensors` are those of the outer step: its `theta`, the variables that items are decoded from and their `labels`. */
  static async create(
    setting: Setting,
    options: TrainingAlong,
    tensors: Tensors,
    owned: Owned,
  ): Promise<TrainedAlong> {
    const { outerLoop, innerLoop, networkLr, augmentation } = options;
    const training: MinibatchTraining = {
      optimizer: { kind: 'sgd' },
      loss: 'cross-entropy',
      batch,
      // One more than is ever taken, so that a table of rates is never empty.
      epochs: Math.max(1, (outerLoop - 1) * innerLoop),
      schedule: { kind: 'constant' },
    };
    const how = { members: 1, training, rate: networkLr, augmentation };
    return new TrainedAlong(options, await TrainOnItems.create(setting, how, tensors, owned));
  }

  /** Brings the network to where outer step `step` finds it, from where the step before left it. */
  async before(step: number, signal?: AbortSignal): Promise<void> {
    const { outerLoop, innerLoop } = this.options;
    const [number, position] = [Math.floor(step / outerLoop), step % outerLoop];
    if (position === 0) return this.networks.draw(number, signal);
    const steps = innerLoop * this.networks.perEpoch;
    if (position === 1 || !this.#started) await this.networks.at(number, (position - 1) * steps);
    this.#started = true;
    await this.networks.train(steps, signal);
  }

  /** After `theta` was written from elsewhere. */
  forget(): void {
    this.#started = false;
  }
}
