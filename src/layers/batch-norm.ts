import { add } from '../engine/ops/elementwise.js';
import * as norm from '../engine/ops/norm.js';
import { slice } from '../engine/view.js';
import { LimbeckError } from '../util/errors.js';
import { normParameters, normPasses } from './group-norm.js';
import type { Layer } from './layer.js';

/**
 * Batch norm (Ioffe and Szegedy 2015): every channel of a batch to mean 0 and variance 1, then `gamma y + beta`, theta =
 * (gamma `[C]`, beta `[C]`). eps is 1e-5. The statistics are part of every derivative, so the samples of a batch are
 * coupled. The formulae of all passes are in `engine/ops/norm.ts`. x, y `[N, C, ...map]`, `[N, C]` after a linear layer.
 *
 * Its statistics are `[2, C]`, means and then biased variances (divided by the number of elements, as the batch was
 * normalised). `mode.collect` receives those of the batch; with `mode.frozen` the layer normalises by the given ones,
 * constants of every derivative. Saves x and the statistics, and their tangents between the tangent passes.
 */
export function batchNorm(): Layer {
  const name = 'batchnorm';
  return {
    name,
    parameters: normParameters,
    outputShape: (inputShape) => inputShape,
    statistics: ([C]) => [[2, C]],
    onnx(graph, x, { parameters, statistics: [own] }) {
      const C = own.length / 2;
      const [mean, variance] = [0, 1].map((i) => graph.constant([C], own.subarray(i * C, (i + 1) * C)));
      return graph.add('BatchNormalization', [x, ...parameters, mean, variance], {
        epsilon: { float: 1e-5 },
      });
    },
    forward(r, x, [gamma, beta], mode = {}) {
      const statistics = mode.frozen?.[0];
      const collect = mode.collect?.[0];
      if (statistics && collect)
        throw new LimbeckError(
          'ERR_PROGRAM',
          `${name}: frozen and collect, expected one of them: a pass with given statistics has none of its own`,
        );
      const geometry = { groups: 'batch', eps: 1e-5, frozen: !!statistics } as const;
      const { y, saved } = norm.forward(r, { x, gamma, beta, statistics }, geometry);
      if (collect) {
        const own = slice(saved, 0, collect.shape);
        add(r, { a: own, b: own }, 1, 0, collect);
      }
      return normPasses(r, { x, y, saved }, geometry);
    },
  };
}
