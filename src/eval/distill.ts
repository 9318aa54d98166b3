import type { Dataset } from '../data/dataset.js';
import { SplitOnDevice } from '../data/on-device.js';
import type { Device, Numbers } from '../engine/device.js';
import { type DistilledArrays, OuterLoop } from '../methods/outer-loop.js';
import { LimbeckError } from '../util/errors.js';
import type { DistilledSet } from './evaluate.js';
import { Evaluator, heldOutNetworks } from './evaluator.js';
import { type DistillOptions, outerLoopOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { median } from './statistics.js';

/** One point of a run's curves. */
export interface CurvePoint {
  readonly iteration: number;
  /** Outer loss of the last step before this point. */
  readonly loss: number;
  /** Percent, mean over the validation networks. */
  readonly validationAccuracy: number;
  readonly learningRates: readonly number[];
}

export interface Progress {
  readonly iteration: number;
  readonly iterations: number;
  readonly loss: number;
  /** Percent; undefined before the first look at the validation split. */
  readonly validationAccuracy?: number;
  readonly stepsPerSecond: number;
  readonly secondsLeft: number;
}

/** The whole state of a run at a point of its curve. */
export interface Checkpoint {
  readonly options: ResolvedOptions;
  readonly iteration: number;
  readonly curve: readonly CurvePoint[];
  /** Seconds spent so far, over all pieces of the run. */
  readonly seconds: number;
  /** Tensors of the outer loop. */
  readonly state: Readonly<Record<string, Numbers>>;
  readonly best: {
    readonly iteration: number;
    readonly validationAccuracy: number;
    readonly distilled: DistilledArrays;
  };
}

export interface DistillControl {
  /** Stops after the current piece of work; the result then holds what there is and says `stopped`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: Progress) => void;
  /** Called at every look at the validation split; awaited, so that a write can finish first. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>;
  /** Goes on from here, to the same bits as if it had never stopped. */
  readonly resume?: Checkpoint;
}

export interface Distillation {
  /** The distilled data of the best look at the validation split. */
  readonly set: DistilledSet;
  readonly options: ResolvedOptions;
  readonly curve: readonly CurvePoint[];
  readonly best: { readonly iteration: number; readonly validationAccuracy: number };
  readonly outerSteps: number;
  readonly seconds: number;
  /** Wall time of an outer step. */
  readonly stepMilliseconds: { readonly median: number; readonly min: number };
  /** Whether it was stopped before its last iteration. */
  readonly stopped: boolean;
}

/** Wall time one uninterruptible piece of work should take: short enough for progress and Ctrl-C. */
const pieceMilliseconds = 250;

/**
 * Distils the training split of a data set; the best result is chosen on the validation split. The test split is not
 * touched: see `evaluate`. Throws ERR_DIVERGED when the loss stops being a number.
 */
export async function distill(
  device: Device,
  dataset: Dataset,
  given: DistillOptions = {},
  { signal, onProgress, onCheckpoint, resume }: DistillControl = {},
): Promise<Distillation> {
  const options = resume ? resume.options : resolveOptions(given);
  const loopOptions = outerLoopOptions(options, dataset);
  const { network } = loopOptions;
  const train = await SplitOnDevice.upload(device, dataset, dataset.train);
  const loop = await OuterLoop.create(device, loopOptions, train);
  let evaluator: Evaluator | undefined;
  try {
    if (resume) await loop.restore(resume.iteration, resume.state);
    const initialParameters = options.init === 'fixed' ? await loop.initialParameters() : undefined;
    const setOf = (distilled: DistilledArrays): DistilledSet => ({
      ...distilled,
      network: { name: network.name, inputShape: dataset.imageShape, classes: dataset.classes },
      init: options.init,
      steps: options.steps,
      epochs: options.epochs,
      ipc: options.ipc,
      seed: options.seed,
      initialParameters,
    });
    const first = await loop.distilled();
    // Other draws than the test's, which count from 0.
    const networks =
      initialParameters ?? (await heldOutNetworks(device, network, 4, options.seed, 0xffff_0000));
    evaluator = await Evaluator.create(device, dataset, dataset.validation, {
      network,
      members: networks.length / network.count,
      imageMembers: 1,
      rateMembers: 1,
      steps: options.steps,
      epochs: options.epochs,
      n: options.ipc * network.classes,
    });
    const validate = async (distilled: DistilledArrays): Promise<number> => {
      const set = { ...distilled, imageMembers: 1, rateMembers: 1 };
      const values = await evaluator!.run(set, networks);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };

    const curve: CurvePoint[] = [...(resume?.curve ?? [])];
    let best: Checkpoint['best'] = resume?.best ?? { iteration: 0, validationAccuracy: 0, distilled: first };
    const times: number[] = [];
    const started = performance.now();
    const firstIteration = loop.iteration;
    const wall = () => (performance.now() - started) / 1000;
    const seconds = () => (resume?.seconds ?? 0) + wall();
    let loss = curve.at(-1)?.loss ?? Number.NaN;
    let piece = 1;

    while (loop.iteration < options.iterations && !signal?.aborted) {
      const untilLook = options.validateEvery - (loop.iteration % options.validateEvery);
      const count = Math.min(piece, untilLook, options.iterations - loop.iteration);
      const before = performance.now();
      loss = await loop.run(count);
      const milliseconds = (performance.now() - before) / count;
      times.push(milliseconds);
      piece = Math.max(1, Math.floor(pieceMilliseconds / milliseconds));
      if (!Number.isFinite(loss)) throw diverged(`the loss is ${loss}`, loop.iteration);
      const finished = loop.iteration === options.iterations;
      if (loop.iteration % options.validateEvery === 0 || finished) {
        const distilled = await loop.distilled();
        if (![...distilled.images, ...distilled.labels, ...distilled.learningRates].every(Number.isFinite))
          throw diverged('a distilled value is not a number', loop.iteration);
        const validationAccuracy = await validate(distilled);
        curve.push({
          iteration: loop.iteration,
          loss,
          validationAccuracy,
          learningRates: [...distilled.learningRates],
        });
        if (validationAccuracy > best.validationAccuracy)
          best = { iteration: loop.iteration, validationAccuracy, distilled };
        const { iteration } = loop;
        await onCheckpoint?.({
          options,
          iteration,
          curve: [...curve],
          seconds: seconds(),
          state: await loop.state(),
          best,
        });
      }
      const perStep = median(times.slice(-20));
      onProgress?.({
        iteration: loop.iteration,
        iterations: options.iterations,
        loss,
        validationAccuracy: curve.at(-1)?.validationAccuracy,
        stepsPerSecond: 1000 / perStep,
        secondsLeft: (options.iterations - loop.iteration) * (wall() / (loop.iteration - firstIteration)),
      });
    }

    const stopped = loop.iteration < options.iterations;
    let result = best;
    if (stopped) {
      const { iteration } = loop;
      // What there is: the best so far, or the present state when nothing was looked at yet. The checkpoint keeps the
      // best of regular looks only, so that a resumed run ends like one that was never stopped.
      if (!curve.length) {
        const distilled = await loop.distilled();
        result = { iteration, validationAccuracy: await validate(distilled), distilled };
      }
      await onCheckpoint?.({
        options,
        iteration,
        curve: [...curve],
        seconds: seconds(),
        state: await loop.state(),
        best,
      });
    }
    return {
      set: setOf(result.distilled),
      options,
      curve,
      best: { iteration: result.iteration, validationAccuracy: result.validationAccuracy },
      outerSteps: loop.iteration,
      seconds: seconds(),
      stepMilliseconds: { median: median(times), min: Math.min(...times) },
      stopped,
    };
  } finally {
    evaluator?.dispose();
    loop.dispose();
    train.dispose();
  }
}

function diverged(what: string, iteration: number): LimbeckError {
  return new LimbeckError(
    'ERR_DIVERGED',
    `${what} after ${iteration} outer steps, expected finite numbers; the last checkpoint is intact: ` +
      'start again with a smaller lr or innerLr, or with a clip',
  );
}
