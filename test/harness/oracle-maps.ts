/** Maps of images and pointwise functions, for the networks of the oracle. */
import { add, constant, erf, exp, log, multiply, type Node, reciprocal, scale } from './autograd.js';

export function range(length: number, index: (i: number) => number): Int32Array {
  const places = new Int32Array(length);
  for (let i = 0; i < length; i++) places[i] = index(i);
  return places;
}

/** Activations of N images: values `[N, ...shape]`. */
export interface Maps {
  readonly x: Node;
  readonly shape: readonly number[];
}

export const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
export const plus = (a: Node, value: number) => add(a, constant(a.value.map(() => value)));

/** By name; masks are constants of the derivative. */
export const functions: Record<string, (a: Node) => Node> = {
  relu: (a) => multiply(a, constant(a.value.map((v) => (v > 0 ? 1 : 0)))),
  leakyrelu: (a) => multiply(a, constant(a.value.map((v) => (v > 0 ? 1 : 0.01)))),
  sigmoid: (a) => reciprocal(plus(exp(scale(a, -1)), 1)),
  tanh: (a) => plus(scale(reciprocal(plus(exp(scale(a, -2)), 1)), 2), -1),
  softplus: (a) => log(plus(exp(a), 1)),
  swish: (a) => multiply(a, functions.sigmoid(a)),
  gelu: (a) => scale(multiply(a, plus(erf(scale(a, Math.SQRT1_2)), 1)), 0.5),
};
