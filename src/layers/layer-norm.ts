import * as norm from '../engine/ops/norm.js';
import { elements, reshape, type View } from '../engine/view.js';
import { normalisedGroups, normPasses } from './group-norm.js';
import type { Layer } from './layer.js';

/**
 * Layer norm (Ba et al. 2016) as PyTorch's `LayerNorm` over all but the batch: every sample to mean 0 and variance 1, then
 * `gamma y + beta` element by element, theta = (gamma `[C, ...map]`, beta `[C, ...map]`). eps is 1e-5. With gamma and beta
 * per channel it is group norm with one group.
 *
 * It is that group norm on the flattened sample, every element a channel: x, y `[N, C, ...map]` seen as `[N, C ...map]`.
 */
export function layerNorm(): Layer {
  return {
    name: 'layernorm',
    parameters(shape) {
      const fan = elements(shape);
      return [
        { name: 'weight', shape, kind: 'scale', fanIn: fan, fanOut: fan },
        { name: 'bias', shape, kind: 'shift', fanIn: fan, fanOut: fan },
      ];
    },
    outputShape: (inputShape) => inputShape,
    onnx(graph, x, { inputShape, parameters: [gamma, beta] }) {
      const n = normalisedGroups(graph, x, inputShape, 1);
      return graph.add('Add', [graph.add('Mul', [n, gamma]), beta]);
    },
    forward(r, input, parameters) {
      const features = [elements(input.shape.slice(1))];
      const flat = (views: readonly View[]) => views.map((view) => reshape(view, features));
      const back = (view: View | undefined) => view && reshape(view, input.shape);
      const geometry = { groups: 1, eps: 1e-5, frozen: false };
      const x = reshape(input, [input.shape[0], ...features]);
      const [gamma, beta] = flat(parameters);
      const { y, saved } = norm.forward(r, { x, gamma, beta }, geometry);
      const passes = normPasses(r, { x, y, saved }, geometry);
      return {
        y: reshape(y, input.shape),
        backward: (o) => back(passes.backward({ ...o, thetaBar: o.thetaBar && flat(o.thetaBar) })),
        tangentForward: (o) => back(passes.tangentForward({ ...o, thetaDot: flat(o.thetaDot) })),
        tangentBackward: (o) =>
          back(passes.tangentBackward({ ...o, thetaBarDot: o.thetaBarDot && flat(o.thetaBarDot) })),
      };
    },
  };
}
