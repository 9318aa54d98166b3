import type { Elements, Kernel, Members, Sizes } from '../../kernel.js';
import * as conv2d from '../../ops/conv2d.js';
import * as linear from '../../ops/linear.js';
import { biasedKernels } from './biased.js';

/**
 * The products of `conv2d` and `linear` computed in tiles: the same operands and results, with the shape of the tiles as further
 * sizes. No layer records them, the pass `tiled` puts them in.
 */
const tileSizes = ['ROWS', 'COLUMNS', 'LX', 'LY', 'SLICES', 'DEPTH'] as const;

const inTiles = (kernel: Kernel, name: string): Kernel => ({
  ...kernel,
  name,
  sizes: [...kernel.sizes, ...tileSizes],
});

/**
 * The gradient of weights as `SPLIT` pieces, wBar `[SPLIT, ...]`: piece by piece of the sum's terms, which are cut
 * into as many runs of whole tiles. `terms` is how many there are, `imagesOf` where the terms of yBar lie.
 */
const inPieces = (
  kernel: Kernel,
  name: string,
  terms: (s: Sizes) => number,
  termOf: (s: Sizes, element: number) => number,
): Kernel => ({
  ...inTiles(kernel, name),
  sizes: [...kernel.sizes, 'SPLIT', ...tileSizes],
  reference(operands, s, constants, accumulate) {
    const run = Math.ceil(Math.ceil(terms(s) / s.DEPTH) / s.SPLIT) * s.DEPTH;
    for (let piece = 0; piece < s.SPLIT; piece++) {
      const ofPiece = (members: Members | undefined): Members | undefined =>
        members &&
        ((p) =>
          members(p).map((value, element) =>
            Math.floor(termOf(s, element) / run) === piece ? value : 0,
          ) as Elements);
      const wBar: Members = (p) => {
        const all = operands.wBar(p);
        const length = all.length / s.SPLIT;
        return all.subarray(piece * length, (piece + 1) * length) as Elements;
      };
      const { yBar, yBar2 } = operands;
      const own = { ...operands, yBar: ofPiece(yBar)!, yBar2: ofPiece(yBar2)!, wBar };
      kernel.reference(own, s, constants, accumulate);
    }
  },
});

export const tiledKernels = {
  'conv2d.forward': inTiles(conv2d.forwardKernel, 'tiledconv2d.forward'),
  'conv2d.backwardInput': inTiles(conv2d.backwardInputKernel, 'tiledconv2d.backwardInput'),
  'conv2d.backwardWeight': inPieces(
    biasedKernels['conv2d.backwardWeight'],
    'tiledconv2dweight.backwardWeight',
    (s) => s.N * s.OH * s.OW,
    (s, element) => Math.floor(element / (s.OC * s.OH * s.OW)) * s.OH * s.OW + (element % (s.OH * s.OW)),
  ),
  'linear.forward': inTiles(linear.forwardKernel, 'tiledlinear.forward'),
  'linear.backwardInput': inTiles(linear.backwardInputKernel, 'tiledlinear.backwardInput'),
  'linear.backwardWeight': inPieces(
    biasedKernels['linear.backwardWeight'],
    'tiledlinearweight.backwardWeight',
    (s) => s.N,
    (s, element) => Math.floor(element / s.O),
  ),
} satisfies Record<string, Kernel>;

/** The same in half precision, by matrix units. */
export const halfKernels: Readonly<Record<string, Kernel>> = Object.fromEntries(
  Object.entries(tiledKernels).map(([plain, kernel]) => [
    plain,
    { ...kernel, name: kernel.name.replace(/^tiled/, 'half') },
  ]),
);
