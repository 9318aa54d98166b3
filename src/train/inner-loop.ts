import * as elementwise from '../engine/ops/elementwise.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { RandomSource } from '../layers/layer.js';
import type { Network, NetworkPasses } from '../networks/network.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { count } from '../util/words.js';
import { optimizerOf, type StepOperands, type StepResult } from './inner-optimizer.js';
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
  /** For dropout; left out, nothing is dropped. Its state must not change before the steps are recorded. */
  readonly random?: RandomSource;
  /**
   * The optimiser's state before the first step, per member; left out, that of a fresh one. How many steps Adam has taken is in it (its
   * bias corrections, see `engine/ops/adam.ts`), so one program serves networks of any age. It is a constant of the gradient.
   */
  readonly state?: View;
  /**
   * Records what step t makes of its batch; left out, nothing: all images of it, as they are. Step 0 is asked for first; the way back asks again
   * for what is not kept, and gets the same.
   */
  readonly change?: (r: Recorder, t: number, batch: StepBatch) => StepBatch;
}

/** What a step trains on. */
export interface StepBatch {
  /** `[n, C, H, W]`, shared or per member. */
  readonly x: View;
  /** `[n, K]`, likewise. */
  readonly y: View;
  /** Where it is a choice of rows: `[n, R]`, shared, 1 where image i is row j of the batch that it was chosen from, else 0. */
  readonly rows?: View;
  /** Records the way back from the gradient of x to that of the same images before they were changed; left out, they were not. */
  readonly backward?: (xBar: View) => View;
}

/** What a recorded training leaves for the sweep back through it; what nobody reads takes no memory. */
export interface Trajectory {
  /** Where the random numbers of every step come from, so that the sweep can draw them again; empty where none are. */
  readonly sources: readonly RandomSource[];
  /** theta[0] to theta[T], `[count]` per member. */
  readonly thetas: readonly View[];
  /** The optimiser's state before step 0 to behind step T - 1; empty where it has none. */
  readonly states: readonly View[];
  /** The batches of step 0 to step T - 1. */
  readonly batches: readonly StepBatch[];
  /** The passes of step 0 to step T - 1. */
  readonly passes: readonly StepPasses[];
}

