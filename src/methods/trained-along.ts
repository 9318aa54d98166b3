import type { Tensor } from '../engine/device.js';
import type { Owned } from '../util/owned.js';
import type { Setting } from './method.js';
import type { Beside } from './recorded.js';
import { Trainee } from './trainee.js';

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

/**
 * A network beside a run that is drawn afresh every `outerLoop` outer steps and trained on the current set in between: the
 * source of networks of gradient matching. `tensors` are those of the outer step.
 */
export async function trainedAlong(
  setting: Setting,
  { outerLoop, innerLoop, networkLr: rate, augmentation }: TrainingAlong,
  tensors: Readonly<Record<string, Tensor>>,
  owned: Owned,
): Promise<Beside> {
  const training = {
    optimizer: { kind: 'sgd' },
    loss: 'cross-entropy',
    batch,
    // One more than is ever taken, so that a table of rates is never empty.
    epochs: Math.max(1, (outerLoop - 1) * innerLoop),
    schedule: { kind: 'constant' },
  } as const;
  const trainee = await Trainee.create(setting, { training, rate, augmentation }, tensors, owned);
  const steps = innerLoop * trainee.perEpoch;
  return {
    programs: trainee.programs,
    executables: trainee.executables,
    tensors: trainee.tensors,
    async before(step, signal) {
      const [network, position] = [Math.floor(step / outerLoop), step % outerLoop];
      if (position === 0) return trainee.draw(network, signal);
      await trainee.train(network, (position - 1) * steps, steps, signal);
    },
  };
}
