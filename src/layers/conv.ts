import * as bias from '../engine/ops/bias.js';
import * as conv2d from '../engine/ops/conv2d.js';
import { expectMap, type Layer, type ParameterShape } from './layer.js';

export interface ConvOptions extends conv2d.ConvGeometry {
  /** `false` leaves the bias out, where a norm that follows has one. */
  readonly bias?: boolean;
}

/**
 * Convolution: `y = x * w + b`, theta = (w `[OC, C / groups, KH, KW]`, b `[OC]` unless it is switched off), bilinear in (x, w).
 * `kernel` is height and width of w; one number for a square one.
 *
 *     backward          xBar = yBar *ᵀ w;   wBar = x ⋆ yBar;   bBar = Σ yBar
 *     tangent forward   yDot = x * wDot + bDot + xDot * w
 *     tangent backward  xBarDot = yBar *ᵀ wDot + yBarDot *ᵀ w;   wBarDot = x ⋆ yBarDot + xDot ⋆ yBar;   bBarDot = Σ yBarDot
 *
 * x `[N, C, H, W]`, y `[N, OC, OH, OW]`. Saves x.
 */
export function conv(OC: number, kernel: number | readonly [number, number], geometry: ConvOptions): Layer {
  const [KH, KW] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  const { stride, padding, groups = 1, dilation = 1, bias: biased = true } = geometry;
  const extras = `${groups > 1 ? `g${groups}` : ''}${dilation > 1 ? `d${dilation}` : ''}`;
  const name = `conv${KH}x${KW}-${OC}${extras && `-${extras}`}`;
  return {
    name,
    parameters(inputShape) {
      expectMap(name, inputShape);
      conv2d.expectGroups(name, inputShape[0], OC, groups);
      const C = inputShape[0] / groups;
      const [fanIn, fanOut] = [C * KH * KW, (OC / groups) * KH * KW];
      const weight: ParameterShape = {
        name: 'weight',
        shape: [OC, C, KH, KW],
        kind: 'weight',
        fanIn,
        fanOut,
      };
      return biased ? [weight, { name: 'bias', shape: [OC], kind: 'bias', fanIn, fanOut }] : [weight];
    },
    outputShape([, H, W]) {
      const size = (axis: string, n: number, K: number) =>
        conv2d.outputSize(name, axis, n, K, stride, padding, dilation);
      return [OC, size('height', H, KH), size('width', W, KW)];
    },
    onnx: (graph, x, { parameters }) =>
      graph.add('Conv', [x, ...parameters], {
        kernel_shape: [KH, KW],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
        dilations: [dilation, dilation],
        group: groups,
      }),
    forward(r, x, [w, b]) {
      return {
        y: conv2d.forward(r, { x, w, b }, geometry),
        backward({ yBar, thetaBar, wantX }) {
          if (thetaBar) {
            conv2d.backwardWeight(r, { x, yBar }, geometry, w.shape, { into: thetaBar[0] });
            if (biased) bias.backward(r, { yBar }, { into: thetaBar[1] });
          }
          return wantX ? conv2d.backwardInput(r, { yBar, w }, geometry, x.shape) : undefined;
        },
        tangentForward({ xDot, thetaDot: [wDot, bDot] }) {
          const second = xDot && { x: xDot, w };
          return conv2d.forward(r, { x, w: wDot, b: bDot, second }, geometry);
        },
        tangentBackward({ yBar, yBarDot, xDot, thetaDot: [wDot], thetaBarDot, wantX }) {
          if (thetaBarDot) {
            const [wBarDot, bBarDot] = thetaBarDot;
            const second = xDot && { x: xDot, yBar };
            conv2d.backwardWeight(r, { x, yBar: yBarDot!, second }, geometry, w.shape, { into: wBarDot });
            if (biased) bias.backward(r, { yBar: yBarDot! }, { into: bBarDot });
          }
          if (!wantX) return undefined;
          const second = { yBar: yBarDot!, w };
          return conv2d.backwardInput(r, { yBar, w: wDot, second }, geometry, x.shape);
        },
      };
    },
  };
}