/** What is wanted of a recorded training beside its trajectory. */
export interface LoopResults extends Partial<StepResult> {
  /** `[T]` per member, or longer: the squared norm of each step's gradient. */
  readonly squaredNorms?: View;
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

/** The part of `[steps, n, ...]` that step t reads. */
export const partOf = (all: View, { steps }: InnerLoop, t: number): View => {
  const shape = all.shape.slice(1);
  return slice(all, (t % steps) * elements(shape), shape);
};

/** The learning rate `[1]` of step t. */
export const rateOf = ({ rates }: InnerLoop, t: number): View => slice(rates, rateIndex(rates, t), [1]);

/** Records the batch of step t. */
export function recordBatch(r: Recorder, loop: InnerLoop, t: number): StepBatch {
  const batch = { x: partOf(loop.images, loop, t), y: partOf(loop.labels, loop, t) };
  return r.keeping('batches', () => loop.change?.(r, t, batch)) ?? batch;
}

/** Records the forward and backward pass of a step at `theta`, on the random numbers of `random`. */
export function recordStep(
  r: Recorder,
  { network, training = plainTraining }: InnerLoop,
  { x, y }: StepBatch,
  { theta, random, wantG }: { theta: View; random?: RandomSource; wantG: boolean },
): StepPasses {
  const n = x.shape[0];
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

/** Throws where a state of the optimiser, before the first step or behind the last, is not what it keeps. */
function checkState(name: string, state: View | undefined, members: number, shape?: readonly number[]): void {
  if (!state) return;
  const expected = shape ? `${shapeText(shape)} of ${members} members` : 'none: the optimiser has no state';
  if (!shape || shapeText(state.shape) !== shapeText(shape) || state.members !== members)
    throw new LimbeckError(
      'ERR_SHAPE',
      `inner loop: ${name} is ${shapeText(state.shape)} of ${state.members} members, expected ${expected}`,
    );
}

/**
 * Records `T = steps * epochs` steps of training on the mean loss of each batch; for plain SGD
 * `theta[t+1] = theta[t] - rates[t] grad l(theta[t]; x, y)`.
 *
 * The trajectory is all that an exact gradient through the training needs to keep: per step one parameter vector, with
 * momentum one velocity beside it, with Adam two moments. `last`, where given, has the slots that receive theta[T] and the
 * optimiser's state beside it: theta and state of a loop that goes on from there. They are not those of this one. `squaredNorms` receives
 * how long the gradients on the way are.
 */
export function recordInnerLoop(
  r: Recorder,
  members: number,
  loop: InnerLoop,
  { squaredNorms, ...last }: LoopResults = {},
): Trajectory {
  checkLoop(members, loop);
  const { network, steps, epochs, training = plainTraining } = loop;
  const optimizer = optimizerOf(training.optimizer);
  const T = steps * epochs;
  const sources = recordSources(r, loop);
  const thetas = [loop.theta];
  const shape = optimizer.stateShape?.(network.count);
  checkState('state', loop.state, members, shape);
  checkState('last state', last.state, members, shape);
  const states: View[] = [];
  if (shape) states.push(loop.state ?? elementwise.fill(r, 0, r.temporary('state0', members, shape)));
  const batches: StepBatch[] = [];
  const passes: StepPasses[] = [];
  const begun = r.stepCount;
  for (let t = 0; t < T; t++) {
    const batch = recordBatch(r, loop, t);
    const step = recordStep(r, loop, batch, { theta: thetas[t], random: sources[t], wantG: true });
    if (squaredNorms) reduce.dot(r, { a: step.g!, b: step.g! }, { into: slice(squaredNorms, t, [1]) });
    const before = { theta: thetas[t], state: states[t] };
    const next = recordMove(r, loop, t, { ...before, g: step.g! }, t === T - 1 ? last : {});
    thetas.push(next.theta);
    if (next.state) states.push(next.state);
    batches.push(batch);
    passes.push(step);
    if (t === 0) checkKernels(r.stepCount - begun, loop);
  }
  return { thetas, states, sources, batches, passes };
}

/** Kernels on the way there. Each takes some kilobytes of the host, the way back twice as many kernels, and a second goes by for twenty thousand. */
const mostKernels = 2 ** 16;

/** Refuses a loop that the host could not hold, by the kernels of its first step. */
function checkKernels(perStep: number, { steps, epochs }: InnerLoop): void {
  const T = steps * epochs;
  if (T > 1 && T * perStep > mostKernels)
    throw new LimbeckError(
      'ERR_OUT_OF_MEMORY',
      `${count(T)} inner steps (steps x epochs) of ${perStep} kernels each are too many to be recorded in one program, expected at most ` +
        `${count(Math.floor(mostKernels / perStep))} with this network: fewer epochs, or a method that trains in minibatches`,
    );
}

/** Records what the optimiser makes of theta[t] and the gradient there. */
function recordMove(
  r: Recorder,
  loop: InnerLoop,
  t: number,
  operands: Omit<StepOperands, 'rate'>,
  last: Partial<StepResult> = {},
): StepResult {
  const { network, training = plainTraining } = loop;
  const { theta } = operands;
  return r.keeping('trajectory', () => {
    const into = {
      ...last,
      theta: last.theta ?? r.temporary(`theta${t + 1}`, theta.members, [network.count]),
    };
    return optimizerOf(training.optimizer).step(r, { ...operands, rate: rateOf(loop, t) }, into);
  });
}

/** Steps of a trajectory that follow one another, by how many of its steps come before them. */
export interface Stretch extends Pick<Trajectory, 'thetas' | 'states' | 'batches' | 'passes'> {
  readonly from: number;
}

/**
 * Records step `from` to step `to - 1` once more, from what the trajectory has before the first of them, to the same bits. What it
 * has between need then not be kept.
 */
export function recordAgain(
  r: Recorder,
  loop: InnerLoop,
  { thetas, states, sources }: Trajectory,
  from: number,
  to: number,
): Stretch {
  const again = {
    from,
    thetas: [thetas[from]],
    states: states.slice(from, from + 1),
    batches: [] as StepBatch[],
    passes: [] as StepPasses[],
  };
  for (let t = from; t < to; t++) {
    const [theta, state] = [again.thetas[t - from], again.states[t - from]];
    const batch = recordBatch(r, loop, t);
    const step = recordStep(r, loop, batch, { theta, random: sources[t], wantG: true });
    again.batches.push(batch);
    again.passes.push(step);
    if (t === to - 1) break;
    const next = recordMove(r, loop, t, { theta, state, g: step.g! });
    again.thetas.push(next.theta);
    if (next.state) again.states.push(next.state);
  }
  // The state behind the last step is where the stretch after this one began.
  if (states.length) again.states.push(states[to]);
  return again;
}
