import { expectRank } from '../engine/op.js';
import * as op from '../engine/ops/augment.js';
import type { Strategy as Movement } from '../engine/ops/augmentdraw.js';
import * as augmentdraw from '../engine/ops/augmentdraw.js';
import * as bias from '../engine/ops/bias.js';
import * as elementwise from '../engine/ops/elementwise.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { RandomSource } from '../layers/layer.js';
import { LimbeckError } from '../util/errors.js';

/** What is done to the images of a batch: one of `families` to each, where there are any, and then CutMix, where it says so. */
export interface Strategy extends Movement {
  /** Whether a box of another image is pasted into each, and their labels are mixed: see `cutmix`. */
  readonly cutmix?: boolean;
}

/** The families of DSA. */
const dsaFamilies = ['color', 'crop', 'cutout', 'flip', 'scale', 'rotate'] as const;

/** The parameters of DSA (Zhao & Bilen 2021), which most later methods use as they are. */
const dsa: Strategy = {
  families: dsaFamilies,
  mixed: false,
  brightness: 1,
  saturation: 2,
  contrast: 0.5,
  crop: 0.125,
  cutout: 0.5,
  scale: [1 / 1.2, 1.2],
  rotate: 15,
  area: [1, 1],
  mirrored: false,
};

/** What SRe2L (Yin et al. 2023) and RDED (Sun et al. 2024) do to images, as ordinary training does. */
const resizedCrop: Strategy = {
  ...dsa,
  families: ['resizedcrop'],
  mixed: true,
  area: [0.08, 1],
  mirrored: true,
};

/**
 * Strategies with a name. `dc-mnist` is what DC (Zhao, Mopuri & Bilen 2021) does to images of digits when it evaluates: a shift
 * by -4 to 3 of 28 pixels, another size of 0.8 to 1.2 times the sides, or a turn by -45 to 44 whole degrees, one of them for
 * each image, filled with the mean of the batch. `resized-crop` is a random resized crop of 8 to 100 % of each image, mirrored half of the time;
 * `resized-crop-digits` is not mirrored.
 */
export const strategies: Readonly<Record<string, Strategy>> = {
  dsa,
  'dsa-digits': { ...dsa, families: dsaFamilies.filter((family) => family !== 'flip') },
  'dc-mnist': {
    ...dsa,
    families: ['shift', 'resize', 'turn'],
    mixed: true,
    crop: 4 / 28,
    scale: [0.8, 1.2],
    rotate: 45,
  },
  'resized-crop': resizedCrop,
  'resized-crop-digits': { ...resizedCrop, mirrored: false },
};

const spelled = `resized-crop:area=0.5, or different ones of ${dsaFamilies.join(', ')} joined by underscores, such as crop_rotate`;

/**
 * A strategy by its name, resized crops with the least part of the area that they have (`resized-crop:area=0.5`) or the least and the
 * most (`resized-crop:area=0.1-0.5`), or families of DSA joined by underscores: `color_crop_cutout_flip_scale_rotate`. Any of them with `+cutmix`, or `cutmix` alone. Throws ERR_OPTION for anything else.
 */
export function parseStrategy(text: string): Strategy {
  if (text === 'cutmix') return { ...dsa, families: [], cutmix: true };
  const [, moving] = /^(.+)\+cutmix$/.exec(text) ?? [];
  return moving === undefined ? parseMovement(text) : { ...parseMovement(moving), cutmix: true };
}

function parseMovement(text: string): Strategy {
  if (Object.hasOwn(strategies, text)) return strategies[text];
  const [, name, least, most = 1] =
    /^(resized-crop(?:-digits)?):area=([\d.]+)(?:-([\d.]+))?$/.exec(text) ?? [];
  const area = [Number(least), Number(most)] as const;
  if (area[0] > 0 && area[0] <= area[1] && area[1] <= 1) return { ...strategies[name], area };
  const names = text.split('_');
  const chosen = dsaFamilies.filter((family) => names.includes(family));
  if (chosen.length !== names.length)
    throw new LimbeckError(
      'ERR_OPTION',
      `augmentation is "${text}", expected ${Object.keys(strategies).join(', ')}, ${spelled}; cutmix, or one of these with +cutmix`,
    );
  return { ...dsa, families: chosen };
}

export interface AugmentOptions extends RandomSource {
  readonly strategy: Strategy;
  /**
   * One draw for all images of a batch, and the same one for every batch that is augmented from the same state and
   * stream, whatever its size: what gradient matching does to real and distilled images.
   */
  readonly siamese?: boolean;
  /** 1 for draws that all members share, default one set for each member of x. */
  readonly members?: number;
  /** Global number of the first member: 0 unless a population is split. */
  readonly firstMember?: number;
}

/**
 * An augmented batch with its other passes, all with the same draws; shapes are those of x. A strategy that fills with the mean
 * of the batch has no other passes: they would go through that mean as well, and the strategy is for training alone.
 */
export interface Augmented {
  /** A x + b. */
  readonly y: View;
  /** A xDot. */
  tangent(xDot: View): View;
  /** The transpose of A times yBar; per member when yBar or the draws are. */
  backward(yBar: View): View;
}

/** Whether a gradient may go through it: not where the mean of the batch fills what comes from outside, or images are mixed. */
export const isDifferentiable = (strategy: Strategy): boolean => !fills(strategy) && !strategy.cutmix;

/** Those that a gradient may go through, in words. */
export const differentiableStrategies = (): string => {
  const names = Object.keys(strategies).filter((name) => isDifferentiable(strategies[name]));
  return `${names.join(', ')}, ${spelled}`;
};

const fills = ({ families }: Strategy) => families.includes('shift') || families.includes('turn');

/** `[C]`: the mean of each channel over the batch. */
function channelMeans(r: Recorder, x: View): View {
  const [N, , H, W] = x.shape;
  const sums = bias.backward(r, { yBar: x });
  return elementwise.add(r, { a: sums, b: sums }, 1 / (N * H * W), 0);
}

/** Records what a strategy does to the images x `[N, C, H, W]`. A state that is left alone gives the same draws again. */
export function augment(r: Recorder, x: View, options: AugmentOptions): Augmented {
  expectRank('augment', 'x', x, 'N C H W');
  const { strategy, state, stream, siamese = false, members = x.members, firstMember } = options;
  const [N, , height, width] = x.shape;
  const R = siamese ? 1 : N;
  const draws = augmentdraw.rows(r, { state }, { strategy, stream, firstMember, height, width, members, R });
  const fill = fills(strategy) ? channelMeans(r, x) : undefined;
  const alone = () => {
    if (fill)
      throw new LimbeckError(
        'ERR_PROGRAM',
        `augment: ${strategy.families.join(', ')} fill with the mean of the batch and are for training alone, expected no gradient through them`,
      );
  };
  return {
    y: op.forward(r, { x, draws, fill }),
    tangent(xDot) {
      alone();
      return op.tangent(r, { xDot, draws });
    },
    backward(yBar) {
      alone();
      return op.backward(r, { yBar, draws });
    },
  };
}
