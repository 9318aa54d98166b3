import type { ExpertTraining } from '../../data/experts/experts.js';
import type { SplitOnDevice } from '../../data/on-device.js';
import * as elementwise from '../../engine/ops/elementwise.js';
import * as random from '../../engine/ops/random.js';
import { type Program, Recorder } from '../../engine/program.js';
import { strategyOf } from '../../methods/by-class.js';
import type { Network } from '../../networks/network.js';
import { batchesOf, declareMinibatches } from '../../train/minibatch.js';
import { streams } from '../../train/streams.js';

/** Experts `first` .. `first + members - 1`, which are trained at once. */
export interface Members {
  readonly first: number;
  readonly members: number;
}

/**
 * Records one step of training of all members. Each has its own order of the images, as if its images were a class of their own:
 * `order` holds the rows once for each member, and the number of its class is the number of the expert.
 */
export function recordExperts(
  network: Network,
  training: ExpertTraining,
  split: SplitOnDevice,
  { first, members }: Members,
): Program {
  const r = new Recorder('train experts');
  const rows = split.count;
  const externals = split.declare(r);
  const order = r.external('order', 1, [members * rows], 'u32');
  const starts = r.external('starts', 1, [members + 1], 'u32');
  const theta = declareMinibatches(r, members, {
    network,
    training,
    rows,
    flat: training.flat,
    gap: training.gap,
    draw: (r, state, B) =>
      random.batchByClass(r, { state, order, starts }, { B, stream: streams.expertBatch, firstClass: first }),
    gather: (r, index) => split.batch(r, externals, index),
    augmentation: strategyOf(training.augmentation),
  });
  if (training.mean) {
    // Of the parameters after every step of an epoch, before which it is zero.
    const mean = r.external('mean', members, [network.count]);
    const more = elementwise.add(r, { a: mean, b: theta }, 1, 1 / batchesOf(training, rows).perEpoch);
    elementwise.add(r, { a: more, b: more }, 1, 0, mean);
  }
  return r.program();
}

/** The values of `order` and `starts`. */
export const orderOf = (rows: number, members: number) => ({
  order: Uint32Array.from({ length: members * rows }, (_, i) => i % rows),
  starts: Uint32Array.from({ length: members + 1 }, (_, p) => p * rows),
});
