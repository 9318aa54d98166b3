import type { OpCase } from '../../op.js';
import * as conv2d from '../../ops/conv2d.js';
import { casesOf, threeByThree } from '../three-by-three.js';

/**
 * 3x3 convolutions of stride 1 over few input channels, plane by plane of the output, so that they can go strip by strip with the
 * norm behind them. The definitions are those of `conv2d`. No layer records them, the pass `fewChannels` puts them in.
 */
const planes = { channels: ['OC'], images: ['N'], perImage: ['x', 'x2'] };

export const forwardKernel = threeByThree('fewchannels.forward', conv2d.forwardKernel, {
  planes: { ...planes, perChannel: ['w', 'w2', 'b'] },
});
export const backwardWeightKernel = threeByThree('fewchannels.backwardWeight', conv2d.backwardWeightKernel, {
  planes: { ...planes, channelSums: ['wBar'] },
});

const kernels = { forward: forwardKernel, backwardWeight: backwardWeightKernel };

/** Blocks of planes that are not full, lines that are no whole vectors, and batches that are cut into pieces. */
export const cases: readonly OpCase[] = [
  { N: 2, C: 1, H: 8, W: 8, OC: 4, padding: 1 },
  { N: 3, C: 3, H: 7, W: 19, OC: 5, padding: 1 },
  { N: 2, C: 2, H: 6, W: 9, OC: 7, padding: 0, pairs: 2 as const },
  { N: 1, C: 1, H: 5, W: 28, OC: 3, padding: 3, accumulate: true },
  { P: 3, N: 2, C: 3, H: 5, W: 33, OC: 4, padding: 1, shared: 'first' as const },
  {
    P: 3,
    N: 2,
    C: 1,
    H: 4,
    W: 7,
    OC: 6,
    padding: 2,
    shared: 'second' as const,
    pairs: 2 as const,
    accumulate: true,
  },
  { N: 9, C: 3, H: 16, W: 17, OC: 20, padding: 1 },
].flatMap((shape) => casesOf(kernels, shape));
