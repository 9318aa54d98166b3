import * as maxpool2d from '../engine/ops/maxpool2d.js';
import type { Layer } from './layer.js';

/**
 * Max pooling. With the winners held fixed it is linear: `yDot = xDot[winners]`, `xBar` and `xBarDot` send
 * `yBar` and `yBarDot` back to them. x `[N, C, H, W]`, y `[N, C, OH, OW]`. Saves the winners.
 */
export function maxPool(geometry: maxpool2d.PoolGeometry): Layer {
  const { kernel, stride, padding } = geometry;
  const name = `maxpool${kernel}x${kernel}`;
  return {
    name,
    parameters: () => [],
    outputShape([C, H, W]) {
      const size = (axis: string, n: number) => maxpool2d.outputSize(name, axis, n, kernel, stride, padding);
      return [C, size('height', H), size('width', W)];
    },
    onnx: (graph, x) =>
      graph.add('MaxPool', [x], {
        kernel_shape: [kernel, kernel],
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
