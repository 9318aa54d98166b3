import type { Dataset } from '../data/dataset.js';
import { LimbeckError } from '../util/errors.js';
import type { CheckpointExtra } from './checkpoint-extra.js';
import type { Checkpoint } from './distillation.js';
import { storedOptions } from './options.js';
import { planFor } from './setting.js';

/** What a folder holds of a run that can go on. */
export interface Saved {
  readonly checkpoint: Checkpoint;
  readonly extra: CheckpointExtra;
}

/**
 * The same run with another number of outer steps, from where it stands. Where rates do not follow from that number (a constant
 * schedule, SGD with momentum) it goes on as if it had been begun with it; else the rest of their course is that of the longer run.
 * It does not end early: whoever asks for more steps has more patience.
 * Throws ERR_OPTION for a number that is not beyond where it stands.
 */
export function extended({ checkpoint, extra }: Saved, iterations: number, dataset: Dataset): Saved {
  if (!Number.isSafeInteger(iterations) || iterations <= checkpoint.iteration)
    throw new LimbeckError(
      'ERR_OPTION',
      `iterations is ${iterations}, expected a whole number above the ${checkpoint.iteration} outer steps that are done`,
    );
  const options = storedOptions({ ...checkpoint.options, iterations, patience: 0 });
  planFor(options, dataset);
  const before = { iteration: checkpoint.iteration, iterations: checkpoint.options.iterations };
  const continued = [...(extra.config.continued ?? []), before];
  return {
    checkpoint: { ...checkpoint, options },
    extra: { ...extra, config: { ...extra.config, options, continued } },
  };
}
