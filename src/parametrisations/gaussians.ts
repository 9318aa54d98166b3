import { dot } from '../data/selection/vectors.js';
import * as cholesky from '../engine/ops/cholesky.js';
import * as op from '../engine/ops/gaussians.js';
import { elements } from '../engine/view.js';
import { images, type Parametrisation, tooMany } from './parametrisation.js';

const options = { images };

/**
 * Every item is a sum of anisotropic Gaussians, of 5 + C numbers each: centre, root of the inverse covariance and a height for every
 * channel, as `engine/ops/gaussians.ts` has them. First they are round, on a grid, with the heights that come nearest to the first items.
 */
export const parametrisation: Parametrisation<typeof options> = {
  name: 'gaussians',
  source:
    'Jiang, Li, Zhao, Shan, Wu, Su: Beyond Pixels: Efficient Dataset Distillation via Sparse Gaussian Representation, 2025',
  options,
  perPicture: ({ images }) => images,
  decoder(pictures, shape, { images }) {
    const [C, H, W] = shape;
    const [N, M] = [pictures * images, Math.floor(elements(shape) / images / (5 + C))];
    if (M < 1) throw tooMany(images, `each has the ${5 + C} numbers of a Gaussian`);
    // Neighbours on the grid then meet where they have fallen to about two thirds.
    const width = 0.6 * Math.sqrt((H * W) / M);
    return {
      perPicture: images,
      variables: { gaussians: [N, M, 5 + C] },
      encode: (items) => ({ gaussians: onGrid(items, shape, M, width) }),
      decode(r, { gaussians }, bars) {
        const itemsBar = bars && r.temporary('itemsBar', 1, [N, ...shape]);
        return {
          items: op.forward(r, { x: gaussians }, shape, width),
          itemsBar,
          backward() {
            if (itemsBar) op.backward(r, { x: gaussians, yBar: itemsBar }, width, { into: bars.gaussians });
          },
        };
      },
    };
  },
};

/** Centres of M Gaussians: rows as high as they are wide, as evenly filled as can be. */
function grid(M: number, H: number, W: number): [right: number, down: number][] {
  const rows = Math.min(M, Math.max(1, Math.round(Math.sqrt((M * H) / W))));
  return Array.from({ length: rows }, (_, row) => {
    const [from, to] = [row, row + 1].map((end) => Math.floor((end * M) / rows));
    return Array.from({ length: to - from }, (_, i): [number, number] => [
      ((i + 0.5) * W) / (to - from) - 0.5,
      ((row + 0.5) * H) / rows - 0.5,
    ]);
  }).flat();
}

/** Round Gaussians on a grid; their heights are the least squares', with a ridge of a thousandth. */
function onGrid(items: Float32Array, [C, H, W]: readonly number[], M: number, width: number): Float32Array {
  const centres = grid(M, H, W);
  const bells = centres.map(([right, down]) =>
    Float64Array.from({ length: H * W }, (_, pixel) => {
      const squared = ((pixel % W) - right) ** 2 + (Math.floor(pixel / W) - down) ** 2;
      return Math.exp(-squared / (2 * width ** 2)) / width;
    }),
  );
  const maps = items.length / (H * W);
  const gram = Float64Array.from({ length: M * M }, (_, at) =>
    dot(bells[Math.floor(at / M)], 0, bells[at % M], 0, H * W),
  );
  const l = new Float64Array(M * M);
  cholesky.factorKernel.reference({ a: () => gram, l: () => l }, { P: 1, n: M }, { ridge: 1e-3 }, false);
  const b = Float64Array.from({ length: M * maps }, (_, at) =>
    dot(bells[Math.floor(at / maps)], 0, items, (at % maps) * H * W, H * W),
  );
  const heights = new Float64Array(M * maps);
  const operands = { l: () => l, b: () => b, x: () => heights };
  cholesky.solveKernel.reference(operands, { P: 1, n: M, K: maps }, {}, false);
  const numbers = Array.from({ length: maps / C }, (_, n) =>
    centres.map((centre, m) => {
      const own = heights.subarray(m * maps + n * C, m * maps + (n + 1) * C);
      return [...centre, width, 0, width, ...own];
    }),
  );
  return Float32Array.from(numbers.flat(2));
}
