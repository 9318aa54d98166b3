import * as elementwise from '../engine/ops/elementwise.js';
import * as reduce from '../engine/ops/reduce.js';
import * as rowcosine from '../engine/ops/rowcosine.js';
import type { Recorder } from '../engine/program.js';
import { elements, slice, type View } from '../engine/view.js';
import type { Network } from '../networks/network.js';
import { copyInto, type Groups, groupCount, inTurns, modeOfReal } from './groups.js';
import { type LossName, lossOf } from './loss.js';

/**
 * How far gradients are apart. With rows a of one and b of the other, `rows` adds up `1 - a·b / (|a| |b| + 1e-6)` over the
 * rows of every tensor of two or more dimensions, one for each output, and leaves the others out (Zhao, Mopuri & Bilen 2021);
 * `cosine` is the same of all parameters as one row; `squared` and `absolute` add up over all parameters.
 */
export type Distance = 'rows' | 'cosine' | 'squared' | 'absolute';
export const distances: readonly Distance[] = ['rows', 'cosine', 'squared', 'absolute'];

/** Added to the product of the norms. */
const epsilon = 1e-6;

/** Images, labels and the loss that has the gradient. */
export interface LabelledGroups extends Groups {
  readonly labels: View;
  /** Default cross-entropy. */
  readonly loss?: LossName;
}

export interface GradientMatching extends LabelledGroups {
  /** Real images and labels, whose gradient is to be matched. */
  readonly real: { readonly images: View; readonly labels: View };
  readonly distance: Distance;
}

/** Of every group, as members. */
export interface MatchedGradients {
  /** `[1]` */
  readonly distances: View;
  /** `[N, C, H, W]`: gradient of the distance. */
  readonly images: View;
  /** `[N, K]`: gradient of the distance. */
  readonly labels: View;
}

/** The passes of every group, and those of its mean loss. */
function recordPasses(r: Recorder, o: LabelledGroups) {
  const { network, theta, images, labels, loss = 'cross-entropy', mode } = o;
  const passes = network.forward(r, images, theta, mode);
  return { passes, loss: lossOf(loss).forward(r, passes.z, labels), scale: 1 / images.shape[0] };
}

/** Records the gradient of the mean loss of every group with respect to theta, `[count]` per group. */
export function recordGradients(r: Recorder, groups: LabelledGroups): View {
  const gradients = r.temporary('gradients', groupCount(groups), [groups.network.count]);
  inTurns(r, groups, (r, some, partOf) => {
    const { passes, loss, scale } = recordPasses(r, some);
    passes.backward(loss.backward(scale), { thetaBar: partOf(gradients) });
  });
  return gradients;
}

/** Records the distance of two gradients, `[1]` per member, and its own with respect to the first: both go where they are told. */
function recordDistance(
  r: Recorder,
  network: Network,
  { g, target }: { g: View; target: View },
  distance: Distance,
  { total, v }: { total: View; v: View },
): void {
  if (distance === 'rows' || distance === 'cosine') {
    const whole = { offset: 0, shape: [1, network.count] };
    const tensors =
      distance === 'cosine' ? [whole] : network.parameters.filter(({ shape }) => shape.length > 1);
    if (distance === 'rows') elementwise.fill(r, 0, v);
    tensors.forEach(({ offset, shape: [rows, ...row] }, index) => {
      const part = (view: View) => slice(view, offset, [rows, elements(row)]);
      const { losses } = rowcosine.match(r, { x: part(g), target: part(target) }, epsilon, { xBar: part(v) });
      reduce.sum(r, { x: losses }, 1, { into: total, accumulate: index > 0 });
    });
    return;
  }
  const difference = elementwise.add(r, { a: g, b: target }, 1, -1);
  if (distance === 'squared') {
    elementwise.add(r, { a: g, b: target }, 2, -2, v);
    reduce.dot(r, { a: difference, b: difference }, { into: total });
  } else {
    elementwise.sign(r, { x: difference }, v);
    reduce.dot(r, { a: difference, b: v }, { into: total });
  }
}

/**
 * Records how far the gradient g of each group's mean loss is from a real one, and the gradient of that with respect to the
 * group's images and labels (Zhao, Mopuri & Bilen 2021). With D the distance and `v = dD/dg`,
 *
 *     dD/dx = H_xw v         dD/dy = H_yw v
 *
 * are tangents of xBar and yBar in one tangent pass in direction `thetaDot = v`. Theta and the real gradient are constants.
 */
export function recordGradientMatching(r: Recorder, o: GradientMatching): MatchedGradients {
  const { network, real, distance } = o;
  const groups = groupCount(o);
  const target = recordGradients(r, { ...o, ...real, mode: modeOfReal(o.mode) });
  const results = {
    distances: r.temporary('distances', groups, [1]),
    images: r.temporary('imagesBar', groups, o.images.shape),
    labels: r.temporary('labelsBar', groups, o.labels.shape),
  };
  inTurns(r, o, (r, some, partOf) => {
    const { passes, loss, scale } = recordPasses(r, some);
    const [g, v] = ['g', 'v'].map((name) => r.temporary(name, groupCount(some), [network.count]));
    passes.backward(loss.backward(scale), { thetaBar: g });
    const to = { total: partOf(results.distances), v };
    recordDistance(r, network, { g, target: partOf(target) }, distance, to);

    const { zBarDot, yBarDot } = loss.tangentBackward(passes.tangentForward(v), scale);
    const xBarDot = passes.tangentBackward(zBarDot, { thetaDot: v, wantX: true })!;
    copyInto(r, xBarDot, partOf(results.images));
    copyInto(r, yBarDot, partOf(results.labels));
  });
  return results;
}
