import type { Device } from '../../engine/device.js';
import { memberRange, perMember, together } from '../../engine/members.js';
import * as reduce from '../../engine/ops/reduce.js';
import { type Program, Recorder } from '../../engine/program.js';
import { recordDistributionMatching } from '../distribution-matching.js';
import { answersTo, type Call, type CallGeometry, type CallOptions, type Floats, meanOf } from './call.js';

/** Flat arrays; all sizes follow from the lengths. */
export interface DistributionMatchingOptions extends CallOptions {
  /** `[G, n, C, H, W]`, normalised pixels. */
  readonly images: ArrayLike<number>;
  /** `[G, B, C, H, W]` */
  readonly realImages: ArrayLike<number>;
  /** G: groups of images that are matched one by one, such as classes. */
  readonly groups: number;
}

/** Float32Array on `cpu` and `webgpu`; Float64Array on `reference`, which computes in float64. */
export interface DistributionMatching {
  /** Mean over the networks of the sum over the groups of the squared distance of their mean features from the real ones. */
  readonly loss: number;
  /** `[P]`: that sum. */
  readonly losses: Floats;
  /** `[G, n, C, H, W]`: gradient of `loss`. */
  readonly images: Floats;
}

interface Geometry extends CallGeometry {
  readonly groups: number;
  readonly n: number;
  readonly B: number;
}

const call: Call<DistributionMatchingOptions, Geometry> = {
  name: 'distributionMatching',
  known: { network: true, parameters: true, images: true, realImages: true, groups: true, signal: true },
  inputs: ['parameters', 'images', 'realImages'],

  sizesOf(_, given) {
    const groups = given.whole('groups');
    const images = (name: 'images' | 'realImages') =>
      given.rows(name, groups * given.pixels, name === 'images' ? '[G, n, C, H, W]' : '[G, B, C, H, W]');
    return { groups, n: images('images'), B: images('realImages') };
  },

  record({ network, members: P, groups, n, B }): Program {
    const r = new Recorder('distribution-matching');
    const theta = r.external('parameters', P, [network.count]);
    const images = r.external('images', 1, [groups, n, ...network.inputShape]);
    const real = r.external('realImages', 1, [groups, B, ...network.inputShape]);
    const losses = r.external('losses', P, [1]);
    const imagesBar = r.external('imagesBar', 1, images.shape);
    // The groups are the population here, so the networks come one after the other.
    for (let p = 0; p < P; p++) {
      const matched = recordDistributionMatching(r, {
        network,
        theta: memberRange(theta, p, 1),
        images: perMember(images),
        real: perMember(real),
      });
      reduce.members(r, { x: matched.distances }, 1, { into: memberRange(losses, p, 1) });
      reduce.members(r, { x: together(matched.images) }, 1 / P, { into: imagesBar, accumulate: p > 0 });
    }
    return r.program();
  },
};

/**
 * How far the mean features of images are from those of real ones, group by group, and the gradient of that with respect to the
 * images: what distribution matching minimises (Zhao & Bilen 2023). Features are what enters the last layer of the network, which
 * must be fully connected.
 *
 * Dropout drops nothing here.
 *
 * Numbers that are not finite are not refused: they come back as such.
 *
 * @throws ERR_SHAPE or ERR_OPTION for arrays or options that do not fit together, or a network without a classifier;
 * ERR_OUT_OF_MEMORY; ERR_DEVICE when the device was lost
 */
export async function distributionMatching(
  device: Device,
  options: DistributionMatchingOptions,
): Promise<DistributionMatching> {
  const { losses, imagesBar } = await answersTo(call, device, options);
  return { loss: meanOf(losses), losses, images: imagesBar };
}
