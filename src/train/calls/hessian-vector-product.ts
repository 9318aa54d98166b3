import type { Device } from '../../engine/device.js';
import * as reduce from '../../engine/ops/reduce.js';
import { type Program, Recorder } from '../../engine/program.js';
import { copyInto } from '../groups.js';
import { type LossName, lossOf } from '../loss.js';
import { answersTo, type Call, type CallGeometry, type CallOptions, type Floats, meanOf } from './call.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface HessianVectorProductOptions extends CallOptions {
  /** `[n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[n, K]`, hard or soft. */
  readonly labels: ArrayLike<number>;
  /** `[P, count]`: v, a direction of the parameters for each network. */
  readonly vector: ArrayLike<number>;
  /** The mean over the images of this is differentiated; default cross-entropy. */
  readonly loss?: LossName | undefined;
}

/**
 * Of every network by itself, nothing is summed over the population. Float32Array on `cpu` and `webgpu`; Float64Array on
 * `reference`, which computes in float64.
 */
export interface HessianVectorProduct {
  /** Mean of `losses`. */
  readonly loss: number;
  /** `[P]`: mean loss of each network on the images. */
  readonly losses: Floats;
  /** `[P, count]`: g, the gradient of the network's loss with respect to its parameters. */
  readonly gradient: Floats;
  /** `[P, count]`: H_ww v, the derivative of g in direction v. */
  readonly parameters: Floats;
  /** `[P, n, C, H, W]`: H_xw v, the gradient of g·v with respect to the images. */
  readonly images: Floats;
  /** `[P, n, K]`: H_yw v, the gradient of g·v with respect to the labels. */
  readonly labels: Floats;
}

interface Geometry extends CallGeometry {
  readonly n: number;
  readonly loss: LossName;
}

const call: Call<HessianVectorProductOptions, Geometry> = {
  name: 'hessianVectorProduct',
  known: {
    network: true,
    parameters: true,
    images: true,
    labels: true,
    vector: true,
    loss: true,
    signal: true,
  },
  inputs: ['parameters', 'images', 'labels', 'vector'],

  sizesOf({ parameters, loss = 'cross-entropy' }, given) {
    lossOf(loss, `${given.call}: loss`);
    const n = given.rows('images', given.pixels, '[n, C, H, W]');
    given.exactly('labels', n * given.network.classes, '[n, K]');
    given.exactly('vector', parameters.length, 'as many as parameters');
    return { n, loss };
  },

  record({ network, members, n, loss: name }): Program {
    const r = new Recorder('hessian-vector-product');
    const perNetwork = (slot: string, shape: readonly number[]) => r.external(slot, members, shape);
    const theta = perNetwork('parameters', [network.count]);
    const v = perNetwork('vector', [network.count]);
    const x = r.external('images', 1, [n, ...network.inputShape]);
    const y = r.external('labels', 1, [n, network.classes]);

    const passes = network.forward(r, x, theta);
    const loss = lossOf(name).forward(r, passes.z, y);
    reduce.sum(r, { x: loss.losses() }, 1 / n, { into: perNetwork('losses', [1]) });
    passes.backward(loss.backward(1 / n), { thetaBar: perNetwork('gradient', [network.count]) });

    const { zBarDot, yBarDot } = loss.tangentBackward(passes.tangentForward(v), 1 / n);
    const thetaBarDot = perNetwork('parametersBarDot', [network.count]);
    const xBarDot = passes.tangentBackward(zBarDot, { thetaDot: v, thetaBarDot, wantX: true })!;
    copyInto(r, xBarDot, perNetwork('imagesBarDot', x.shape));
    copyInto(r, yBarDot, perNetwork('labelsBarDot', y.shape));
    return r.program();
  },
};

/**
 * The exact products of the Hessian of a network's mean loss with a vector v of its parameters: of all second derivatives that
 * involve the parameters, by one tangent pass through the program of the gradient.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together; ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was
 * lost
 */
export async function hessianVectorProduct(
  device: Device,
  options: HessianVectorProductOptions,
): Promise<HessianVectorProduct> {
  const { losses, gradient, parametersBarDot, imagesBarDot, labelsBarDot } = await answersTo(
    call,
    device,
    options,
  );
  return {
    loss: meanOf(losses),
    losses,
    gradient,
    parameters: parametersBarDot,
    images: imagesBarDot,
    labels: labelsBarDot,
  };
}
