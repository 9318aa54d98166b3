import * as characteristic from '../engine/ops/characteristic.js';
import * as columns from '../engine/ops/columns.js';
import * as linear from '../engine/ops/linear.js';
import * as reduce from '../engine/ops/reduce.js';
import * as unitrows from '../engine/ops/unitrows.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import { copyInto, type Groups, groupCount, inTurns, modeOfReal } from './groups.js';

export interface CharacteristicMatching extends Groups {
  /** Real images `[B, C, H, W]` of every group. */
  readonly real: View;
  /** `[F, features]`: where characteristic functions are compared, before `scales`. */
  readonly frequencies: View;
  /** `[features]`: their scale along every feature, up to a common factor; left out, all are 1. */
  readonly scales?: View;
  /** Weight of the difference of amplitudes, 0 to 1; that of phases has the rest. */
  readonly alpha: number;
}

/** Of every group, as members, but for the scales. */
export interface MatchedCharacteristics {
  /** `[1]` */
  readonly distances: View;
  /** `[N, C, H, W]`: gradient of the distance. */
  readonly images: View;
  /** `[features]`: gradient of the sum of all distances; where there are scales. */
  readonly scales?: View;
}

/** Records the characteristic function of every group's features at unit length, each times its gain, and the ways back from it. */
function recordCharacteristic(
  r: Recorder,
  { network, theta, images, mode }: Groups,
  { frequencies, gain }: { frequencies: View; gain?: View },
) {
  const passes = network.featurePasses(r, images, theta, mode);
  const unit = unitrows.forward(r, { x: passes.features });
  const x = linear.forward(r, { x: gain ? columns.scale(r, { x: unit, gain }) : unit, w: frequencies });
  return {
    phi: characteristic.forward(r, { x }),
    /** The gradient of what enters the product with the frequencies. */
    backward(phiBar: View): View {
      const yBar = characteristic.backward(r, { x, phiBar });
      return linear.backwardInput(r, { yBar, w: frequencies });
    },
    gainBar: (bar: View, into: View) => columns.dot(r, { a: unit, b: bar }, { into }),
    imagesBar(bar: View): View {
      const yBar = gain ? columns.scale(r, { x: bar, gain }) : bar;
      return passes.backward(unitrows.backward(r, { x: passes.features, yBar }));
    },
  };
}

/**
 * Records how far the characteristic functions of each group's real and distilled features are apart, the mean over frequencies, and the
 * gradients of that with respect to the distilled images and the scales (Wang et al. 2025). Features have unit length.
 *
 * Frequencies are scaled along every feature, with a mean square of 1: without that the distance is largest where frequencies are
 * infinite, since a few images differ there from many, whatever they show.
 */
export function recordCharacteristicMatching(r: Recorder, o: CharacteristicMatching): MatchedCharacteristics {
  const { images, frequencies, scales, alpha } = o;
  const groups = groupCount(o);
  const [F, features] = frequencies.shape;
  const x = scales && reshape(scales, [1, features]);
  const length = Math.sqrt(features);
  const gain = x && reshape(unitrows.forward(r, { x }, length), [features]);
  const results = {
    distances: r.temporary('distances', groups, [1]),
    images: r.temporary('imagesBar', groups, images.shape),
  };
  const gainBars = gain && [0, 1].map(() => r.temporary('gainBar', groups, [features]));
  inTurns(r, o, (r, some, partOf) => {
    const given = { frequencies, gain };
    const target = recordCharacteristic(
      r,
      { ...some, images: partOf(o.real), mode: modeOfReal(some.mode) },
      given,
    );
    const mine = recordCharacteristic(r, some, given);
    const apart = characteristic.distance(r, { a: mine.phi, b: target.phi }, { alpha, scale: 1 / F });
    reduce.sum(r, { x: apart.distances }, 1, { into: partOf(results.distances) });
    const bar = mine.backward(apart.aBar);
    copyInto(r, mine.imagesBar(bar), partOf(results.images));
    if (!gainBars) return;
    mine.gainBar(bar, partOf(gainBars[0]));
    target.gainBar(target.backward(apart.bBar), partOf(gainBars[1]));
  });
  if (!x || !gainBars) return results;
  const sum = reduce.members(r, { x: gainBars[0] });
  reduce.members(r, { x: gainBars[1] }, 1, { into: sum, accumulate: true });
  return { ...results, scales: reshape(unitrows.backward(r, { x, yBar: sum }, length), [features]) };
}
