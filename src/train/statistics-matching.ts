import * as elementwise from '../engine/ops/elementwise.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import { copyInto, type Groups, groupCount, inTurns } from './groups.js';
import { lossOf } from './loss.js';

/** Batches of images, each a group, for a trained network with batch norm. */
export interface StatisticsMatching extends Groups {
  readonly labels: View;
  /** `[statisticsCount]`: what the network normalises by, and what the statistics of every batch are to be. */
  readonly statistics: View;
  /** Of the distances of the statistics beside the cross-entropy. */
  readonly weight: number;
}

/** Of every group, as members. */
export interface MatchedStatistics {
  /** `[1]` */
  readonly losses: View;
  /** `[N, C, H, W]`: gradient of the loss. */
  readonly images: View;
}

/**
 * Records the mean cross-entropy of each group plus `weight` times the sum, over layers of batch norm, of |m - mean| + |v - variance|, Euclidean
 * distances of the means and biased variances of what enters the layer from those it normalises by, and the gradient with respect to the
 * group's images (Yin et al. 2023, equations 4 and 5). The network normalises by its own statistics, not by those of the batch.
 */
export function recordStatisticsMatching(r: Recorder, o: StatisticsMatching): MatchedStatistics {
  const { network, images, labels, statistics, weight } = o;
  const groups = groupCount(o);
  const [N] = images.shape;
  const results = {
    losses: r.temporary('losses', groups, [1]),
    images: r.temporary('imagesBar', groups, images.shape),
  };
  inTurns(r, o, (r, some, partOf) => {
    const P = groupCount(some);
    const [collect, collectBar] = ['statistics of a group', 'statisticsBar'].map((name) =>
      r.temporary(name, P, [network.statisticsCount]),
    );
    const mode = { ...some.mode, frozen: statistics, collect, collectBar };
    const passes = network.forward(r, some.images, some.theta, mode);
    const crossEntropy = lossOf('cross-entropy').forward(r, passes.z, partOf(labels));
    const loss = partOf(results.losses);
    reduce.sum(r, { x: crossEntropy.losses() }, 1 / N, { into: loss });
    for (const { offset, shape } of network.statistics)
      for (const half of [0, 1]) {
        const size = elements(shape) / 2;
        const part = (vector: View) => slice(vector, offset + half * size, [size]);
        recordDistance(r, part(collect), part(statistics), weight, { loss, bar: part(collectBar) });
      }
    const imagesBar = passes.backward(crossEntropy.backward(1 / N), { wantX: true })!;
    copyInto(r, imagesBar, partOf(results.images));
  });
  return results;
}

/** Adds weight |x - target| to `loss` and writes its gradient; that of no distance is 0. */
function recordDistance(
  r: Recorder,
  x: View,
  target: View,
  weight: number,
  { loss, bar }: { loss: View; bar: View },
): void {
  const d = elementwise.add(r, { a: x, b: target }, 1, -1);
  const squaredStep = reduce.dot(r, { a: d, b: d });
  const one = elementwise.fill(r, 1, r.temporary('one', squaredStep.members, [1]));
  // 1 / |d|
  const inverse = optimizer.trust(r, { squaredNorm: one, squaredStep });
  const slope = (sign: 1 | -1) => elementwise.add(r, { a: inverse, b: inverse }, sign * weight, 0);
  reduce.dot(r, { a: slope(1), b: squaredStep }, { into: loss, accumulate: true });
  const theta = elementwise.fill(r, 0, r.temporary('zero', d.members, d.shape));
  optimizer.sgd(r, { theta, g: d, rate: slope(-1) }, { into: bar });
}
