import { reshape, type View } from '../engine/view.js';
import { expectMap, type Layer } from './layer.js';

/**
 * Every row of every map as a map of its own: x `[N, C, H, W]`, y `[N, C H, 1, W]`, the same numbers in the same order. A
 * convolution behind it joins all steps of a sequence.
 */
export function rowsAsChannels(): Layer {
  const name = 'rowsaschannels';
  return {
    name,
    parameters: () => [],
    outputShape(inputShape) {
      expectMap(name, inputShape);
      const [C, H, W] = inputShape;
      return [C * H, 1, W];
    },
    onnx: (graph, x, { inputShape: [C, H, W] }) => graph.reshape(x, [0, C * H, 1, W]),
    forward(_, x) {
      const [N, C, H, W] = x.shape;
      const rows = (view: View) => reshape(view, [N, C * H, 1, W]);
      return {
        y: rows(x),
        backward: ({ yBar, wantX }) => (wantX ? reshape(yBar, x.shape) : undefined),
        tangentForward: ({ xDot }) => xDot && rows(xDot),
        tangentBackward: ({ yBarDot, wantX }) => (wantX && yBarDot ? reshape(yBarDot, x.shape) : undefined),
      };
    },
  };
}
