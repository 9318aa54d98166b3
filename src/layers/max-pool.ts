import * as maxpool2d from '../engine/ops/maxpool2d.js';
import type { Layer } from './layer.js';

/**
 * Max pooling. With the winners held fixed it is linear: `yDot = xDot[winners]`, `xBar` and `xBarDot` send
 * `yBar` and `yBarDot` back to them. x `[N, C, H, W]`, y `[N, C, OH, OW]`. Saves the winners.
 */
export function maxPool(geometry: maxpool2d.PoolGeometry): Layer {
  const { stride, padding } = geometry;
  const [KH, KW] = maxpool2d.sidesOf(geometry);
  const name = `maxpool${KH}x${KW}`;
  return {
    name,
    parameters: () => [],
    outputShape: ([C, H, W]) => [C, ...maxpool2d.outputShape(name, [H, W], geometry)],
    onnx: (graph, x) =>
      graph.add('MaxPool', [x], {
        kernel_shape: [KH, KW],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
      }),
    forward(r, x) {
      const { y, index } = maxpool2d.forward(r, { x }, geometry);
      return {
        y,
        backward: ({ yBar, wantX }) =>
          wantX ? maxpool2d.backward(r, { yBar, index }, geometry, x.shape) : undefined,
        tangentForward: ({ xDot }) => xDot && maxpool2d.tangent(r, { xDot, index }, geometry),
        tangentBackward: ({ yBarDot, wantX }) =>
          wantX && yBarDot ? maxpool2d.backward(r, { yBar: yBarDot, index }, geometry, x.shape) : undefined,
      };
    },
  };
}
