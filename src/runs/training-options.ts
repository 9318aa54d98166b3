import { lossOf } from '../train/loss.js';
import type { MinibatchTraining } from '../train/minibatch.js';
import { expectedSchedule } from '../train/schedule.js';
import { isAdam, resolveOptimizer } from '../train/training.js';
import { LimbeckError } from '../util/errors.js';
import { shown, written } from '../util/expect.js';

/** Options of ordinary training on a whole split, whatever the networks are for. */

/** Names of these options, for the tables of what a function takes. */
export const minibatchNames = {
  optimizer: true,
  loss: true,
  batch: true,
  epochs: true,
  schedule: true,
  restart: true,
} satisfies Record<keyof MinibatchTraining, true>;

/** Training with every option filled in; ERR_OPTION for what is unknown or out of range. */
export function resolveMinibatches(
  given: Partial<MinibatchTraining>,
  defaults: Required<MinibatchTraining>,
): Required<MinibatchTraining> {
  const training: Required<MinibatchTraining> = {
    optimizer: given.optimizer ?? defaults.optimizer,
    loss: given.loss ?? defaults.loss,
    batch: given.batch ?? defaults.batch,
    epochs: given.epochs ?? defaults.epochs,
    schedule: given.schedule ?? defaults.schedule,
    restart: given.restart ?? defaults.restart,
  };
  resolveOptimizer(training.optimizer);
  lossOf(training.loss);
  checkPositive('batch', training.batch, true);
  checkPositive('epochs', training.epochs, true);
  const expected = expectedSchedule(training.schedule);
  if (expected)
    throw new LimbeckError('ERR_OPTION', `schedule is ${written(training.schedule)}, expected ${expected}`);
  if (typeof training.restart !== 'boolean')
    throw new LimbeckError('ERR_OPTION', `restart is ${shown(training.restart)}, expected true or false`);
  return training;
}

/** The first rate: what was given, else 0.001 for `adam` and `adamw` and `usual` for the others; ERR_OPTION unless above 0. */
export function resolveRate(
  given: number | undefined,
  { optimizer }: MinibatchTraining,
  usual: number,
): number {
  const rate = given ?? (isAdam(optimizer.kind) ? 0.001 : usual);
  checkPositive('learningRate', rate);
  return rate;
}

export function checkPositive(name: string, value: number, whole = false): void {
  if (!(value > 0 && Number.isFinite(value)) || (whole && !Number.isInteger(value)))
    throw new LimbeckError(
      'ERR_OPTION',
      `${name} is ${shown(value)}, expected a ${whole ? 'whole ' : ''}number above 0`,
    );
}

export function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new LimbeckError('ERR_OPTION', `seed is ${shown(seed)}, expected a whole number of at least 0`);
}

/** ERR_DIVERGED where parameters are not finite after an epoch of training on `data`. */
export function checkFinite(theta: Float32Array, data: string, epoch: number, learningRate: number): void {
  if (theta.every(Number.isFinite)) return;
  throw new LimbeckError(
    'ERR_DIVERGED',
    `training on ${data} diverged in epoch ${epoch}: parameters are not finite; a learning rate below ${learningRate} may help`,
  );
}
