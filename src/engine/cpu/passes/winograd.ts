import type { Kernel, Sizes } from '../../kernel.js';
import type { Program } from '../../program.js';
import { backwardInputKernel, backwardWeightKernel, forwardKernel } from '../ops/winograd.js';
import { byKernels } from '../three-by-three.js';

/** The kernels that replace those of conv2d. */
const replacements: Readonly<Record<string, Kernel>> = {
  'conv2d.forward': forwardKernel,
  'conv2d.backwardInput': backwardInputKernel,
  'conv2d.backwardWeight': backwardWeightKernel,
};

/**
 * A tile takes 36 products instead of nine for each of its pixels, which pays where tiles are not mostly border. Below 16 channels
 * the transforms of maps cost as much as they save; with too few tiles the transform of the weights does, the more so where the
 * transformed weights (2.4 MB for 128 to 128 channels) do not stay in a cache.
 */
function pays(s: Sizes): boolean {
  const tiles = Math.ceil(s.OH / 4) * Math.ceil(s.OW / 4);
  return (
    Math.min(s.C, s.OC) >= 16 &&
    s.N * tiles >= (s.C * s.OC > 2 ** 15 ? 12 : 4) &&
    tiles <= 1024 &&
    2 * 36 * tiles <= 9 * s.OH * s.OW
  );
}

/** The same program with Winograd's algorithm for the convolutions where it pays. */
export const winograd = (program: Program): Program => byKernels(program, replacements, pays);
