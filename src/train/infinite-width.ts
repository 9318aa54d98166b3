import { perMember, together } from '../engine/members.js';
import type { ArccosineKernel } from '../engine/ops/arccosine.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, reshape, type View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { LimbeckError } from '../util/errors.js';

/** `ntk`: of training by gradient descent (Jacot et al. 2018); `nngp`: of random networks (Lee et al. 2018). */
export const kernelNames = ['ntk', 'nngp'] as const;

export type KernelName = (typeof kernelNames)[number];

/** Variances of weights (times the inputs of their layer) and of biases (Nguyen, Chen & Lee 2021). */
const variances = { weight: 2, bias: 0.01 };

/**
 * The kernel of a network when its width grows without bound; ERR_OPTION where it is not fully connected throughout, for of others there is
 * no closed form of inner products.
 */
export function infinitelyWide(
  { name, inputShape, parameters }: Network,
  kernel: KernelName,
): ArccosineKernel {
  if (name !== 'mlp')
    throw new LimbeckError(
      'ERR_OPTION',
      `network is ${name}, but kernel regression here is with the kernel of fully connected networks of infinite width, expected mlp such as mlp:layers=1`,
    );
  return {
    ...variances,
    // Each layer has a weight and a bias, the last one is the classifier.
    layers: parameters.length / 2 - 1,
    gain: variances.weight / elements(inputShape),
    tangent: kernel === 'ntk' ? 1 : 0,
  };
}

/** `[N, C, H, W]` as rows `[N, C H W]`. */
export const asRows = (images: View): View =>
  reshape(images, [images.shape[0], elements(images.shape) / images.shape[0]]);

/** `[N]` of rows `[N, D]`, shared. */
export function squaredNorms(r: Recorder, rows: View): View {
  const each = perMember(rows);
  return reshape(together(reduce.dot(r, { a: each, b: each })), [rows.shape[0]]);
}
