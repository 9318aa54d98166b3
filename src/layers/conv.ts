import * as bias from '../engine/ops/bias.js';
import * as conv2d from '../engine/ops/conv2d.js';
import { LimbeckError, shapeText } from '../util/errors.js';
import type { Layer } from './layer.js';

/**
 * Convolution with bias: `y = x * w + b`, theta = (w `[OC, C, K, K]`, b `[OC]`), bilinear in (x, w).
 *
 *     backward          xBar = yBar *ᵀ w;   wBar = x ⋆ yBar;   bBar = Σ yBar
 *     tangent forward   yDot = x * wDot + bDot + xDot * w
 *     tangent backward  xBarDot = yBar *ᵀ wDot + yBarDot *ᵀ w;   wBarDot = x ⋆ yBarDot + xDot ⋆ yBar;   bBarDot = Σ yBarDot
 *
 * x `[N, C, H, W]`, y `[N, OC, OH, OW]`. Saves x.
 */
export function conv(OC: number, K: number, geometry: conv2d.ConvGeometry): Layer {
  const name = `conv${K}x${K}-${OC}`;
  return {
    name,
    parameters(inputShape) {
      if (inputShape.length !== 3)
        throw new LimbeckError(
          'ERR_SHAPE',
          `${name}: the input is ${shapeText(inputShape)}, expected [C, H, W]`,
        );
      const [C] = inputShape;
      const [fanIn, fanOut] = [C * K * K, OC * K * K];
      return [
        { name: 'weight', shape: [OC, C, K, K], kind: 'weight', fanIn, fanOut },
        { name: 'bias', shape: [OC], kind: 'bias', fanIn, fanOut },
      ];
    },
    outputShape([, H, W]) {
      const size = (axis: string, n: number) =>
        conv2d.outputSize(name, axis, n, K, geometry.stride, geometry.padding);
      return [OC, size('height', H), size('width', W)];
    },
    forward(r, x, [w, b]) {
      return {
        y: conv2d.forward(r, { x, w, b }, geometry),
        backward({ yBar, thetaBar, wantX }) {
          if (thetaBar) {
            conv2d.backwardWeight(r, { x, yBar }, geometry, w.shape, { into: thetaBar[0] });
            bias.backward(r, { yBar }, { into: thetaBar[1] });
          }
          return wantX ? conv2d.backwardInput(r, { yBar, w }, geometry, x.shape) : undefined;
        },
        tangentForward({ xDot, thetaDot: [wDot, bDot] }) {
          const yDot = conv2d.forward(r, { x, w: wDot, b: bDot }, geometry);
          if (xDot) conv2d.forward(r, { x: xDot, w }, geometry, { into: yDot, accumulate: true });
          return yDot;
        },
        tangentBackward({ yBar, yBarDot, xDot, thetaDot: [wDot], thetaBarDot, wantX }) {
          if (thetaBarDot) {
            const [wBarDot, bBarDot] = thetaBarDot;
            conv2d.backwardWeight(r, { x, yBar: yBarDot! }, geometry, w.shape, { into: wBarDot });
            if (xDot)
              conv2d.backwardWeight(r, { x: xDot, yBar }, geometry, w.shape, {
                into: wBarDot,
                accumulate: true,
              });
            bias.backward(r, { yBar: yBarDot! }, { into: bBarDot });
          }
          if (!wantX) return undefined;
          const xBarDot = conv2d.backwardInput(r, { yBar, w: wDot }, geometry, x.shape);
          return conv2d.backwardInput(r, { yBar: yBarDot!, w }, geometry, x.shape, {
            into: xBarDot,
            accumulate: true,
          });
        },
      };
    },
  };
}
