import * as random from '../engine/ops/random.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import { augment } from '../train/augmentation.js';
import { streams } from '../train/streams.js';
import { strategyOf } from './by-class.js';
import type { Setting } from './method.js';

/** Records a batch of real images x `[B, C, H, W]`, y `[B, K]` of all classes, every image augmented by a draw of its own. */
export function recordUniformBatch(
  r: Recorder,
  { real }: Setting,
  state: View,
  { batch: B, augmentation = 'none' }: { batch: number; augmentation?: string },
): { x: View; y: View } {
  const index = random.batch(r, { state }, { B, rows: real.count, stream: streams.batch });
  const { x, y } = real.batch(r, real.declare(r), index);
  const strategy = strategyOf(augmentation);
  return { x: strategy ? augment(r, x, { strategy, state, stream: streams.augmentation }).y : x, y };
}
