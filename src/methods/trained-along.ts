import type { Tensor } from '../engine/device.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import type { Owned } from '../util/owned.js';
import type { Setting } from './method.js';
import type { Beside } from './recorded.js';
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

/**
 * A network beside a run that is drawn afresh every `outerLoop` outer steps and trained on the current set in between: the source of
 * networks of gradient matching. `tensors` are those of the outer step.
 */
export async function trainedAlong(
  setting: Setting,
  { outerLoop, innerLoop, networkLr: rate, augmentation }: TrainingAlong,
  tensors: Readonly<Record<string, Tensor>>,
  owned: Owned,
): Promise<Beside> {
  const training: MinibatchTraining = {
    optimizer: { kind: 'sgd' },
    loss: 'cross-entropy',
    batch,
    // At least one, which nobody takes where no step lies between two outer ones: a table of rates is never empty.
    epochs: Math.max(1, (outerLoop - 1) * innerLoop),
    schedule: { kind: 'constant' },
  };
  const how = { members: 1, training, rate, augmentation };
  const networks = await TrainOnItems.create(setting, how, tensors, owned);
  const steps = innerLoop * networks.perEpoch;
  return {
    programs: networks.programs,
    executables: networks.executables,
    tensors: networks.tensors,
    async before(step, signal) {
      const [number, position] = [Math.floor(step / outerLoop), step % outerLoop];
      if (position === 0) return networks.draw(number, signal);
      await networks.at(number, (position - 1) * steps);
      await networks.train(steps, signal);
    },
  };
}
