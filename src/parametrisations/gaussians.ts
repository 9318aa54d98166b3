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

/** Round Gaussians on a grid; their heights are the least squares' (with a ridge of a thousandth). */
function onGrid(items: Float32Array, [C, H, W]: readonly number[], M: number, width: number): Float32Array {
  const centres = grid(M, H, W);
  const heights = centres.map(([right, down]) =>
    Float64Array.from({ length: H * W }, (_, pixel) => {
      const squared = ((pixel % W) - right) ** 2 + (Math.floor(pixel / W) - down) ** 2;
      return Math.exp(-squared / (2 * width ** 2)) / width;
    }),
  );
  const gram = heights.map((a, i) => heights.map((b, j) => product(a, b) * (i === j ? 1.001 : 1)));
  const root = choleskyOf(gram);
  const numbers = 5 + C;
  const out = new Float32Array((items.length / (C * H * W)) * M * numbers);
  for (let map = 0; map < items.length / (H * W); map++) {
    const target = items.subarray(map * H * W, (map + 1) * H * W);
    const solved = solve(
      root,
      heights.map((own) => product(own, target)),
    );
    const [n, c] = [Math.floor(map / C), map % C];
    solved.forEach((height, m) => {
      const at = (n * M + m) * numbers;
      if (c === 0) out.set([...centres[m], width, 0, width], at);
      out[at + 5 + c] = height;
    });
  }
  return out;
}

function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The lower factor of a positive definite matrix. */
function choleskyOf(a: readonly (readonly number[])[]): number[][] {
  const l: number[][] = a.map(() => []);
  a.forEach((row, i) => {
    for (let j = 0; j <= i; j++) {
      const rest = row[j] - product(l[i].slice(0, j), l[j]);
      l[i][j] = i === j ? Math.sqrt(rest) : rest / l[j][j];
    }
  });
  return l;
}

function solve(l: readonly (readonly number[])[], b: readonly number[]): number[] {
  const x = [...b];
  for (let i = 0; i < x.length; i++) x[i] = (x[i] - product(l[i].slice(0, i), x)) / l[i][i];
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = i + 1; j < x.length; j++) x[i] -= l[j][i] * x[j];
    x[i] /= l[i][i];
  }
  return x;
}
