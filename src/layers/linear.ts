import * as bias from '../engine/ops/bias.js';
import * as linearOp from '../engine/ops/linear.js';
import { elements, reshape } from '../engine/view.js';
import type { Layer } from './layer.js';

/**
 * Fully connected layer: `y = x wᵀ + b`, theta = (w `[O, I]`, b `[O]`), bilinear in (x, w). An input map
 * `[C, H, W]` is flattened.
 *
 *     backward          xBar = yBar w;   wBar = yBarᵀ x;   bBar = Σ yBar
 *     tangent forward   yDot = x wDotᵀ + bDot + xDot wᵀ
 *     tangent backward  xBarDot = yBar wDot + yBarDot w;   wBarDot = yBarDotᵀ x + yBarᵀ xDot;   bBarDot = Σ yBarDot
 *
 * x `[N, I]`, y `[N, O]`. Saves x.
 */
export function linear(O: number): Layer {
  return {
    name: `linear-${O}`,
    fullyConnected: true,
    parameters(inputShape) {
      const I = elements(inputShape);
      return [
        { name: 'weight', shape: [O, I], kind: 'weight', fanIn: I, fanOut: O },
        { name: 'bias', shape: [O], kind: 'bias', fanIn: I, fanOut: O },
      ];
    },
    outputShape: () => [O],
    onnx: (graph, x, { parameters }) =>
      graph.add('Gemm', [graph.add('Flatten', [x]), ...parameters], { transB: 1 }),
    forward(r, input, [w, b]) {
      const flat = [input.shape[0], elements(input.shape.slice(1))];
      const x = reshape(input, flat);
      return {
        y: linearOp.forward(r, { x, w, b }),
        backward({ yBar, thetaBar, wantX }) {
          if (thetaBar) {
            linearOp.backwardWeight(r, { x, yBar }, { into: thetaBar[0] });
            bias.backward(r, { yBar }, { into: thetaBar[1] });
          }
          return wantX ? reshape(linearOp.backwardInput(r, { yBar, w }), input.shape) : undefined;
        },
        tangentForward({ xDot, thetaDot: [wDot, bDot] }) {
          const second = xDot && { x: reshape(xDot, flat), w };
          return linearOp.forward(r, { x, w: wDot, b: bDot, second });
        },
        tangentBackward({ yBar, yBarDot, xDot, thetaDot: [wDot], thetaBarDot, wantX }) {
          if (thetaBarDot) {
            const [wBarDot, bBarDot] = thetaBarDot;
            const second = xDot && { x: reshape(xDot, flat), yBar };
            linearOp.backwardWeight(r, { x, yBar: yBarDot!, second }, { into: wBarDot });
            bias.backward(r, { yBar: yBarDot! }, { into: bBarDot });
          }
          if (!wantX) return undefined;
          const xBarDot = linearOp.backwardInput(r, { yBar, w: wDot, second: { yBar: yBarDot!, w } });
          return reshape(xBarDot, input.shape);
        },
      };
    },
  };
}
