import type { OpCase } from '../../op.js';
import * as conv2d from '../../ops/conv2d.js';
import { casesOf, threeByThree } from '../three-by-three.js';

/**
 * 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), where a tile of 4x4 outputs costs 36 products instead of 144.
 * With 6x6 inputs d, weights g and `u = G g Gᵀ`
 *
 *     y = Aᵀ [u . (Bᵀ d B)] A,   dBar = B [u . (A yBar Aᵀ)] Bᵀ,   gBar = Gᵀ [(Bᵀ d B) . (A yBar Aᵀ)] G
 *
 * where `.` is a product element by element, added up over input channels, output channels, or tiles: 36 matrix
 * products. In exact arithmetic these are the convolution and its two adjoints: the definitions are those of `conv2d`, and so are
 * the tolerances. No layer records them, the pass `winograd` puts them in.
 */
export const forwardKernel = threeByThree('winograd.forward', conv2d.forwardKernel);
export const backwardInputKernel = threeByThree('winograd.backwardInput', conv2d.backwardInputKernel);
export const backwardWeightKernel = threeByThree('winograd.backwardWeight', conv2d.backwardWeightKernel);

const kernels = {
  forward: forwardKernel,
  backwardInput: backwardInputKernel,
  backwardWeight: backwardWeightKernel,
};

/**
 * At least 16 channels, as in the pass: all pixels of a tile share its rounding errors, which with fewer channels may exceed the
 * tolerance of a pixel at the border that is a sum of few terms.
 */
export const cases: readonly OpCase[] = [
  { N: 2, C: 16, H: 8, W: 8, OC: 16, padding: 1 },
  { N: 3, C: 17, H: 7, W: 9, OC: 19, padding: 1 },
  { N: 2, C: 18, H: 6, W: 5, OC: 17, padding: 0, pairs: 2 as const },
  { N: 1, C: 21, H: 3, W: 10, OC: 33, padding: 2, accumulate: true },
  { P: 3, N: 2, C: 17, H: 5, W: 6, OC: 16, padding: 1, shared: 'first' as const },
  {
    P: 3,
    N: 2,
    C: 16,
    H: 4,
    W: 7,
    OC: 18,
    padding: 1,
    shared: 'second' as const,
    pairs: 2 as const,
    accumulate: true,
  },
  { P: 2, N: 1, C: 16, H: 1, W: 1, OC: 16, padding: 1, pairs: 2 as const },
].flatMap((shape) => casesOf(kernels, shape));
