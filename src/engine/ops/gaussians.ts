import type { Kernel, Members, Sizes } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase } from '../op.js';
import type { Recorder } from '../program.js';
import type { View } from '../view.js';

/**
 * Images as sums of anisotropic Gaussians. Each has 5 + C numbers: two for its centre in pixels (right, down), three for the
 * triangular root of its inverse covariance, and a height for every channel.
 *
 *     u = (x[2] (w - x[0]) + x[3] (h - x[1])) / width²     v = x[4] (h - x[1]) / width²
 *     y[n,c,h,w] = sum over m of x[n,m,5+c] / width exp(-(u² + v²) / 2)
 *
 * With x[2] = x[4] = width and x[3] = 0 a Gaussian is round, of that standard deviation in pixels. Divided like this an image changes
 * about as much with each of the numbers, so that all of them are learned at one rate. Nothing is divided by what is learned, and any
 * numbers are a Gaussian: where the root is singular, one that is infinitely long.
 *
 * x `[N, M, 5 + C]`, y `[N, C, H, W]`.
 */
const sizes = ['P', 'N', 'M', 'C', 'H', 'W'] as const;

/** Calls `visit` for every pixel under every Gaussian of a member: places in x and in y, both for channel 0, and what they make. */
function forEachPixel(
  x: ReturnType<Members>,
  { N, M, C, H, W }: Sizes,
  width: number,
  visit: (at: number, pixel: number, g: Readonly<Record<'dw' | 'dh' | 'u' | 'v' | 'height', number>>) => void,
): void {
  for (let n = 0; n < N; n++)
    for (let m = 0; m < M; m++)
      for (let h = 0; h < H; h++)
        for (let w = 0; w < W; w++) {
          const at = (n * M + m) * (5 + C);
          const [dw, dh] = [w - x[at], h - x[at + 1]];
          const u = (x[at + 2] * dw + x[at + 3] * dh) / width ** 2;
          const v = (x[at + 4] * dh) / width ** 2;
          const height = Math.exp(-(u * u + v * v) / 2) / width;
          visit(at, (n * C * H + h) * W + w, { dw, dh, u, v, height });
        }
}

const flops = (s: Sizes) => s.P * s.N * s.M * s.H * s.W * (20 + 2 * s.C);

export const forwardKernel: Kernel = {
  name: 'gaussians.forward',
  operands: { x: 'read', y: 'write' },
  sizes,
  constants: ['width'],
  kind: 'nonlinear',
  reduction: (s) => s.M,
  flops,
  reference({ x, y }, s, { width }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp] = [x(p), y(p)];
      yp.fill(0);
      forEachPixel(xp, s, width, (at, pixel, { height }) => {
        for (let c = 0; c < s.C; c++) yp[pixel + c * s.H * s.W] += xp[at + 5 + c] * height;
      });
    }
  },
};

export const backwardKernel: Kernel = {
  name: 'gaussians.backward',
  operands: { x: 'read', yBar: 'read', xBar: 'write' },
  sizes,
  constants: ['width'],
  kind: 'nonlinear',
  reduction: (s) => s.H * s.W,
  flops,
  reference({ x, yBar, xBar }, s, { width }) {
    for (let p = 0; p < s.P; p++) {
      const [xp, yp, to] = [x(p), yBar(p), xBar(p)];
      to.fill(0);
      forEachPixel(xp, s, width, (at, pixel, { dw, dh, u, v, height }) => {
        let t = 0;
        for (let c = 0; c < s.C; c++) {
          const own = yp[pixel + c * s.H * s.W] * height;
          to[at + 5 + c] += own;
          t += xp[at + 5 + c] * own;
        }
        const [ut, vt] = [(u * t) / width ** 2, (v * t) / width ** 2];
        to[at] += ut * xp[at + 2];
        to[at + 1] += ut * xp[at + 3] + vt * xp[at + 4];
        to[at + 2] -= ut * dw;
        to[at + 3] -= ut * dh;
        to[at + 4] -= vt * dh;
      });
    }
  },
};

function sizesOf(op: string, x: View, [C, H, W]: readonly number[]): Sizes {
  expectRank(op, 'x', x, 'N M 5+C');
  const [N, M] = x.shape;
  expectShape(op, 'x', x, [N, M, 5 + C], `(N, M, 5 + C) because images have ${C} channels`);
  return { P: x.members, N, M, C, H, W };
}

/** The images `[N, C, H, W]` of Gaussians x `[N, M, 5 + C]`; `shape` is `[C, H, W]`. */
export function forward(
  r: Recorder,
  { x }: { x: View },
  shape: readonly number[],
  width: number,
  to: Into = {},
): View {
  const op = forwardKernel.name;
  const s = sizesOf(op, x, shape);
  const y = destination(r, op, 'y', s.P, [s.N, ...shape], to);
  r.push({ kernel: forwardKernel, operands: { x, y }, sizes: s, constants: { width }, accumulate: false });
  return y;
}

/** xBar, the gradient of the Gaussians, from that of their images. */
export function backward(
  r: Recorder,
  { x, yBar }: { x: View; yBar: View },
  width: number,
  to: Into = {},
): View {
  const op = backwardKernel.name;
  expectRank(op, 'yBar', yBar, 'N C H W');
  const s = sizesOf(op, x, yBar.shape.slice(1));
  expectShape(op, 'yBar', yBar, [s.N, s.C, s.H, s.W], `because x has the Gaussians of ${s.N} images`);
  const xBar = destination(r, op, 'xBar', s.P, x.shape, to);
  const operands = { x, yBar, xBar };
  r.push({ kernel: backwardKernel, operands, sizes: s, constants: { width }, accumulate: false });
  return xBar;
}

/** Gaussians in and around the image, narrow and wide, slanted both ways. */
function gaussians(count: number, [C, H, W]: readonly number[], width: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const wave = (k: number) => Math.sin(3 * i + 5 * k + 1);
    const heights = Array.from({ length: C }, (_, c) => 2 * wave(5 + c));
    const centre = [(0.5 + 0.6 * wave(0)) * W, (0.5 + 0.6 * wave(1)) * H];
    return [...centre, width * (1 + 0.6 * wave(2)), width * 0.5 * wave(3), width * wave(4), ...heights];
  }).flat();
}

export const cases: readonly OpCase[] = [
  { P: 1, N: 2, M: 3, shape: [3, 8, 6], width: 1.5 },
  { P: 2, N: 3, M: 1, shape: [1, 5, 9], width: 2 },
  { P: 1, N: 2, M: 20, shape: [2, 13, 33], width: 2.5 },
  { P: 1, N: 40, M: 96, shape: [3, 32, 32], width: 2, bench: true },
].flatMap(({ P, N, M, shape, width, bench }): OpCase[] => {
  const fill = { x: { kind: 'values', values: () => gaussians(P * N * M, shape, width) } } as const;
  const name = `P=${P} N=${N} M=${M} ${shape.join('x')}`;
  const [xShape, yShape] = [
    [N, M, 5 + shape[0]],
    [N, ...shape],
  ];
  return [
    {
      name: `gaussians.forward ${name}`,
      bench,
      fill,
      record(r) {
        forward(r, { x: r.external('x', P, xShape) }, shape, width, { into: r.external('y', P, yShape) });
      },
    },
    {
      name: `gaussians.backward ${name}`,
      bench,
      fill,
      record(r) {
        const operands = { x: r.external('x', P, xShape), yBar: r.external('yBar', P, yShape) };
        backward(r, operands, width, { into: r.external('xBar', P, xShape) });
      },
    },
  ];
});
