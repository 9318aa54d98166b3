import type { Executable, Tensor } from '../engine/device.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as gather from '../engine/ops/gather.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, reshape, slice, type View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { LimbeckError } from '../util/errors.js';
import { count, counted } from '../util/words.js';
import { augment, type Strategy } from './augmentation.js';
import { cutmix } from './cutmix.js';
import { optimizerOf } from './inner-optimizer.js';
import { lossOf } from './loss.js';
import { describeSchedule, type Schedule, scheduleRates, stageStarts } from './schedule.js';
import { recordSoftmax } from './softmax.js';
import { randomState, streams } from './streams.js';
import { type Training, trainingName } from './training.js';

/** Ordinary training of a network in minibatches. JSON-serialisable. */
export interface MinibatchTraining extends Training {
  /** Images per step, at most. */
  readonly batch: number;
  /** Passes over the images. */
  readonly epochs: number;
  /** Course of the learning rate. */
  readonly schedule: Schedule;
  /**
   * Whether the optimiser begins anew, its velocity or moments zero again, wherever the schedule goes to another stage, as in the
   * programs of DC and those after it. Default false.
   */
  readonly restart?: boolean;
}

/**
 * How `rows` images are cut: as few batches per epoch as hold them all, of equal size as nearly as can be. Batches run
 * on from one epoch into the next, so that where the size does not divide `rows` each epoch is one step, not one
 * smaller batch, longer or shorter than the next.
 */
export function batchesOf({ batch, epochs }: MinibatchTraining, rows: number) {
  const perEpoch = Math.ceil(rows / batch);
  return { perEpoch, size: Math.ceil(rows / perEpoch), steps: perEpoch * epochs };
}

/** Each has its rate in a table on the device: 40 MB of them. */
const mostSteps = 1e7;

/** @throws ERR_OPTION for more steps of training on so many images than a table of their rates is made for */
export function checkSteps(training: MinibatchTraining, rows: number): void {
  const { steps } = batchesOf(training, rows);
  if (steps > mostSteps)
    throw new LimbeckError(
      'ERR_OPTION',
      `epochs is ${count(training.epochs)}, which is ${count(steps)} steps of training on ${counted(rows, 'image')}, expected at most ${count(mostSteps)}: ` +
        'give fewer epochs (--epochs), or a larger batch (--batch)',
    );
}

/** The learning rate of every step. */
export function rateTable(training: MinibatchTraining, rows: number, learningRate: number): number[] {
  const { perEpoch, steps } = batchesOf(training, rows);
  return scheduleRates(learningRate, steps, training.schedule, perEpoch);
}

/** A network whose answers are labels. */
export interface Labeller {
  readonly network: Network;
  /** `[count]` */
  readonly theta: View;
  /** `[statisticsCount]`: what its batch norm normalises by. */
  readonly statistics?: View;
}

export interface MinibatchStep {
  readonly network: Network;
  readonly training: MinibatchTraining;
  /** Images there are. */
  readonly rows: number;
  /** u32 `[4]`, its draw 0 before the first step. */
  readonly state: View;
  /** `[steps]`: `rateTable`. */
  readonly rates: View;
  /** `[count]` per member, changed in place. */
  readonly theta: View;
  /** The optimiser's state, where it has one, per member and changed in place; zero before the first step. */
  readonly moments?: View;
  /** Records the gathering of a batch x `[B, C, H, W]`, y `[B, K]` by its row numbers `[B]`. */
  readonly gather: (r: Recorder, index: View) => { x: View; y: View };
  /** Records the row numbers `[B]` of the next batch, of each member its own; left out, all members have the same. */
  readonly draw?: (r: Recorder, state: View, B: number) => View;
  /**
   * Of cross-entropy: logits are divided by it before the softmax, and the loss is multiplied by its square, so that gradients keep
   * their size (Hinton, Vinyals, Dean 2015). Left out, 1.
   */
  readonly temperature?: number;
  /** How far uphill the gradient is taken: see `uphill`. 0, or left out: where the parameters are. */
  readonly flat?: number;
  /** How much of what is across that gradient is taken away: see `acrossGap`. 0, or left out: nothing. */
  readonly gap?: number;
  /** Gives the labels of every batch, at the same temperature, in the place of those that are gathered. */
  readonly labeller?: Labeller;
  /** What is done to the images of each batch, every image with its own draw; nothing unless there is one. */
  readonly augmentation?: Strategy;
}

