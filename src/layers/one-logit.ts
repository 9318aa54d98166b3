import * as elementwise from '../engine/ops/elementwise.js';
import * as linearOp from '../engine/ops/linear.js';
import { slice } from '../engine/view.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { Layer } from './layer.js';

/**
 * Two logits of one: `y = (0, x)`, so that softmax is `(1 - sigmoid x, sigmoid x)` and cross-entropy over two classes is the
 * logistic loss of a network with a single output. It is `y = x wᵀ` with the constant w = (0, 1):
 *
 *     backward  xBar = yBar w        tangent forward  yDot = xDot wᵀ        tangent backward  xBarDot = yBarDot w
 *
 * x `[N, 1]`, y `[N, 2]`.
 */
export function oneLogit(): Layer {
  const name = 'onelogit';
  return {
    name,
    parameters: () => [],
    outputShape(inputShape) {
      if (shapeText(inputShape) !== '[1]')
        throw new LimbeckError('ERR_SHAPE', `${name}: the input is ${shapeText(inputShape)}, expected [1]`);
      return [2];
    },
    onnx: (graph, x) => graph.add('MatMul', [x, graph.constant([1, 2], [0, 1])]),
    forward(r, x) {
      const w = elementwise.fill(r, 0, r.temporary('zero and one', 1, [2, 1]));
      elementwise.fill(r, 1, slice(w, 1, [1]));
      return {
        y: linearOp.forward(r, { x, w }),
        backward: ({ yBar, wantX }) => (wantX ? linearOp.backwardInput(r, { yBar, w }) : undefined),
        tangentForward: ({ xDot }) => xDot && linearOp.forward(r, { x: xDot, w }),
        tangentBackward: ({ yBarDot, wantX }) =>
          wantX && yBarDot ? linearOp.backwardInput(r, { yBar: yBarDot, w }) : undefined,
      };
    },
  };
}
