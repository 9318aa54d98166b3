import * as activation from '../engine/ops/activation.js';
import type { Layer } from './layer.js';

/**
 * A pointwise function `y = f(x)`:
 *
 *     backward          xBar = f'(x) yBar
 *     tangent forward   yDot = f'(x) xDot
 *     tangent backward  xBarDot = f'(x) yBarDot + f''(x) xDot yBar
 *
 * x and y have any shape. Saves x: the derivatives far from zero would lose their digits if they came from y.
 */
function pointwise(name: string, f: activation.Activation, onnx: Layer['onnx'], bent = true): Layer {
  return {
    name,
    parameters: () => [],
    outputShape: (inputShape) => inputShape,
    onnx,
    forward(r, x) {
      return {
        y: activation.forward(r, { x }, f),
        backward: ({ yBar, wantX }) => (wantX ? activation.derivative(r, { x, u: yBar }, f) : undefined),
        tangentForward: ({ xDot }) => xDot && activation.derivative(r, { x, u: xDot }, f),
        tangentBackward({ xDot, yBar, yBarDot, wantX }) {
          if (!wantX) return undefined;
          if (bent && xDot) return activation.tangentBackward(r, { x, xDot, yBar, yBarDot }, f);
          return yBarDot && activation.derivative(r, { x, u: yBarDot }, f);
        },
      };
    },
  };
}

/** A function that ONNX has an operator for. */
const operator =
  (name: string): Layer['onnx'] =>
  (graph, x) =>
    graph.add(name, [x]);

/** x above zero, `slope` x below; without a second derivative. */
export const leakyRelu = (slope = 0.01): Layer =>
  pointwise(
    'leakyrelu',
    { curve: 'leakyRelu', slope },
    (graph, x) => graph.add('LeakyRelu', [x], { alpha: { float: slope } }),
    false,
  );
export const tanh = (): Layer => pointwise('tanh', { curve: 'tanh' }, operator('Tanh'));
/** 1 / (1 + exp(-x)). */
export const sigmoid = (): Layer => pointwise('sigmoid', { curve: 'sigmoid' }, operator('Sigmoid'));
/** log(1 + exp(x)). */
export const softplus = (): Layer => pointwise('softplus', { curve: 'softplus' }, operator('Softplus'));
/** x times the standard normal distribution function of x (Hendrycks and Gimpel 2016), not its approximation by tanh. */
export const gelu = (): Layer =>
  pointwise('gelu', { curve: 'gelu' }, (graph, x) => {
    // x / 2 (1 + erf(x / sqrt 2))
    const number = (value: number) => graph.constant([], [value]);
    const erf = graph.add('Erf', [graph.add('Mul', [x, number(Math.SQRT1_2)])]);
    const half = graph.add('Mul', [x, number(0.5)]);
    return graph.add('Mul', [half, graph.add('Add', [erf, number(1)])]);
  });
/** x times the sigmoid of x (Ramachandran et al. 2017), also called SiLU. */
export const swish = (): Layer =>
  pointwise('swish', { curve: 'swish' }, (graph, x) => graph.add('Mul', [x, graph.add('Sigmoid', [x])]));
