import * as lrn from '../engine/ops/lrn.js';
import type { View } from '../engine/view.js';
import type { Layer } from './layer.js';

/**
 * Local response normalisation over channels, `y = x d^-beta` with `d = k + alpha / size * (sum of x^2 over the window)`
 * (Krizhevsky et al. 2012; PyTorch's `LocalResponseNorm`): the formulae of all passes are in `engine/ops/lrn.ts`.
 * x, y `[N, C, ...map]`. Saves x and d, and dDot between the tangent passes.
 */
export function localResponseNorm(geometry: lrn.LrnGeometry): Layer {
  return {
    name: `lrn-${geometry.size}`,
    parameters: () => [],
    outputShape: (inputShape) => inputShape,
    onnx(graph, x, { inputShape: [C, ...map] }) {
      // Not ONNX's LRN: its window of an even size lies the other way round.
      const { size, alpha, beta, k } = geometry;
      const planes = graph.reshape(graph.add('Mul', [x, x]), [0, 1, C, -1]);
      const mean = graph.add('AveragePool', [planes], {
        kernel_shape: [size, 1],
        pads: [Math.floor(size / 2), 0, Math.floor((size - 1) / 2), 0],
        count_include_pad: 1,
      });
      const number = (value: number) => graph.constant([], [value]);
      const scaled = graph.add('Mul', [graph.reshape(mean, [0, C, ...map]), number(alpha)]);
      const power = graph.add('Pow', [graph.add('Add', [scaled, number(k)]), number(-beta)]);
      return graph.add('Mul', [x, power]);
    },
    forward(r, x) {
      const { y, d } = lrn.forward(r, { x }, geometry);
      let dDot: View | undefined;
      return {
        y,
        backward: ({ yBar, wantX }) => (wantX ? lrn.backward(r, { x, d, yBar }, geometry) : undefined),
        tangentForward({ xDot }) {
          if (!xDot) return undefined;
          const result = lrn.tangent(r, { x, d, xDot }, geometry);
          dDot = result.dDot;
          return result.yDot;
        },
        tangentBackward({ yBar, yBarDot, xDot, wantX }) {
          if (!wantX) return undefined;
          if (xDot) return lrn.tangentBackward(r, { x, d, yBar, xDot, dDot: dDot!, yBarDot }, geometry);
          return yBarDot && lrn.backward(r, { x, d, yBar: yBarDot }, geometry);
        },
      };
    },
  };
}
