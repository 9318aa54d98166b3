import type { Tensor } from '../engine/device.js';
import * as crossentropy from '../engine/ops/crossentropy.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as random from '../engine/ops/random.js';
import { elements, type Recorder, reshape, type View } from '../engine/program.js';
import type { Network } from '../networks/network.js';
import { augment, type Strategy } from './augmentation.js';
import { randomState, streams } from './streams.js';

/** Ordinary training of a network in minibatches. */
export interface MinibatchTraining {
  /** `sgd`: with momentum, PyTorch's: `v = momentum v + g; theta = theta - rate v`. `adam`: (0.9, 0.999), epsilon 1e-8. */
  readonly optimizer: 'sgd' | 'adam';
  /** Of `sgd`. */
  readonly momentum: number;
  /** `g = g + weightDecay theta`, before the optimiser sees it. */
  readonly weightDecay: number;
  /** Images per step, at most. */
  readonly batch: number;
  /** Passes over the images. */
  readonly epochs: number;
  /**
   * Course of the learning rate: a tenth from epoch `floor(epochs / 2) + 1` on (counted from 0), half a cosine to 0, or
   * none.
   */
  readonly schedule: 'tenth-at-half' | 'cosine' | 'constant';
  /** `mse`: half the squared distance of the logits from the labels. */
  readonly loss: 'cross-entropy' | 'mse';
}

const adamConstants = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/**
 * How `rows` images are cut: as few batches per epoch as hold them all, of equal size as nearly as can be. Batches run
 * on from one epoch into the next, so that where the size does not divide `rows` each epoch is one step, not one
 * smaller batch, longer or shorter than the next.
 */
export function batchesOf({ batch, epochs }: MinibatchTraining, rows: number) {
  const perEpoch = Math.ceil(rows / batch);
  return { perEpoch, size: Math.ceil(rows / perEpoch), steps: perEpoch * epochs };
}

/** What the device reads at each step, `[steps, 2]`: for `sgd` the rate (and 0), for `adam` its own table. */
export function rateTable(training: MinibatchTraining, rows: number, learningRate: number): Float64Array {
  const { perEpoch, steps } = batchesOf(training, rows);
  const { schedule, epochs, optimizer: kind } = training;
  const rates = Array.from({ length: steps }, (_, t) => {
    if (schedule === 'cosine') return (learningRate * (1 + Math.cos((Math.PI * t) / steps))) / 2;
    const late = schedule === 'tenth-at-half' && Math.floor(t / perEpoch) > Math.floor(epochs / 2);
    return late ? learningRate * 0.1 : learningRate;
  });
  return kind === 'adam'
    ? optimizer.adamSchedule(rates, adamConstants)
    : Float64Array.from({ length: 2 * steps }, (_, i) => (i % 2 === 0 ? rates[i / 2] : 0));
}

export interface MinibatchStep {
  readonly network: Network;
  readonly training: MinibatchTraining;
  /** Images there are. */
  readonly rows: number;
  /** u32 `[4]`, its draw 0 before the first step. */
  readonly state: View;
  /** `[steps, 2]`: `rateTable`. */
  readonly schedule: View;
  /** `[count]` per member, changed in place. */
  readonly theta: View;
  /** As theta, zero before the first step: the velocity, or Adam's mean. */
  readonly mean: View;
  /** As theta, zero before the first step: Adam's square. */
  readonly square?: View;
  /** Records the gathering of a batch x `[B, C, H, W]`, y `[B, K]` by its row numbers `[B]`. */
  readonly gather: (r: Recorder, index: View) => { x: View; y: View };
  /** What is done to the images of each batch, every image with its own draw; nothing unless there is one. */
  readonly augmentation?: Strategy;
}