const unmixed = () => {
  throw new LimbeckError(
    'ERR_PROGRAM',
    'cutmix mixes images for training alone, expected no gradient through it',
  );
};

/** One minibatch and what was done to it. */
export interface Minibatch {
  /** u32 `[B]`: row numbers. */
  readonly index: View;
  /** `[B, C, H, W]`, per member where it is augmented. */
  readonly x: View;
  /** `[B, K]`, per member where images are mixed. */
  readonly y: View;
  /** Records the way back from the gradient of x to that of the images as they were; left out, they are as they were. */
  readonly backward?: (xBar: View) => View;
}

/**
 * Records the B images of the step that `state` counts: drawn without replacement within an epoch, every image with an augmentation of
 * its own, for every member another.
 */
export function recordMinibatch(
  r: Recorder,
  {
    state,
    rows,
    gather,
    draw,
    augmentation: strategy,
  }: Pick<MinibatchStep, 'state' | 'rows' | 'gather' | 'draw' | 'augmentation'>,
  { B, members }: { B: number; members: number },
): Minibatch {
  const index = draw?.(r, state, B) ?? random.batch(r, { state }, { B, rows, stream: streams.minibatch });
  const { x, y } = gather(r, index);
  if (!strategy) return { index, x, y };
  const augmented = strategy.families.length
    ? augment(r, x, { strategy, state, stream: streams.augmentation, members })
    : undefined;
  const moved = augmented?.y ?? x;
  if (!strategy.cutmix) return { index, x: moved, y, backward: augmented?.backward };
  const mixed = cutmix(r, { x: moved, y }, { state, members, strategy });
  return { index, ...mixed, backward: unmixed };
}

/** The rate `[1]` of the step that `state` counts, out of those of all steps. */
export function recordRate(r: Recorder, { rates, state }: { rates: View; state: View }): View {
  const [gain, shift] = [1, 0].map((value) => elementwise.fill(r, value, r.temporary('same', 1, [1])));
  const data = reshape(rates, [elements(rates.shape), 1, 1, 1]);
  return reshape(gather.images(r, { data, index: slice(state, 2, [1]), gain, shift }), [1]);
}

/** Gradients whose norm is at least its inverse are brought to length one: a power of two, which rounds nothing. */
const steepest = 2 ** 20;

/**
 * Records theta + radius g / |g| `[count]`, where sharpness-aware training takes its gradient (Foret et al. 2021). A gradient
 * shorter than 2^-20 is lengthened by 2^20 alone, so that none of length 0 divides anything.
 */
function uphill(r: Recorder, theta: View, g: View, radius: number): View {
  const dot = reduce.dot(r, { a: g, b: g });
  const squaredNorm = elementwise.add(r, { a: dot, b: dot }, steepest ** 2, 0);
  // 1 / (steepest |g|), at most 1
  const scale = optimizer.clip(r, { squaredNorm }, 1);
  const rate = elementwise.add(r, { a: scale, b: scale }, -radius * steepest, 0);
  return optimizer.sgd(r, { theta, g, rate });
}

/** Added to the squared length of a gradient before it divides anything. */
const shortest = 1e-30;

/**
 * Records the gradient of the surrogate gap (GSAM: Zhuang et al. 2022): `up`, taken uphill, less `gap` times the part of `here`, taken where the
 * parameters are, that is at right angles to it. With c = (here·up) / |up|² that is (1 + gap c) up - gap here.
 */
function acrossGap(r: Recorder, { here, up, gap }: { here: View; up: View; gap: number }): View {
  const squared = reduce.dot(r, { a: up, b: up });
  const least = elementwise.fill(r, shortest, r.temporary('least', squared.members, [1]));
  const by = elementwise.add(r, { a: squared, b: least });
  const rate = elementwise.divide(r, { x: reduce.dot(r, { a: here, b: up }), by }, -gap);
  return elementwise.add(r, { a: optimizer.sgd(r, { theta: up, g: up, rate }), b: here }, 1, -gap);
}

/**
 * Records one step; the program is run as often as there are steps (`runMinibatches`). Which images, which rate: the device's
 * own counter says, so that runs move nothing between host and device.
 *
 * All members see the same batches unless `draw` gives each its own. Augmentation and dropout masks are drawn for a member's number:
 * the first member's is in `state`, so that a network is trained alike in whichever population it stands.
 */
