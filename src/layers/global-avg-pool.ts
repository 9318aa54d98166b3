import { type AvgPoolGeometry, backward, forward } from '../engine/ops/avgpool2d.js';
import { reshape, type View } from '../engine/view.js';
import { expectMap, type Layer } from './layer.js';

/**
 * The mean of every map: average pooling with one window of the whole map, linear in the same way.
 * x `[N, C, H, W]`, y `[N, C]`. Saves nothing.
 */
export function globalAvgPool(): Layer {
  const name = 'globalavgpool';
  return {
    name,
    parameters: () => [],
    outputShape(inputShape) {
      expectMap(name, inputShape);
      return [inputShape[0]];
    },
    onnx: (graph, x) => graph.add('Flatten', [graph.add('GlobalAveragePool', [x])]),
    forward(r, x) {
      const [N, C, H, W] = x.shape;
      const geometry: AvgPoolGeometry = { kernel: [H, W], stride: 1, padding: 0 };
      const pool = (map: View) => reshape(forward(r, { x: map }, geometry), [N, C]);
      const spread = (yBar: View) => backward(r, { yBar: reshape(yBar, [N, C, 1, 1]) }, geometry, x.shape);
      return {
        y: pool(x),
        backward: ({ yBar, wantX }) => (wantX ? spread(yBar) : undefined),
        tangentForward: ({ xDot }) => xDot && pool(xDot),
        tangentBackward: ({ yBarDot, wantX }) => (wantX && yBarDot ? spread(yBarDot) : undefined),
      };
    },
  };
}
