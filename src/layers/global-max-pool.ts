import * as maxpool2d from '../engine/ops/maxpool2d.js';
import { reshape, type View } from '../engine/view.js';
import { expectMap, type Layer } from './layer.js';

/**
 * The maximum of every map: max pooling with one window of the whole map, linear with the winners held fixed. Behind a
 * convolution over the whole width of a sequence it is the maximum over time (Collobert et al. 2011).
 * x `[N, C, H, W]`, y `[N, C]`. Saves the winners.
 */
export function globalMaxPool(): Layer {
  const name = 'globalmaxpool';
  return {
    name,
    parameters: () => [],
    outputShape(inputShape) {
      expectMap(name, inputShape);
      return [inputShape[0]];
    },
    onnx: (graph, x) => graph.add('Flatten', [graph.add('GlobalMaxPool', [x])]),
    forward(r, x) {
      const [N, C, H, W] = x.shape;
      const geometry: maxpool2d.PoolGeometry = { kernel: [H, W], stride: 1, padding: 0 };
      const { y, index } = maxpool2d.forward(r, { x }, geometry);
      const sendBack = (yBar: View) =>
        maxpool2d.backward(r, { yBar: reshape(yBar, [N, C, 1, 1]), index }, geometry, x.shape);
      return {
        y: reshape(y, [N, C]),
        backward: ({ yBar, wantX }) => (wantX ? sendBack(yBar) : undefined),
        tangentForward: ({ xDot }) =>
          xDot && reshape(maxpool2d.tangent(r, { xDot, index }, geometry), [N, C]),
        tangentBackward: ({ yBarDot, wantX }) => (wantX && yBarDot ? sendBack(yBarDot) : undefined),
      };
    },
  };
}
