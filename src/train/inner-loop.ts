import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { RandomSource } from '../layers/layer.js';
import type { Network, NetworkPasses } from '../networks/network.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { optimizerOf } from './inner-optimizer.js';
import { type LossPasses, lossOf } from './loss.js';
import { plainTraining, type Training } from './training.js';

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
  /** `[steps * epochs]`: step t has a learning rate of its own; `[1]`: all steps share one. */
  readonly rates: View;
  readonly steps: number;
  readonly epochs: number;
  /** Optimiser and loss; left out, plain SGD on cross-entropy. */
  readonly training?: Training;
  /** For dropout; left out, nothing is dropped. Its state must not change before the sweep is over. */
  readonly random?: RandomSource;
}

/** What a recorded training leaves for the sweep back through it; what nobody reads takes no memory. */
export interface Trajectory {
  /** Where the random numbers of every step come from, so that the sweep can draw them again; empty where none are. */
  readonly sources: readonly RandomSource[];
  /** theta[0] to theta[T], `[count]` per member. */
  readonly thetas: readonly View[];
  /** The optimiser's state before step 0 to behind step T - 1; empty where it has none. */
  readonly states: readonly View[];
  /** The passes of step 0 to step T - 1. */
  readonly passes: readonly StepPasses[];
}

/** The recorded forward and backward pass of one step. */
export interface StepPasses {
  readonly passes: NetworkPasses;
  readonly loss: LossPasses;
  readonly zBar: View;
  /** The gradient of the loss, where it is wanted. */
  readonly g?: View;
  /** What its temporaries would take if all were kept. */
  readonly bytes: number;
}

/** Random numbers of its own for every step, where the network draws any and they have a source. */
function recordSources(r: Recorder, { network, steps, epochs, random: source }: InnerLoop): RandomSource[] {
  if (!network.draws || !source) return [];
  const count = steps * epochs;
  const states = random.fork(r, { state: source.state }, { count, stream: source.stream });
  return Array.from({ length: count }, (_, t) => ({ ...source, state: slice(states, 4 * t, [4]) }));
}

/** Which of `rates` step t uses. */
export const rateIndex = (rates: View, t: number): number => (elements(rates.shape) === 1 ? 0 : t);

/** The batch and learning rate of step t. */
export function stepOperands({ network, images, labels, rates, steps }: InnerLoop, t: number) {
  const n = images.shape[1];
  const imageShape = [n, ...network.inputShape];
  const labelShape = [n, network.classes];
  return {
    n,
    x: slice(images, (t % steps) * elements(imageShape), imageShape),
    y: slice(labels, (t % steps) * elements(labelShape), labelShape),
    rate: slice(rates, rateIndex(rates, t), [1]),
  };
}

/** Records the forward and backward pass of step t at `theta`, on the random numbers of `random`. */
export function recordStep(
  r: Recorder,
  loop: InnerLoop,
  t: number,
  { theta, random, wantG }: { theta: View; random?: RandomSource; wantG: boolean },
): StepPasses {
  const { network, training = plainTraining } = loop;
  const { n, x, y } = stepOperands(loop, t);
  const before = r.temporaryBytes;
  const passes = network.forward(r, x, theta, { random });
  const loss = lossOf(training.loss).forward(r, passes.z, y);
  const zBar = loss.backward(1 / n);
  const g = wantG ? r.temporary('g', theta.members, [network.count]) : undefined;
  passes.backward(zBar, { thetaBar: g });
  return { passes, loss, zBar, g, bytes: r.temporaryBytes - before };
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
    ['rates', rates, [elements(rates.shape) === 1 ? 1 : steps * epochs]],
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
 * Records `T = steps * epochs` steps of training on the mean loss of each batch; for plain SGD
 * `theta[t+1] = theta[t] - rates[t] grad l(theta[t]; x, y)`.
 *
 * The trajectory is all that an exact gradient through the training needs to keep: per step one parameter vector, with
 * momentum one velocity beside it, with Adam two moments. `last`, where given, is the slot that receives theta[T].
 */
export function recordInnerLoop(r: Recorder, members: number, loop: InnerLoop, last?: View): Trajectory {
  checkLoop(members, loop);
  const { network, steps, epochs, training = plainTraining } = loop;
  const optimizer = optimizerOf(training.optimizer);
  const T = steps * epochs;
  const sources = recordSources(r, loop);
  const thetas = [loop.theta];
  const states: View[] = [];
  if (optimizer.stateShape)
    states.push(elementwise.fill(r, 0, r.temporary('state0', members, optimizer.stateShape(network.count))));
  const passes: StepPasses[] = [];
  for (let t = 0; t < T; t++) {
    const theta = thetas[t];
    const step = recordStep(r, loop, t, { theta, random: sources[t], wantG: true });
    const into = t === T - 1 && last ? last : r.temporary(`theta${t + 1}`, members, [network.count]);
    const { rate } = stepOperands(loop, t);
    const next = optimizer.step(r, { theta, g: step.g!, rate, state: states[t] }, into);
    thetas.push(next.theta);
    if (next.state) states.push(next.state);
    passes.push(step);
  }
  return { thetas, states, sources, passes };
}
