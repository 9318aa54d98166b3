import type { Tensor } from '../engine/device.js';
import * as adam from '../engine/ops/adam.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as momentum from '../engine/ops/momentum.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { copyInto } from '../train/groups.js';
import { recordRate } from '../train/minibatch.js';
import { type Schedule, scheduleRates } from '../train/schedule.js';
import { breathe } from '../util/breathe.js';

/** What moves a variable along its gradient, once an outer step. */
export type UpdateRule = (
  | {
      readonly kind: 'adam' | 'lamb';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
    }
  | { readonly kind: 'momentum'; readonly momentum: number }
) & {
  readonly rate: number;
  /** Course of the rate over the run; constant unless there is one. */
  readonly schedule?: Schedule;
  /** Largest Euclidean norm of the gradient, or how it follows the norms before; no limit unless there is one. */
  readonly clip?: number | optimizer.AverageClip;
};

/** A tensor that is learned, or part of a set and fixed. */
export interface Variable {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its first value. */
  readonly first: ArrayLike<number>;
  /** Left out, it stays what it begins as. */
  readonly update?: UpdateRule;
}

/** The moments that an update rule keeps, by name. */
const momentsOf: Readonly<Record<UpdateRule['kind'], readonly string[]>> = {
  adam: ['m', 's'],
  lamb: ['m', 's'],
  momentum: ['v'],
};

/** The names of the tensors that hold a variable and all that its update rule remembers. */
export function stateNames({ name, update }: Variable, average: number): string[] {
  if (!update) return [name];
  const moments = momentsOf[update.kind].map((moment) => `${name}.${moment}`);
  const norms = typeof update.clip === 'object' ? [`${name}.norms`] : [];
  return [name, ...moments, ...norms, ...(average > 0 ? [`${name}.average`] : [])];
}

/** Records the factor `[1]` that clips the gradient `bar`; none where there is no limit. */
function recordClip(r: Recorder, name: string, { clip }: UpdateRule, bar: View): View | undefined {
  if (!clip) return undefined;
  const squaredNorm = reduce.dot(r, { a: bar, b: bar });
  if (typeof clip === 'number') return optimizer.clip(r, { squaredNorm }, clip);
  const average = r.external(`${name}.norms`, 1, [2]);
  return optimizer.clipByAverage(r, { squaredNorm, average }, clip);
}

/**
 * Records the update of a variable along its gradient `bar`: clipped, by its rule, in place, then its running average where
 * one is kept. `state` counts the outer steps.
 */
export function recordUpdate(
  r: Recorder,
  variable: Variable,
  { theta, bar, state }: { theta: View; bar: View; state: View },
  { iterations, average }: { iterations: number; average: number },
): void {
  const { name, shape, update } = variable;
  if (!update) return;
  const external = (part: string, size = shape) => r.external(`${name}.${part}`, 1, size);
  const schedule = external('schedule', [iterations, 2]);
  const scale = recordClip(r, name, update, bar);
  if (update.kind === 'momentum') {
    const g = scale ? reduce.members(r, { x: bar, scale }) : bar;
    const operands = { g, schedule, state, theta, u: external('v') };
    momentum.inPlace(r, operands, { momentum: update.momentum, decay: 0 });
  } else {
    const operands = { g: bar, scale, schedule, state, m: external('m'), s: external('s') };
    if (update.kind === 'adam') adam.inPlace(r, { ...operands, theta }, update);
    else recordLamb(r, { ...operands, theta, rates: external('rates', [iterations]) }, update);
  }
  if (average > 0) elementwise.average(r, { x: theta, average: external('average') }, average);
}

/**
 * LAMB (You et al. 2020) on theta, without weight decay: the step of Adam at rate 1, which `schedule` is for, brought to the length of
 * theta, times the rate.
 */
function recordLamb(
  r: Recorder,
  { theta, rates, ...o }: Parameters<typeof adam.inPlace>[1] & { rates: View },
  constants: adam.AdamConstants,
): void {
  const step = elementwise.fill(r, 0, r.temporary('step', 1, theta.shape));
  adam.inPlace(r, { ...o, theta: step }, constants);
  const [squaredNorm, squaredStep] = [theta, step].map((x) => reduce.dot(r, { a: x, b: x }));
  const scale = optimizer.trust(r, { squaredNorm, squaredStep });
  // What Adam has taken away from zero is to be taken away from theta.
  const g = reduce.members(r, { x: step, scale }, -1);
  const rate = recordRate(r, { rates, state: o.state });
  copyInto(r, optimizer.sgd(r, { theta, g, rate }), theta);
}

/** Brings the tensors of a variable to where they are before the first step. */
export async function startVariable(
  variable: Variable,
  tensors: Readonly<Record<string, Tensor>>,
  iterations: number,
): Promise<void> {
  const { name, first } = variable;
  await tensors[name].write(first);
  await tensors[`${name}.average`]?.write(first);
  await writeRates(variable, tensors, iterations, 1);
}

/** Writes the rates of a variable for all outer steps, those of its rule times `factor`. */
export async function writeRates(
  { name, update }: Variable,
  tensors: Readonly<Record<string, Tensor>>,
  iterations: number,
  factor: number,
): Promise<void> {
  if (!update) return;
  const { rate, schedule = { kind: 'constant' } } = update;
  const rates = scheduleRates(rate * factor, iterations, schedule);
  // A schedule has a row for every outer step, of which there may be a million.
  await breathe();
  await tensors[`${name}.rates`]?.write(rates);
  await tensors[`${name}.schedule`].write(scheduleTable(update, rates));
}

/** The rates, with what else the rule reads for every outer step. */
function scheduleTable(update: UpdateRule, rates: readonly number[]): ArrayLike<number> {
  if (update.kind === 'momentum') return rates.flatMap((rate) => [rate, 0]);
  return adam.adamSchedule(update.kind === 'adam' ? rates : rates.map(() => 1), update);
}
