import * as gather from '../engine/ops/gather.js';
import { following } from '../engine/ops/states.js';
import { slice, type View } from '../engine/view.js';
import type { Strategy } from './augmentation.js';
import { gatherRows } from './gather-rows.js';
import type { InnerLoop } from './inner-loop.js';
import { recordMinibatch } from './minibatch.js';

/** What the steps of an inner loop see of a set. */
export interface StepBatches {
  /** u32 `[4]`: its draw is the number of the first step. */
  readonly state: View;
  /** Networks with augmentations of their own. */
  readonly members: number;
  /** Steps there are. */
  readonly steps: number;
  /** Images per step. */
  readonly size: number;
  /** u32 `[R]`, 0 to R - 1 in order: needed where a step takes fewer than all R images. */
  readonly numbers?: View;
  /** What is done to them, every image with its own draw; nothing unless there is one. */
  readonly augmentation?: Strategy;
}

/**
 * Minibatches for an inner loop on one batch, the whole set (its `steps` is 1, its `epochs` the number of steps): the images that
 * `recordMinibatchStep` sees at the same `state`, and their way back to the set. Without `numbers` all images are in every step.
 */
export function stepBatches({
  state,
  members,
  steps,
  size,
  numbers,
  augmentation,
}: StepBatches): InnerLoop['change'] {
  if (!numbers && !augmentation) return undefined;
  let states: View;
  return (r, t, { x: images, y: labels }) => {
    if (t === 0) states ??= following(r, { state }, steps);
    const rows = images.shape[0];
    const { index, ...batch } = recordMinibatch(
      r,
      {
        ...{ state: slice(states, 4 * t, [4]), rows, augmentation },
        gather: (r, index) => (numbers ? gatherRows(r, { images, labels, index }) : { x: images, y: labels }),
      },
      { B: numbers ? size : rows, members },
    );
    return { ...batch, rows: numbers && gather.oneHot(r, { labels: numbers, index }, rows) };
  };
}
