import * as crossentropy from '../engine/ops/crossentropy.js';
import * as optimizer from '../engine/ops/optimizer.js';
import { elements, type Recorder, slice, type View } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { LimbeckError, shapeText } from '../util/errors.js';

/**
 * Training a population of networks on distilled data, step by step. Images, labels and rates are shared by the
 * population or, for training alone (no gradient goes through it: see `recordHypergradient`), per member.
 */
export interface InnerLoop {
  readonly network: Network;
  /** `[count]` per member: the networks before the first step. */
  readonly theta: View;
  /** `[steps, n, C, H, W]`: step t trains on batch `t mod steps`. */
  readonly images: View;
  /** `[steps, n, K]`. */
  readonly labels: View;
  /** `[steps * epochs]`: step t has a learning rate of its own. */
  readonly rates: View;
  readonly steps: number;
  readonly epochs: number;
}

/** The batch and learning rate of step t. */
export function stepOperands({ network, images, labels, rates, steps }: InnerLoop, t: number) {
  const n = images.shape[1];
  const imageShape = [n, ...network.inputShape];
  const labelShape = [n, network.classes];
  return {
    n,
    x: slice(images, (t % steps) * elements(imageShape), imageShape),
    y: slice(labels, (t % steps) * elements(labelShape), labelShape),
    rate: slice(rates, t, [1]),
  };
}

function checkLoop(
  members: number,
  { network, theta, images, labels, rates, steps, epochs }: InnerLoop,
): void {
  const n = images.shape[1];
  const expected: [string, View, readonly number[]][] = [
    ['theta', theta, [network.count]],
    ['images', images, [steps, n, ...network.inputShape]],
    ['labels', labels, [steps, n, network.classes]],
    ['rates', rates, [steps * epochs]],
  ];
  for (const [name, view, shape] of expected)
    if (shapeText(view.shape) !== shapeText(shape))
      throw new LimbeckError(
        'ERR_SHAPE',
        `inner loop: ${name} is ${shapeText(view.shape)}, expected ${shapeText(shape)}`,
      );
  if (theta.members !== members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `inner loop: theta has ${theta.members} members, expected ${members}: each network needs parameters of its own`,
    );
}

/**
 * Records `T = steps * epochs` steps of plain SGD on the mean cross-entropy of each batch:
 * `theta[t+1] = theta[t] - rates[t] grad l(theta[t]; x, y)`.
 *
 * Returns theta[0] to theta[T]; these T vectors are all that an exact gradient through the training needs to keep.
 * `last`, where given, is the slot that receives theta[T].
 */
export function recordInnerLoop(r: Recorder, members: number, loop: InnerLoop, last?: View): View[] {
  checkLoop(members, loop);
  const { network, steps, epochs } = loop;
  const T = steps * epochs;
  const thetas = [loop.theta];
  for (let t = 0; t < T; t++) {
    const { n, x, y, rate } = stepOperands(loop, t);
    const passes = network.forward(r, x, thetas[t]);
    const { logp } = crossentropy.forward(r, { z: passes.z, y });
    const zBar = crossentropy.backward(r, { logp, y }, 1 / n);
    const g = r.temporary('g', members, [network.count]);
    passes.backward(zBar, { thetaBar: g });
    const into = t === T - 1 && last ? last : r.temporary(`theta${t + 1}`, members, [network.count]);
    thetas.push(optimizer.sgd(r, { theta: thetas[t], g, rate }, { into }));
  }
  return thetas;
}
