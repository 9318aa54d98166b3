import * as avgpool2d from '../engine/ops/avgpool2d.js';
import type { View } from '../engine/view.js';
import type { Layer } from './layer.js';

/**
 * Average pooling, linear: `yDot = pool(xDot)`; `xBar` and `xBarDot` spread `yBar` and `yBarDot` over their windows.
 * x `[N, C, H, W]`, y `[N, C, OH, OW]`. Saves nothing.
 */
export function avgPool(geometry: avgpool2d.AvgPoolGeometry): Layer {
  const { kernel } = geometry;
  const name = `avgpool${typeof kernel === 'number' ? `${kernel}x${kernel}` : kernel.join('x')}`;
  return {
    name,
    parameters: () => [],
    outputShape: ([C, H, W]) => [C, ...avgpool2d.outputShape(name, [H, W], geometry)],
    onnx(graph, x) {
      const { stride, padding } = geometry;
      const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
      return graph.add('AveragePool', [x], {
        kernel_shape: [height, width],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
        count_include_pad: 1,
      });
    },
    forward(r, x) {
      const spread = (yBar: View) => avgpool2d.backward(r, { yBar }, geometry, x.shape);
      return {
        y: avgpool2d.forward(r, { x }, geometry),
        backward: ({ yBar, wantX }) => (wantX ? spread(yBar) : undefined),
        tangentForward: ({ xDot }) => xDot && avgpool2d.forward(r, { x: xDot }, geometry),
        tangentBackward: ({ yBarDot, wantX }) => (wantX && yBarDot ? spread(yBarDot) : undefined),
      };
    },
  };
}
