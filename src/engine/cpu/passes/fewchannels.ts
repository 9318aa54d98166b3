import type { Kernel, Sizes } from '../../kernel.js';
import type { Program } from '../../program.js';
import { backwardWeightKernel, forwardKernel } from '../ops/fewchannels.js';
import { byKernels } from '../three-by-three.js';

/** The kernels that replace those of conv2d. */
const replacements: Readonly<Record<string, Kernel>> = {
  'conv2d.forward': forwardKernel,
  'conv2d.backwardWeight': backwardWeightKernel,
};

/** The colours of an image: with more channels, computing a map again takes longer than its way through memory. */
const mostChannels = 3;
/** Of shorter lines most of a vector is wasted. */
const leastColumns = 8;

const pays = (s: Sizes): boolean => s.C <= mostChannels && s.OC > s.C && s.OW >= leastColumns;

/**
 * The same program with 3x3 convolutions of few channels, and the gradients of their weights, plane by plane, so that they join the
 * strips of the norm, ReLU and pooling behind them. Those maps, the largest of a network, then never reach memory.
 */
export const fewChannels = (program: Program): Program => byKernels(program, replacements, pays);
