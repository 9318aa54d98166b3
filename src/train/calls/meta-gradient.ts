import type { Device } from '../../engine/device.js';
import { type Program, Recorder } from '../../engine/program.js';
import type { Network } from '../../networks/index.js';
import { atOnce, type InPieces } from '../../util/breathe.js';
import { LimbeckError } from '../../util/errors.js';
import { expectArgument, expectOptions, shown } from '../../util/expect.js';
import { type Keep, keeps } from '../hypergradient.js';
import { type LossName, lossOf } from '../loss.js';
import { resolveOptimizer, type Training } from '../training.js';
import { unrolledInPieces } from '../unrolled.js';
import { answersTo, type Call, type CallOptions, type Floats, Given, meanOf } from './call.js';
import { type InnerStepsOptions, innerStepsOf } from './inner-steps.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface MetaGradientOptions extends CallOptions, InnerStepsOptions {
  /** `[B, C, H, W]` */
  readonly realImages: ArrayLike<number>;
  /** `[B, K]` */
  readonly realLabels: ArrayLike<number>;
  /** Loss on the real batch; default cross-entropy. */
  readonly outerLoss?: LossName | undefined;
  /**
   * Only the last so many inner steps are differentiated, from the state to which the others led: as if that were given. Default
   * `steps * epochs`, all of them. Gradients of what only earlier steps used, `parameters` among it, are 0.
   */
  readonly window?: number | undefined;
  /** Whether the gradient with respect to `parameters` is wanted too; default false. */
  readonly parametersGradient?: boolean | undefined;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface MetaGradient {
  /** Mean loss on the real batch after training, averaged over the population. */
  readonly loss: number;
  /** `[P]` */
  readonly losses: Floats;
  /** Gradients of `loss`, of the same shapes as the inputs. */
  readonly images: Floats;
  /** `[steps, n, K]`. */
  readonly labels: Floats;
  /** `[steps * epochs]` or `[1]`. */
  readonly learningRates: Floats;
  /** `[P, count]` after training. */
  readonly parameters: Floats;
  /** `[P, count]`: gradient of `loss` with respect to the parameters before training, where it was asked for. */
  readonly parametersGradient?: Floats;
}

/** Sizes of a meta-gradient: what its program depends on. */
export interface MetaGradientGeometry {
  /** The network that is trained. */
  readonly network: Network;
  /** Networks, P. */
  readonly members: number;
  /** Distilled images per step. */
  readonly n: number;
  /** Real images. */
  readonly B: number;
  /** Batches of distilled images. */
  readonly steps: number;
  /** Times the batches are gone through. */
  readonly epochs: number;
  /** 1 where all inner steps share a learning rate; default `steps * epochs`. */
  readonly rates?: number;
  /** Default plain SGD on cross-entropy. */
  readonly training?: Training;
  /** Default cross-entropy. */
  readonly outerLoss?: LossName;
  /** Which inner steps are not computed again on the way back; default `small`. */
  readonly keep?: Keep;
  /** How many of the last inner steps are differentiated; default all. */
  readonly window?: number;
  /** Whether the gradient with respect to the parameters is computed too; default false. */
  readonly parametersGradient?: boolean;
}

/**
 * The program behind `metaGradient`: to print, to count its bytes, or to load it elsewhere.
 *
 * @throws ERR_OPTION for a geometry that is none, or values out of range
 */
export function recordMetaGradient(geometry: MetaGradientGeometry): Program {
  checkGeometry(geometry);
  return atOnce(record(geometry));
}

