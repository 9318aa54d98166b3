import { add } from '../engine/ops/elementwise.js';
import type { Recorder } from '../engine/program.js';
import type { View } from '../engine/view.js';
import type { Network } from '../networks/network.js';

/**
 * The statistics that a network with batch norm is scored with: one forward pass over each training batch under the
 * final parameters `theta` `[count]`, the means and variances of the batches averaged with equal weight, into
 * `[statisticsCount]`. Nothing then depends on how the test images are cut into pieces.
 *
 * This takes the place of PyTorch's running averages, which remember earlier parameters by a momentum and have the
 * unbiased variance; here it is the biased one, as in training.
 */
export function recordBatchStatistics(
  r: Recorder,
  members: number,
  network: Network,
  batches: readonly View[],
  theta: View,
  into: View,
): void {
  let sum: View | undefined;
  for (const [t, x] of batches.entries()) {
    const last = t === batches.length - 1;
    const own =
      last && !sum ? into : r.temporary('statistics of a batch', members, [network.statisticsCount]);
    network.forward(r, x, theta, { collect: own });
    if (!sum) sum = own;
    else if (last) add(r, { a: sum, b: own }, 1 / batches.length, 1 / batches.length, into);
    else sum = add(r, { a: sum, b: own });
  }
}
