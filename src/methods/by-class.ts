import { perMember, together } from '../engine/members.js';
import type { Recorder } from '../engine/program.js';
import { reshape, slice, type View } from '../engine/view.js';
import {
  augment,
  differentiableStrategies,
  isDifferentiable,
  parseStrategy,
  type Strategy,
} from '../train/augmentation.js';
import { copyInto } from '../train/groups.js';
import { streams } from '../train/streams.js';
import { type Option, text } from '../util/option.js';
import type { OuterStep } from './learner.js';
import type { Setting } from './method.js';

/** Real and distilled images of every class, the classes as members of the population. */
export interface ClassBatches {
  /** `[n, C, H, W]` of each class, augmented. */
  readonly images: View;
  /** `[B, C, H, W]` of each class, augmented by the same draw. */
  readonly real: View;
  /** `[B, K]` of each class. */
  readonly realLabels: View;
  /** Records the way back from the gradient of `images` to the items. */
  backward(imagesBar: View): void;
}

/** What is done to images on both sides: `none`, a strategy, or families joined by underscores. */
export const augmentationOption = (value: string, help: string): Option<string> =>
  text<string>(
    value,
    help,
    (given) => {
      const expected = `none, ${differentiableStrategies()}`;
      try {
        const strategy = strategyOf(String(given));
        return !strategy || isDifferentiable(strategy) ? undefined : expected;
      } catch {
        return expected;
      }
    },
    { value: 'none|dsa|dsa-digits|FAMILY_…' },
  );

export const strategyOf = (augmentation: string): Strategy | undefined =>
  augmentation === 'none' ? undefined : parseStrategy(augmentation);

/**
 * Records a batch of real images of every class beside the items of that class, both augmented by one draw for each class
 * (siamese augmentation, Zhao & Bilen 2021).
 */
export function recordClassBatches(
  r: Recorder,
  { real, items }: Setting,
  { state, items: images, itemsBar }: Pick<OuterStep, 'state' | 'items' | 'itemsBar'>,
  { batch, augmentation }: { batch: number; augmentation: string },
): ClassBatches {
  const K = items.classes;
  const shape = [K, images.shape[0] / K, ...items.shape];
  const strategy = strategyOf(augmentation);
  const drawn = real.batchByClass(r, real.declare(r), { state, B: batch, stream: streams.batch });
  const changed = (x: View) =>
    strategy && augment(r, x, { strategy, state, stream: streams.siamese, siamese: true });
  const mine = perMember(reshape(images, shape));
  const augmented = changed(mine);
  return {
    images: augmented?.y ?? mine,
    real: changed(drawn.x)?.y ?? drawn.x,
    realLabels: drawn.y,
    backward(imagesBar) {
      const own = augmented?.backward(imagesBar) ?? imagesBar;
      copyInto(r, together(own), reshape(itemsBar, shape));
    },
  };
}

/** One-hot labels `[n, K]` of every class, of a shared tensor `[count, K]`. */
export const labelsByClass = (labels: View, K: number): View =>
  perMember(reshape(labels, [K, labels.shape[0] / K, K]));

/** The first images of every class together, `[perClass * K, C, H, W]`: a batch of all classes. */
export function mixedBatch(r: Recorder, images: View, perClass: number): View {
  const some = slice(images, 0, [perClass, ...images.shape.slice(1)]);
  const batch = r.temporary('mixed', images.members, some.shape);
  copyInto(r, some, batch);
  return reshape(together(batch), [images.members * perClass, ...images.shape.slice(1)]);
}
