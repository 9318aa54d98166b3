import type { Tensor } from '../engine/device.js';
import * as activation from '../engine/ops/activation.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { Bars, Learner } from './learner.js';
import type { UpdateRule, Variable } from './variable.js';

/** Numbers that are learned and stay above 0: softplus of raw ones, as the inner learning rates of Wang et al. (2018). */
const name = 'rawRates';
const softplusCurve = { curve: 'softplus' } as const;
const softplusInverse = (y: number) => y + Math.log(-Math.expm1(-y));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Of a rate with respect to its raw number. */
export const slopeAt = (rate: number): number => -Math.expm1(-rate);

/** The variable of numbers that begin as `first`; the update rule is that of the raw ones. */
export const positiveVariable = (name: string, first: readonly number[], update: UpdateRule): Variable => ({
  name,
  shape: [first.length],
  first: Float32Array.from(first, softplusInverse),
  update,
});

/** Records the numbers of such a variable, and the way back from their gradient. */
export function recordPositive(
  r: Recorder,
  variables: Readonly<Record<string, View>>,
  name: string,
): { values: View; backward(bar: View): Bars } {
  const raw = variables[name];
  return {
    values: activation.forward(r, { x: raw }, softplusCurve),
    backward: (u) => ({ [name]: activation.derivative(r, { x: raw, u }, softplusCurve) }),
  };
}

/** The variable of rates that begin as `first`. */
export const rateVariable = (first: readonly number[], update: UpdateRule): Variable =>
  positiveVariable(name, first, update);

/** Records the rates `[T]`, and the way back from their gradient. */
export function recordRates(
  r: Recorder,
  variables: Readonly<Record<string, View>>,
): { rates: View; backward(ratesBar: View): Bars } {
  const { values: rates, backward } = recordPositive(r, variables, name);
  return { rates, backward };
}

/** The rates as a result. */
export const ratesOf = async (
  learner: Learner,
  tensors: Readonly<Record<string, Tensor>>,
): Promise<Float32Array> => (await learner.values(tensors, name)).map(softplus);
