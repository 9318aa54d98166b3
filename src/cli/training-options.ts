import { lossNames } from '../train/loss.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import { type Schedule, scheduleKinds } from '../train/schedule.js';
import { type OptimizerOptions, optimizerKinds } from '../train/training.js';
import type { Values } from './arguments.js';
import type { Option } from './options.js';

/** Options of ordinary training on all training images, alike for every command that does it. */

export const text = (name: string, value: string, help: string, fallback: string): Option => ({
  name,
  kind: 'text',
  value,
  help,
  fallback,
});
const number = (name: string, help: string, fallback: string): Option => ({
  name,
  kind: 'number',
  value: 'X',
  help,
  fallback,
});
export const whole = (name: string, least: number, help: string, fallback: string): Option => ({
  name,
  kind: 'whole',
  least,
  value: 'N',
  help,
  fallback,
});

/** What the options are unless given, for the help. */
type Fallbacks = Readonly<
  Record<'epochs' | 'batch' | 'optimizer' | 'lr' | 'weightDecay' | 'schedule', string>
>;

export const trainingOptions = (usual: Fallbacks): readonly Option[] => [
  whole('epochs', 1, 'passes over the training images', usual.epochs),
  whole('batch', 1, 'images per step', usual.batch),
  text('optimizer', optimizerKinds.join('|'), 'optimiser', usual.optimizer),
  number('lr', 'first learning rate', usual.lr),
  number('momentum', 'of momentum and nesterov', '0.9'),
  number('weightDecay', 'added to the gradient, times the weights; decoupled for adamw', usual.weightDecay),
  text('schedule', scheduleKinds.join('|'), 'course of the learning rate', usual.schedule),
  text('loss', lossNames.join('|'), 'loss', 'cross-entropy'),
  whole('seed', 0, 'of everything random', '0'),
];

/** What was given of them, as the library takes it; `usual` is the optimiser where none is named. */
export function trainingGiven(
  values: Values,
  usual: OptimizerOptions,
): Partial<MinibatchTraining> & { readonly learningRate?: number; readonly seed?: number } {
  const { epochs, batch, loss, seed } = values as Partial<MinibatchTraining> & { seed?: number };
  const {
    lr,
    momentum,
    optimizer: kind = usual.kind,
    weightDecay = usual.weightDecay,
    schedule,
  } = values as {
    lr?: number;
    momentum?: number;
    optimizer?: OptimizerOptions['kind'];
    weightDecay?: number;
    schedule?: Schedule['kind'];
  };
  return {
    ...{ epochs, batch, loss, seed, learningRate: lr },
    optimizer: { kind, momentum, weightDecay },
    schedule: schedule && { kind: schedule },
  };
}
