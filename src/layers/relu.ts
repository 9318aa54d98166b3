import * as reluOp from '../engine/ops/relu.js';
import type { Layer } from './layer.js';

/**
 * Rectifier `y = max(x, 0)`. Every other pass multiplies by the mask `y > 0`, a constant of the tangent:
 * `xBar = mask yBar`, `yDot = mask xDot`, `xBarDot = mask yBarDot` (the derivative almost everywhere). Saves y.
 */
export function relu(): Layer {
  return {
    name: 'relu',
    parameters: () => [],
    outputShape: (inputShape) => inputShape,
    onnx: (graph, x) => graph.add('Relu', [x]),
    forward(r, x) {
      const y = reluOp.forward(r, { x });
      return {
        y,
        backward: ({ yBar, wantX }) => (wantX ? reluOp.mask(r, { y, u: yBar }) : undefined),
        tangentForward: ({ xDot }) => xDot && reluOp.mask(r, { y, u: xDot }),
        tangentBackward: ({ yBarDot, wantX }) =>
          wantX && yBarDot ? reluOp.mask(r, { y, u: yBarDot }) : undefined,
      };
    },
  };
}
