import { type Keep, keeps } from '../hypergradient.js';
import { type LossName, lossOf } from '../loss.js';
import { type OptimizerOptions, plainTraining, resolveOptimizer } from '../training.js';
import type { Given, NetworkCallOptions } from './call.js';

/** What calls that train on distilled data are given. */
export interface InnerStepsOptions extends NetworkCallOptions {
  /** `[steps, n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[steps, n, K]`, hard or soft. */
  readonly labels: ArrayLike<number>;
  /** `[steps * epochs]`: inner step t trains on batch `t mod steps` with its own rate; `[1]`: one rate for all steps. */
  readonly learningRates: ArrayLike<number>;
  /** Batches of distilled images. */
  readonly steps: number;
  /** Times the batches are gone through. */
  readonly epochs: number;
  /** What trains the networks; default plain SGD. */
  readonly optimizer?: OptimizerOptions | undefined;
  /** Loss of the inner steps; default cross-entropy. */
  readonly loss?: LossName | undefined;
  /**
   * Which inner steps are not computed again on the way back: `small` ones and the last (default), `none`, or `all`,
   * which is fastest and takes as much memory as a tape. `sqrt` keeps only one in √T parameter vectors, and computes the steps between
   * them again, large ones twice.
   */
  readonly keep?: Keep | undefined;
}

/** The training and its sizes, checked. */
export function innerStepsOf<O extends InnerStepsOptions>(given: Given<O>) {
  const { learningRates, optimizer, loss, keep } = given.options;
  const training = {
    optimizer: optimizer === undefined ? plainTraining.optimizer : optimizer,
    loss: loss === undefined ? plainTraining.loss : loss,
  };
  resolveOptimizer(training.optimizer, `${given.call}: optimizer`);
  lossOf(training.loss, `${given.call}: loss`);
  if (keep !== undefined) given.oneOf('keep', keeps);
  const [steps, epochs] = [given.whole('steps'), given.whole('epochs')];
  const n = given.rows('images', steps * given.pixels, '[steps, n, C, H, W]');
  given.exactly('labels', steps * n * given.network.classes, '[steps, n, K]');
  const rates = learningRates?.length === 1 ? 1 : steps * epochs;
  given.exactly('learningRates', rates, '[steps * epochs], or [1]: one for all');
  return { n, steps, epochs, rates, training, keep };
}
