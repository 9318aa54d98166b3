import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { copyInto, type Groups, groupCount, inTurns, modeOfReal } from './groups.js';

export interface DistributionMatching extends Groups {
  /** Real images, whose mean features are to be matched. */
  readonly real: View;
}

/** Of every group, as members. */
export interface MatchedDistributions {
  /** `[1]` */
  readonly distances: View;
  /** `[N, C, H, W]`: gradient of the distance. */
  readonly images: View;
}

/** A column `[N, 1]` of one number: a mean over N rows is a product with it, and so is the way back. */
export const column = (r: Recorder, N: number, value: number): View =>
  elementwise.fill(r, value, r.temporary('column', 1, [N, 1]));

/** The features of every group, and their mean `[1, features]`, which goes `into` where that is given. */
function recordMean(r: Recorder, { network, theta, images, mode }: Groups, into?: View) {
  const passes = network.featurePasses(r, images, theta, mode);
  const [N] = images.shape;
  const mean = linear.backwardWeight(r, { x: passes.features, yBar: column(r, N, 1 / N) }, { into });
  return { passes, mean };
}

/** Records the mean features of every group, `[features]` per group; nothing is kept for a way back. */
export function recordMeanFeatures(r: Recorder, groups: Groups): View {
  const { features } = groups.network;
  const means = r.temporary('means', groupCount(groups), [1, features]);
  inTurns(r, groups, (r, some, partOf) => void recordMean(r, some, partOf(means)));
  return reshape(means, [features]);
}

/**
 * Records the squared distance of each group's mean features from a real mean, and its gradient with respect to the group's
 * images (Zhao & Bilen 2023).
 */
export function recordDistributionMatching(r: Recorder, o: DistributionMatching): MatchedDistributions {
  const { images, real } = o;
  const groups = groupCount(o);
  const [N] = images.shape;
  const target = recordMeanFeatures(r, { ...o, images: real, mode: modeOfReal(o.mode) });
  const results = {
    distances: r.temporary('distances', groups, [1]),
    images: r.temporary('imagesBar', groups, images.shape),
  };
  inTurns(r, o, (r, some, partOf) => {
    const { passes, mean } = recordMean(r, some);
    const difference = elementwise.add(r, { a: mean, b: partOf(target) }, 1, -1);
    reduce.dot(r, { a: difference, b: difference }, { into: partOf(results.distances) });
    const featuresBar = linear.backwardInput(r, { yBar: column(r, N, 2 / N), w: difference });
    copyInto(r, passes.backward(featuresBar), partOf(results.images));
  });
  return results;
}
