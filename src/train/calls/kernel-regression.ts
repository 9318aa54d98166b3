import type { Device } from '../../engine/device.js';
import * as reduce from '../../engine/ops/reduce.js';
import { type Program, Recorder } from '../../engine/program.js';
import { copyInto } from '../groups.js';
import { recordKernelRegression } from '../kernel-regression.js';
import { answersTo, type Call, type CallGeometry, type CallOptions, type Floats, meanOf } from './call.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface KernelRegressionOptions extends CallOptions {
  /** `[n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[n, K]`: any numbers; centred ones, without a mean over the classes, where no class is to be expected. */
  readonly labels: ArrayLike<number>;
  /** `[B, C, H, W]` */
  readonly realImages: ArrayLike<number>;
  /** `[B, K]`: what is to be predicted, as `labels`. */
  readonly realLabels: ArrayLike<number>;
  /**
   * What is added to the diagonal of the kernel of the images, as a part of its mean; at least 0. KIP and FRePo take 1e-6. The numbers of
   * `cpu` and `webgpu` lose about as many digits as it has zeros.
   */
  readonly ridge: number;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface KernelRegression {
  /** Mean of `losses`. */
  readonly loss: number;
  /** `[P]`: half the squared error of each network's predictions, summed over the classes, the mean over the real images. */
  readonly losses: Floats;
  /** `[n, C, H, W]`: gradient of `loss`. */
  readonly images: Floats;
  /** `[n, K]`: gradient of `loss`. */
  readonly labels: Floats;
}

interface Geometry extends CallGeometry {
  readonly n: number;
  readonly B: number;
  readonly ridge: number;
}

const call: Call<KernelRegressionOptions, Geometry> = {
  name: 'kernelRegression',
  known: {
    network: true,
    parameters: true,
    images: true,
    labels: true,
    realImages: true,
    realLabels: true,
    ridge: true,
    signal: true,
  },
  inputs: ['parameters', 'images', 'labels', 'realImages', 'realLabels'],

  sizesOf(_, given) {
    const ridge = given.notNegative('ridge');
    const { classes } = given.network;
    const n = given.rows('images', given.pixels, '[n, C, H, W]');
    const B = given.rows('realImages', given.pixels, '[B, C, H, W]');
    given.exactly('labels', n * classes, '[n, K]');
    given.exactly('realLabels', B * classes, '[B, K]');
    return { n, B, ridge };
  },

  record({ network, members: P, n, B, ridge }): Program {
    const r = new Recorder('kernel-regression');
    const theta = r.external('parameters', P, [network.count]);
    const batch = (images: string, labels: string, N: number) => ({
      images: r.external(images, 1, [N, ...network.inputShape]),
      labels: r.external(labels, 1, [N, network.classes]),
    });
    const own = batch('images', 'labels', n);
    const real = batch('realImages', 'realLabels', B);
    const losses = r.external('losses', P, [1]);
    const bars = batch('imagesBar', 'labelsBar', n);
    const regressed = recordKernelRegression(r, { network, theta, ...own, real, ridge });
    copyInto(r, regressed.losses, losses);
    for (const name of ['images', 'labels'] as const)
      reduce.members(r, { x: regressed[name] }, 1 / P, { into: bars[name] });
    return r.program();
  },
};

/**
 * How well kernel ridge regression on images predicts the labels of real ones, and the exact gradient of that with respect to the
 * images and their labels: what FRePo minimises (Zhou, Nezhadarya & Ba 2022). The kernel of two images is the inner product of their
 * features, what enters the last layer of the network, which must be fully connected. Nothing flows into the networks or into the
 * features of the real images.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such. The kernel with its ridge may not be positive definite: where there
 * are more images than features and no ridge, or by rounding. The answers are then NaN or without meaning. A larger ridge helps.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together, or a network without a classifier;
 * ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was lost
 */
export async function kernelRegression(
  device: Device,
  options: KernelRegressionOptions,
): Promise<KernelRegression> {
  const { losses, imagesBar, labelsBar } = await answersTo(call, device, options);
  return { loss: meanOf(losses), losses, images: imagesBar, labels: labelsBar };
}