/** ERR_OPTION for sizes that are none, and for what `metaGradient` refuses. */
function checkGeometry(geometry: MetaGradientGeometry): void {
  const where = 'recordMetaGradient';
  expectOptions(where, geometry, {
    network: true,
    members: true,
    n: true,
    B: true,
    steps: true,
    epochs: true,
    rates: true,
    training: true,
    outerLoss: true,
    keep: true,
    window: true,
    parametersGradient: true,
  } satisfies Record<keyof MetaGradientGeometry, true>);
  const { network, steps, epochs, rates, training, outerLoss, keep, window, parametersGradient } = geometry;
  expectArgument(where, 'network', network, 'forward', 'a network, as `createNetwork(options)` gives it');
  const given = new Given(where, geometry, network);
  for (const name of ['members', 'n', 'B', 'steps', 'epochs'] as const) given.whole(name);
  const T = steps * epochs;
  if (rates !== undefined && rates !== 1 && rates !== T)
    throw new LimbeckError(
      'ERR_OPTION',
      `${where}: rates is ${shown(rates)}, expected 1, or ${T} (steps * epochs)`,
    );
  if (training !== undefined) {
    expectArgument(where, 'training', training, 'optimizer', 'an object with optimizer and loss');
    resolveOptimizer(training.optimizer, `${where}: training.optimizer`);
    lossOf(training.loss, `${where}: training.loss`);
  }
  if (outerLoss !== undefined) lossOf(outerLoss, `${where}: outerLoss`);
  if (keep !== undefined) given.oneOf('keep', keeps);
  if (window !== undefined) given.whole('window', T, 'steps * epochs');
  if (parametersGradient !== undefined) given.truth('parametersGradient');
}

function* record(geometry: MetaGradientGeometry): InPieces<Program> {
  const { network, members, n, B, steps, epochs, training, outerLoss, keep, window } = geometry;
  const r = new Recorder('meta-gradient');
  const K = network.classes;
  const theta = r.external('parameters', members, [network.count]);
  const images = r.external('images', 1, [steps, n, ...network.inputShape]);
  const labels = r.external('labels', 1, [steps, n, K]);
  const rates = r.external('learningRates', 1, [geometry.rates ?? steps * epochs]);
  const real = {
    x: r.external('realImages', 1, [B, ...network.inputShape]),
    y: r.external('realLabels', 1, [B, K]),
  };
  const loop = { network, theta, images, labels, rates, steps, epochs, training };
  const results = {
    losses: r.external('losses', members, [1]),
    images: r.external('imagesBar', 1, images.shape),
    labels: r.external('labelsBar', 1, labels.shape),
    rates: r.external('learningRatesBar', 1, rates.shape),
    trained: { theta: r.external('trained', members, [network.count]) },
    theta: geometry.parametersGradient ? r.external('parametersBar', members, [network.count]) : undefined,
  };
  yield* unrolledInPieces(r, members, loop, real, results, { outerLoss, keep, window });
  yield;
  return r.program();
}

const call: Call<MetaGradientOptions, MetaGradientGeometry> = {
  name: 'metaGradient',
  known: {
    network: true,
    parameters: true,
    images: true,
    labels: true,
    learningRates: true,
    steps: true,
    epochs: true,
    realImages: true,
    realLabels: true,
    optimizer: true,
    loss: true,
    outerLoss: true,
    keep: true,
    window: true,
    parametersGradient: true,
    signal: true,
  },
  inputs: ['parameters', 'images', 'labels', 'learningRates', 'realImages', 'realLabels'],

  sizesOf({ outerLoss, window, parametersGradient }, given) {
    const inner = innerStepsOf(given);
    if (outerLoss !== undefined) lossOf(outerLoss, `${given.call}: outerLoss`);
    if (parametersGradient !== undefined) given.truth('parametersGradient');
    if (window !== undefined) given.whole('window', inner.steps * inner.epochs, 'steps * epochs');
    const B = given.rows('realImages', given.pixels, '[B, C, H, W]');
    given.exactly('realLabels', B * given.network.classes, '[B, K]');
    return { ...inner, B, outerLoss, window, parametersGradient };
  },

  record,
};

/**
 * The exact gradient of the loss after training on distilled data, with respect to that data: for tools that bring
 * their own outer loop. It is that of Wang et al. 2018 through all inner steps, by one tangent pass for each in the place of a
 * tape: memory grows by one parameter vector per step; the last step and small ones, up to 128 MiB, are kept whole
 * beside it (`keep`). Calls of the same sizes record and load a program once.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together; ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was
 * lost
 */
export async function metaGradient(device: Device, options: MetaGradientOptions): Promise<MetaGradient> {
  const answers = await answersTo(call, device, options);
  const { losses, imagesBar, labelsBar, learningRatesBar, trained, parametersBar } = answers;
  return {
    loss: meanOf(losses),
    losses,
    images: imagesBar,
    labels: labelsBar,
    learningRates: learningRatesBar,
    parameters: trained,
    parametersGradient: parametersBar,
  };
}
