import type { Device } from '../../engine/device.js';
import { memberRange, perMember, together } from '../../engine/members.js';
import * as reduce from '../../engine/ops/reduce.js';
import { type Program, Recorder } from '../../engine/program.js';
import { type Distance, distances, recordGradientMatching } from '../gradient-matching.js';
import { answersTo, type Call, type CallGeometry, type CallOptions, type Floats, meanOf } from './call.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface GradientMatchingOptions extends CallOptions {
  /** `[G, n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[G, n, K]`, hard or soft. */
  readonly labels: ArrayLike<number>;
  /** `[G, B, C, H, W]` */
  readonly realImages: ArrayLike<number>;
  /** `[G, B, K]` */
  readonly realLabels: ArrayLike<number>;
  /** G: groups of images that are matched one by one, such as classes. */
  readonly groups: number;
  /**
   * How far the gradient a of a group's images is from that of its real ones, b:
   *
   * - `rows`: the sum over the rows of every tensor of two or more dimensions, one for each output, of
   *   `1 - a·b / (|a| |b| + 1e-6)`; tensors of one dimension are left out
   * - `cosine`: the same of all parameters as one row
   * - `squared`, `absolute`: the sum over all parameters of `(a - b)²`, `|a - b|`
   */
  readonly distance: Distance;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface GradientMatching {
  /** Mean over the networks of the sum over the groups of their distances. */
  readonly loss: number;
  /** `[P]`: that sum. */
  readonly losses: Floats;
  /** `[G, n, C, H, W]`: gradient of `loss`. */
  readonly images: Floats;
  /** `[G, n, K]`: gradient of `loss`. */
  readonly labels: Floats;
}

interface Geometry extends CallGeometry {
  readonly groups: number;
  readonly n: number;
  readonly B: number;
  readonly distance: Distance;
}

const call: Call<GradientMatchingOptions, Geometry> = {
  name: 'gradientMatching',
  known: {
    network: true,
    parameters: true,
    images: true,
    labels: true,
    realImages: true,
    realLabels: true,
    groups: true,
    distance: true,
    signal: true,
  },
  inputs: ['parameters', 'images', 'labels', 'realImages', 'realLabels'],

  sizesOf(_, given) {
    const groups = given.whole('groups');
    const distance = given.oneOf('distance', distances);
    const { classes } = given.network;
    const n = given.rows('images', groups * given.pixels, '[G, n, C, H, W]');
    const B = given.rows('realImages', groups * given.pixels, '[G, B, C, H, W]');
    given.exactly('labels', groups * n * classes, '[G, n, K]');
    given.exactly('realLabels', groups * B * classes, '[G, B, K]');
    return { groups, n, B, distance };
  },

  record({ network, members: P, groups, n, B, distance }): Program {
    const r = new Recorder('gradient-matching');
    const theta = r.external('parameters', P, [network.count]);
    const batch = (images: string, labels: string, N: number) => ({
      images: r.external(images, 1, [groups, N, ...network.inputShape]),
      labels: r.external(labels, 1, [groups, N, network.classes]),
    });
    const own = batch('images', 'labels', n);
    const real = batch('realImages', 'realLabels', B);
    const losses = r.external('losses', P, [1]);
    const bars = batch('imagesBar', 'labelsBar', n);
    const byGroup = ({ images, labels }: typeof own) => ({
      images: perMember(images),
      labels: perMember(labels),
    });
    // The groups are the population here, so the networks come one after the other.
    for (let p = 0; p < P; p++) {
      const networks = { network, theta: memberRange(theta, p, 1) };
      const matched = recordGradientMatching(r, {
        ...networks,
        ...byGroup(own),
        real: byGroup(real),
        distance,
      });
      reduce.members(r, { x: matched.distances }, 1, { into: memberRange(losses, p, 1) });
      for (const name of ['images', 'labels'] as const)
        reduce.members(r, { x: together(matched[name]) }, 1 / P, { into: bars[name], accumulate: p > 0 });
    }
    return r.program();
  },
};

/**
 * How far the gradients that networks get from images are from those that they get from real ones, group by group, and the
 * exact gradient of that with respect to the images and labels: what gradient matching minimises (Zhao, Mopuri & Bilen 2021). The
 * gradients are those of the mean cross-entropy; nothing flows into the networks or the real gradients.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together; ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was
 * lost
 */
export async function gradientMatching(
  device: Device,
  options: GradientMatchingOptions,
): Promise<GradientMatching> {
  const { losses, imagesBar, labelsBar } = await answersTo(call, device, options);
  return { loss: meanOf(losses), losses, images: imagesBar, labels: labelsBar };
}
