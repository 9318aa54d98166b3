import type { Device } from '../../engine/device.js';
import { type Program, Recorder } from '../../engine/program.js';
import type { InPieces } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import type { Keep } from '../hypergradient.js';
import { resolveOptimizer, type Training } from '../training.js';
import { matchingInPieces, type TrajectoryGradient, trajectoryGradients } from '../trajectory-matching.js';
import { answersTo, type Call, type CallGeometry, type Floats, meanOf } from './call.js';
import { type InnerStepsOptions, innerStepsOf } from './inner-steps.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface TrajectoryMatchingOptions extends InnerStepsOptions {
  /** `[P, count]`: where training starts, such as at a snapshot of an expert; in PyTorch's parameter order. */
  readonly start: ArrayLike<number>;
  /** `[P, count]`: where it should end, such as at a later snapshot of the same expert. */
  readonly target: ArrayLike<number>;
  /**
   * Default `exact`. `tesla` takes the gradients of later steps for constants, as TESLA (Cui et al. 2023) does: cheaper, exact for the
   * last step alone, and defined for plain SGD only.
   */
  readonly gradient?: TrajectoryGradient | undefined;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface TrajectoryMatching {
  /** Mean of `losses`. */
  readonly loss: number;
  /** `[P]`: squared distance to the target after training, in units of that before. */
  readonly losses: Floats;
  /** `[steps, n, C, H, W]`: gradient of `loss`. */
  readonly images: Floats;
  /** `[steps, n, K]`: gradient of `loss`. */
  readonly labels: Floats;
  /** `[steps * epochs]` or `[1]`: gradient of `loss`. */
  readonly learningRates: Floats;
  /** `[P, count]`: where training ended. */
  readonly parameters: Floats;
}

interface Geometry extends CallGeometry {
  readonly n: number;
  readonly steps: number;
  readonly epochs: number;
  readonly rates: number;
  readonly training: Training;
  readonly gradient?: TrajectoryGradient;
  readonly keep?: Keep;
}

const call: Call<TrajectoryMatchingOptions, Geometry> = {
  name: 'trajectoryMatching',
  known: {
    network: true,
    start: true,
    target: true,
    images: true,
    labels: true,
    learningRates: true,
    steps: true,
    epochs: true,
    optimizer: true,
    loss: true,
    gradient: true,
    keep: true,
    signal: true,
  },
  inputs: ['start', 'target', 'images', 'labels', 'learningRates'],

  sizesOf({ start, gradient }, given) {
    const inner = innerStepsOf(given);
    const { kind, weightDecay } = resolveOptimizer(inner.training.optimizer);
    if (gradient !== undefined) given.oneOf('gradient', trajectoryGradients);
    if (gradient === 'tesla' && (kind !== 'sgd' || weightDecay > 0))
      throw new LimbeckError(
        'ERR_OPTION',
        `trajectoryMatching: gradient tesla is defined for sgd without weight decay, given ${kind} with a weight decay of ` +
          `${weightDecay}; gradient exact is for every optimizer`,
      );
    given.exactly('target', start.length, 'as many as start');
    return { ...inner, gradient };
  },

  *record({ network, members, n, steps, epochs, training, gradient, keep, ...geometry }): InPieces<Program> {
    const r = new Recorder('trajectory-matching');
    const perNetwork = (slot: string, shape: readonly number[]) => r.external(slot, members, shape);
    const theta = perNetwork('start', [network.count]);
    const target = perNetwork('target', [network.count]);
    const images = r.external('images', 1, [steps, n, ...network.inputShape]);
    const labels = r.external('labels', 1, [steps, n, network.classes]);
    const rates = r.external('learningRates', 1, [geometry.rates]);
    const loop = { network, theta, images, labels, rates, steps, epochs, training };
    const results = {
      losses: perNetwork('losses', [1]),
      images: r.external('imagesBar', 1, images.shape),
      labels: r.external('labelsBar', 1, labels.shape),
      rates: r.external('learningRatesBar', 1, rates.shape),
      trained: perNetwork('trained', [network.count]),
    };
    yield* matchingInPieces(r, members, loop, target, results, { gradient, keep });
    yield;
    return r.program();
  },
};

/**
 * The gradient of trajectory matching (Cazenavette et al. 2022): networks are trained on distilled data from `start`, and
 * `|theta[T] - target|² / |start - target|²` is differentiated through all inner steps, by one tangent pass for each in the place of a
 * tape. Memory grows by one parameter vector per step; the last step and small ones, up to 128 MiB, are kept whole beside it (`keep`).
 * Calls of the same sizes record and load a program once.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such, and so does a start that is its target.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together; ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was
 * lost
 */
export async function trajectoryMatching(
  device: Device,
  options: TrajectoryMatchingOptions,
): Promise<TrajectoryMatching> {
  const answers = await answersTo(call, device, options);
  const { losses, imagesBar, labelsBar, learningRatesBar, trained } = answers;
  return {
    loss: meanOf(losses),
    losses,
    images: imagesBar,
    labels: labelsBar,
    learningRates: learningRatesBar,
    parameters: trained,
  };
}