/**
 * Records one step; the program is run as often as there are steps (`batchesOf`). Which images, which rate: the device's
 * own counter says, so that runs move nothing between host and device.
 *
 * All members see the same batches with the same augmentation, drawn for (seed, `streams.augmentation`, member 0, step, place
 * in the batch): members that have the same images differ in where they start and in their dropout masks, and in nothing
 * else, and a network without dropout is trained alike in whichever population it stands.
 */
export function recordMinibatchStep(r: Recorder, step: MinibatchStep): void {
  const { network, training, rows, state, schedule, theta, mean, square, augmentation: strategy } = step;
  const { size: B } = batchesOf(training, rows);
  const index = random.batch(r, { state }, { B, rows, stream: streams.minibatch });
  const { x: gathered, y } = step.gather(r, index);
  const draw = { state, stream: streams.augmentation, members: 1 };
  const x = strategy ? augment(r, gathered, { strategy, ...draw }).y : gathered;
  const passes = network.forward(r, x, theta, { random: { state, stream: streams.dropout } });
  const { z } = passes;
  const zBar =
    training.loss === 'mse'
      ? reshape(elementwise.add(r, { a: z, b: y }, 1 / B, -1 / B), z.shape)
      : crossentropy.backward(r, { logp: crossentropy.forward(r, { z, y }).logp, y }, 1 / B);
  const g = r.temporary('g', theta.members, [elements(theta.shape)]);
  passes.backward(zBar, { thetaBar: g });
  const { momentum, weightDecay } = training;
  if (training.optimizer === 'adam') {
    const decayed = weightDecay ? elementwise.add(r, { a: g, b: theta }, 1, weightDecay) : g;
    optimizer.adam(r, { g: decayed, schedule, state, theta, m: mean, s: square! }, adamConstants);
  } else {
    optimizer.momentumInPlace(r, { g, schedule, state, theta, v: mean }, { momentum, weightDecay });
  }
  random.advance(r, { state });
}

/** Records one step on external tensors of its own: `state`, `schedule`, `theta`, `mean` and, for Adam, `square`. */
export function declareMinibatches(
  r: Recorder,
  members: number,
  step: Omit<MinibatchStep, 'state' | 'schedule' | 'theta' | 'mean' | 'square'>,
): void {
  const { network, training, rows } = step;
  const perParameter = (name: string) => r.external(name, members, [network.count]);
  recordMinibatchStep(r, {
    ...step,
    state: r.external('state', 1, [4], 'u32'),
    schedule: r.external('schedule', 1, [batchesOf(training, rows).steps, 2]),
    theta: perParameter('theta'),
    mean: perParameter('mean'),
    square: training.optimizer === 'adam' ? perParameter('square') : undefined,
  });
}

/** Brings those tensors, all but `theta`, to where they are before the first step. */
export async function startMinibatches(
  { schedule, state, mean, square }: Readonly<Record<string, Tensor>>,
  training: MinibatchTraining,
  { rows, rate, seed }: { rows: number; rate: number; seed: number },
): Promise<void> {
  await schedule.write(rateTable(training, rows, rate));
  await state.write(randomState(seed, 0));
  const zero = new Float32Array(mean.length);
  await mean.write(zero);
  await square?.write(zero);
}

/** Training in words: `sgd at rate 0.01, a tenth of it after half the epochs, momentum 0.9, …`. */
export function describeMinibatches(
  { optimizer: kind, momentum, weightDecay, batch, epochs, schedule, loss }: MinibatchTraining,
  learningRate: number | 'learned',
): string {
  const courses = {
    'tenth-at-half': ', a tenth of it after half the epochs',
    cosine: ', falling as a cosine',
    constant: '',
  };
  return [
    `${kind} at ${learningRate === 'learned' ? 'the learned rate' : `rate ${learningRate}`}${courses[schedule]}`,
    ...(kind === 'sgd' ? [`momentum ${momentum}`] : []),
    `weight decay ${weightDecay}`,
    `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'} in batches of ${batch}`,
    ...(loss === 'mse' ? ['squared error'] : []),
  ].join(', ');
}