export function recordMinibatchStep(r: Recorder, step: MinibatchStep): void {
  const { network, training, rows, state, theta, moments, temperature = 1 } = step;
  const { size: B } = batchesOf(training, rows);
  const { x, y: gathered } = recordMinibatch(r, step, { B, members: theta.members });
  const soften = (z: View) =>
    temperature === 1 ? z : elementwise.add(r, { a: z, b: z }, 1 / temperature, 0);
  const labelsBy = ({ network, theta, statistics }: Labeller) =>
    recordSoftmax(r, soften(network.forward(r, x, theta, { frozen: statistics }).z)).p;
  const y = step.labeller ? labelsBy(step.labeller) : gathered;
  const gradientAt = (place: View) => {
    const passes = network.forward(r, x, place, { random: { state, stream: streams.dropout } });
    // T² from the loss, and 1 / T on the way back through the division.
    const zBar = lossOf(training.loss)
      .forward(r, soften(passes.z), y)
      .backward(temperature / B);
    const gradient = r.temporary('g', theta.members, [elements(theta.shape)]);
    passes.backward(zBar, { thetaBar: gradient });
    return gradient;
  };
  const here = gradientAt(theta);
  const up = step.flat ? gradientAt(uphill(r, theta, here, step.flat)) : here;
  const g = step.flat && step.gap ? acrossGap(r, { here, up, gap: step.gap }) : up;
  const operands = { theta, g, rate: recordRate(r, step), state: moments };
  const next = r.temporary('next theta', theta.members, theta.shape);
  const after = optimizerOf(training.optimizer).step(r, operands, { theta: next });
  const copy = (from: View, to: View) => elementwise.add(r, { a: from, b: from }, 1, 0, to);
  copy(after.theta, theta);
  if (moments) copy(after.state!, moments);
  random.advance(r, { state });
}

/**
 * Records one step on external tensors of its own: `state`, `rates`, `theta` and, where the optimiser has any, `moments`. Returns
 * theta.
 */
export function declareMinibatches(
  r: Recorder,
  members: number,
  step: Omit<MinibatchStep, 'state' | 'rates' | 'theta' | 'moments'>,
): View {
  const { network, training, rows } = step;
  checkSteps(training, rows);
  const shape = optimizerOf(training.optimizer).stateShape?.(network.count);
  const theta = r.external('theta', members, [network.count]);
  recordMinibatchStep(r, {
    ...step,
    state: r.external('state', 1, [4], 'u32'),
    rates: r.external('rates', 1, [batchesOf(training, rows).steps]),
    theta,
    moments: shape && r.external('moments', members, shape),
  });
  return theta;
}

type Tensors = Readonly<Record<string, Tensor>>;

const forget = async ({ moments }: Tensors) => moments?.write(new Float32Array(moments.length));

/** Brings those tensors, all but `theta`, to where they are before step `first`, the optimiser's as if it began there. */
export async function startMinibatches(
  tensors: Tensors,
  training: MinibatchTraining,
  {
    rows,
    rate,
    seed,
    firstMember,
    first = 0,
  }: { rows: number; rate: number; seed: number; firstMember?: number; first?: number },
): Promise<void> {
  await tensors.rates.write(rateTable(training, rows, rate));
  await tensors.state.write(randomState(seed, first, firstMember));
  await forget(tensors);
}

/** Runs the steps from `first` up to, not including, `end` (default: all); the optimiser begins anew where the training says so. */
export async function runMinibatches(
  executable: Executable,
  tensors: Tensors,
  training: MinibatchTraining,
  {
    rows,
    first = 0,
    end,
    signal,
  }: { rows: number; first?: number; end?: number; signal?: AbortSignal | undefined },
): Promise<void> {
  const { perEpoch, steps } = batchesOf(training, rows);
  const starts = new Set(training.restart ? stageStarts(training.schedule, steps, perEpoch) : []);
  const last = end ?? steps;
  const within = [...starts].filter((start) => start > first && start < last);
  for (const [i, from] of [first, ...within].entries()) {
    if (starts.has(from)) await forget(tensors);
    await executable.run({ times: (within[i] ?? last) - from, signal });
  }
}

/** Training in words: `SGD with momentum 0.9 at rate 0.01, a tenth of it after half the epochs, …`. */
export function describeMinibatches(training: MinibatchTraining, learningRate: number | 'learned'): string {
  const { batch, epochs, schedule, restart } = training;
  return [
    `${trainingName(training)} at ${learningRate === 'learned' ? 'the learned rate' : `rate ${learningRate}`}${describeSchedule(schedule)}`,
    ...(restart ? ['with a new optimiser from there'] : []),
    `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} in batches of ${batch}`,
  ].join(', ');
}
