import * as augment from '../engine/ops/augment.js';
import * as augmentdraw from '../engine/ops/augmentdraw.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as optimizer from '../engine/ops/optimizer.js';
import * as random from '../engine/ops/random.js';
import * as reduce from '../engine/ops/reduce.js';
import type { Recorder } from '../engine/program.js';
import { reshape, type View } from '../engine/view.js';
import type { Strategy } from './augmentation.js';
import { gatherRows } from './gather-rows.js';
import { streams } from './streams.js';

/**
 * Records CutMix (Yun et al. 2019) of a batch x `[B, C, H, W]`, y `[B, K]`: into every image a box of another one is pasted, and their labels are
 * mixed by area. The box is drawn once for each member: a part of the area that is uniform (their beta distribution of 1 and 1), of the proportions
 * of the image, around any pixel, cut off at the edges; the label goes by what is left of it. The others are the batch in another order, one
 * for all members; of up to 99 images every order is equally likely.
 */
export function cutmix(
  r: Recorder,
  { x, y }: { x: View; y: View },
  { state, members, strategy }: { state: View; members: number; strategy: Strategy },
): { x: View; y: View } {
  const [B, , height, width] = x.shape;
  const box = { strategy: { ...strategy, families: ['cutmix'] as const }, stream: streams.cutmix };
  const draws = augmentdraw.rows(r, { state }, { ...box, height, width, members, R: 1 });
  const outside = (images: View) => augment.forward(r, { x: images, draws });
  const index = random.batch(r, { state }, { B, rows: B, stream: streams.cutmixOthers });
  const others = gatherRows(r, { images: x, labels: y, index });
  // What is kept is added to zeros: no pixel is rounded.
  const inside = elementwise.add(r, { a: others.x, b: outside(others.x) }, 1, -1);
  const ones = elementwise.fill(r, 1, r.temporary('ones', 1, [1, 1, height, width]));
  const kept = reduce.sum(r, { x: outside(ones) }, 1 / (height * width));
  const one = elementwise.fill(r, 1, r.temporary('one', 1, [1]));
  const rate = elementwise.add(r, { a: one, b: kept }, 1, -1);
  const difference = elementwise.add(r, { a: y, b: others.y }, 1, -1);
  const flat = (view: View) => reshape(view, [B * y.shape[1]]);
  const mixed = optimizer.sgd(r, { theta: flat(y), g: flat(difference), rate });
  return { x: elementwise.add(r, { a: outside(x), b: inside }), y: reshape(mixed, y.shape) };
}
