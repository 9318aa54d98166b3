import { add, fill } from '../engine/ops/elementwise.js';
import * as norm from '../engine/ops/norm.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
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
 *
 * The gradient of collected means m and variances v of M elements a channel is `xBar += mBar / M + 2 vBar (x - m) / M`: a norm by (m, 1) with
 * gamma = 2 vBar / M and beta = mBar / M.
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
      const [collect, collectBar] = [mode.collect?.[0], mode.collectBar?.[0]];
      if (collectBar && !collect)
        throw new LimbeckError(
          'ERR_PROGRAM',
          `${name}: collectBar without collect, expected both: the gradient of statistics that are asked for`,
        );
      const geometry = { groups: 'batch', eps: 1e-5, frozen: !!statistics } as const;
      const { y, saved } = norm.forward(r, { x, gamma, beta, statistics }, geometry);
      if (collect) {
        const ofBatch = statistics ? norm.forward(r, { x, gamma, beta }, geometry).saved : saved;
        const own = slice(ofBatch, 0, collect.shape);
        add(r, { a: own, b: own }, 1, 0, collect);
      }
      const passes = normPasses(r, { x, y, saved }, geometry);
      if (!collect || !collectBar) return passes;
      // What is collected may be written over before the way back.
      const [C] = gamma.shape;
      const centre = r.temporary('centre', collect.members, [2, C]);
      add(r, { a: collect, b: collect }, 1, 0, centre);
      fill(r, 1, slice(centre, C, [C]));
      return {
        ...passes,
        backward(o) {
          const xBar = passes.backward(o);
          return xBar && add(r, { a: xBar, b: recordStatisticsBar(r, x, centre, collectBar) });
        },
        tangentForward() {
          throw new LimbeckError(
            'ERR_PROGRAM',
            `${name}: a tangent of a pass with collectBar, expected none: the gradient of its statistics is of first order`,
          );
        },
      };
    },
  };
}

/** What the gradient of the statistics `[2, C]` of x gives to x; `centre` `[2, C]` holds its means, and ones. */
function recordStatisticsBar(r: Recorder, x: View, centre: View, bar: View): View {
  const [N, C, ...map] = x.shape;
  const M = N * elements(map);
  const part = (i: number, factor: number) => {
    const own = slice(bar, i * C, [C]);
    return add(r, { a: own, b: own }, factor, 0);
  };
  const operands = { x, gamma: part(1, 2 / M), beta: part(0, 1 / M), statistics: centre };
  return norm.forward(r, operands, { groups: 'batch', eps: 1e-30 }).y;
}
