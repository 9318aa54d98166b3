import * as conv2d from '../engine/ops/conv2d.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import { expectMap, type Layer } from './layer.js';

/**
 * Transposed convolution, the way back of a convolution from its output to its input: `y = x *ᵀ w`, theta = w `[C, OC, K, K]` as
 * PyTorch has it, without a bias, bilinear in (x, w). With a kernel of 4, stride 2 and padding 1 it doubles height and width.
 *
 *     backward          xBar = yBar * w;   wBar = yBar ⋆ x
 *     tangent forward   yDot = x *ᵀ wDot + xDot *ᵀ w
 *     tangent backward  xBarDot = yBar * wDot + yBarDot * w;   wBarDot = yBarDot ⋆ x + yBar ⋆ xDot
 *
 * x `[N, C, H, W]`, y `[N, OC, OH, OW]` with OH = (H - 1) stride - 2 padding + K. Saves x.
 */
export function convTranspose(OC: number, K: number, geometry: conv2d.ConvGeometry): Layer {
  const { stride, padding } = geometry;
  const name = `convtranspose${K}x${K}-${OC}`;
  const outputShape = ([, ...map]: readonly number[]) => {
    const sizes = map.map((size) => (size - 1) * stride - 2 * padding + K);
    if (sizes.some((size) => size < 1))
      throw new LimbeckError(
        'ERR_SHAPE',
        `${name}: padding ${padding} leaves nothing of the map of ${shapeText(map)}, expected less`,
      );
    return [OC, ...sizes];
  };
  return {
    name,
    parameters(inputShape) {
      expectMap(name, inputShape);
      const C = inputShape[0];
      // Each output meets the inputs under one of stride x stride parts of the kernel.
      const [fanIn, fanOut] = [Math.ceil((C * K * K) / stride ** 2), OC * K * K];
      return [{ name: 'weight', shape: [C, OC, K, K], kind: 'weight', fanIn, fanOut }];
    },
    outputShape,
    onnx: (graph, x, { parameters }) =>
      graph.add('ConvTranspose', [x, ...parameters], {
        kernel_shape: [K, K],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
      }),
    forward(r, x, [w]) {
      const yShape = [x.shape[0], ...outputShape(x.shape.slice(1))];
      return {
        y: conv2d.backwardInput(r, { yBar: x, w }, geometry, yShape),
        backward({ yBar, thetaBar, wantX }) {
          if (thetaBar)
            conv2d.backwardWeight(r, { x: yBar, yBar: x }, geometry, w.shape, { into: thetaBar[0] });
          return wantX ? conv2d.forward(r, { x: yBar, w }, geometry) : undefined;
        },
        tangentForward({ xDot, thetaDot: [wDot] }) {
          const second = xDot && { yBar: xDot, w };
          return conv2d.backwardInput(r, { yBar: x, w: wDot, second }, geometry, yShape);
        },
        tangentBackward({ yBar, yBarDot, xDot, thetaDot: [wDot], thetaBarDot, wantX }) {
          if (thetaBarDot) {
            const second = xDot && { x: yBar, yBar: xDot };
            const into = thetaBarDot[0];
            conv2d.backwardWeight(r, { x: yBarDot!, yBar: x, second }, geometry, w.shape, { into });
          }
          if (!wantX) return undefined;
          return conv2d.forward(r, { x: yBar, w: wDot, second: { x: yBarDot!, w } }, geometry);
        },
      };
    },
  };
}
