import { type Elements, type Kernel, type OpCase, pairCount, pairsOf } from '../../kernel.js';
import * as conv2d from '../../ops/conv2d.js';
import type { Recorder, Sizes, View } from '../../program.js';

/**
 * 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), where a tile of 4x4 outputs costs 36 products instead of 144.
 * With 6x6 inputs d, weights g and `u = G g Gᵀ`
 *
 *     y = Aᵀ [u . (Bᵀ d B)] A,   dBar = B [u . (A yBar Aᵀ)] Bᵀ,   gBar = Gᵀ [(Bᵀ d B) . (A yBar Aᵀ)] G
 *
 * where `.` is a product element by element, added up over input channels, output channels, or tiles: 36 matrix
 * products. These are the convolution and its two adjoints exactly, in numbers without rounding. u is made by a step of its own,
 * which serves all that read the same weights; no layer records these ops, the pass `winograd` puts them in.
 *
 * u `[36, weightsPoint(depth, columns)]` holds at each point a matrix `[depth, columns]` in panels of 32 columns, and a line
 * of zeros. depth is C and columns is OC; for backwardInput u is turned and they are OC and C.
 */
const panel = 32;

/** Elements of one point of u. */
export const weightsPoint = (depth: number, columns: number): number =>
  Math.ceil(columns / panel) * panel * depth + 16;

const weightAt = (point: number, depth: number, columns: number, k: number, column: number): number =>
  point * weightsPoint(depth, columns) + (Math.floor(column / panel) * depth + k) * panel + (column % panel);

type Matrix = readonly (readonly number[])[];
const transposed = (m: Matrix): Matrix => m[0].map((_, j) => m.map((row) => row[j]));

/** The points are 0, ±a, ±b and infinity: exact in float32, and chosen for small rounding errors. */
const [a, b] = [5 / 8, 3 / 2];
const atZero = 1 / (a * b) ** 2;
const [atA, atB] = [1 / (2 * a * a * (a * a - b * b)), 1 / (2 * b * b * (b * b - a * a))];
const inputs: Matrix = [
  [(a * b) ** 2, 0, -(a * a + b * b), 0, 1, 0],
  [0, -a * b * b, -b * b, a, 1, 0],
  [0, a * b * b, -b * b, -a, 1, 0],
  [0, -b * a * a, -a * a, b, 1, 0],
  [0, b * a * a, -a * a, -b, 1, 0],
  [0, (a * b) ** 2, 0, -(a * a + b * b), 0, 1],
];
const outputs: Matrix = [
  [1, 1, 1, 1, 1, 0],
  [0, a, -a, b, -b, 0],
  [0, a * a, a * a, b * b, b * b, 0],
  [0, a ** 3, -(a ** 3), b ** 3, -(b ** 3), 1],
];
const weights: Matrix = [
  [atZero, 0, 0],
  [atA, atA * a, atA * a * a],
  [atA, -atA * a, atA * a * a],
  [atB, atB * b, atB * b * b],
  [atB, -atB * b, atB * b * b],
  [0, 0, 1],
];

/** `m x mᵀ`. */
function transform(m: Matrix, x: Matrix): Matrix {
  const times = (left: Matrix, right: Matrix) =>
    left.map((row) => right[0].map((_, j) => row.reduce((sum, value, k) => sum + value * right[k][j], 0)));
  return times(times(m, x), transposed(m));
}

/** A tile of one map: `size` pixels either way from (h, w) on; what lies outside is zero. */
function cut(map: Elements, H: number, W: number, h: number, w: number, size: number): Matrix {
  const inside = (i: number, j: number) => h + i >= 0 && h + i < H && w + j >= 0 && w + j < W;
  const pixel = (i: number, j: number) => (inside(i, j) ? map[(h + i) * W + w + j] : 0);
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => pixel(i, j)));
}

/** Adds a tile to one map; what lies outside is lost. */
function addTile(map: Elements, H: number, W: number, h: number, w: number, tile: Matrix): void {
  for (const [i, row] of tile.entries())
    for (const [j, value] of row.entries())
      if (h + i >= 0 && h + i < H && w + j >= 0 && w + j < W) map[(h + i) * W + w + j] += value;
}

/** Calls `visit` with the image and the first output pixel of every tile. */
function forEachTile(s: Sizes, visit: (n: number, h: number, w: number) => void): void {
  for (let n = 0; n < s.N; n++)
    for (let h = 0; h < s.OH; h += 4) for (let w = 0; w < s.OW; w += 4) visit(n, h, w);
}

const count = (length: number) => Array.from({ length }, (_, i) => i);
const mapOf = (x: Elements, channels: number, plane: number, n: number, c: number) =>
  x.subarray((n * channels + c) * plane, (n * channels + c + 1) * plane);
const inputTile = (x: Elements, s: Sizes, n: number, c: number, h: number, w: number) =>
  transform(inputs, cut(mapOf(x, s.C, s.H * s.W, n, c), s.H, s.W, h - s.padding, w - s.padding, 6)).flat();
const outputTile = (yBar: Elements, s: Sizes, n: number, oc: number, h: number, w: number) =>
  transform(transposed(outputs), cut(mapOf(yBar, s.OC, s.OH * s.OW, n, oc), s.OH, s.OW, h, w, 4)).flat();
const rows = (values: readonly number[]): Matrix => count(6).map((i) => values.slice(6 * i, 6 * i + 6));

/** The sum over channels of values at the points and their weights, as a 6x6 matrix. */
const weigh = (values: readonly number[][], u: Elements, depth: number, columns: number, column: number) =>
  rows(
    count(36).map((point) =>
      values.reduce((sum, v, k) => sum + v[point] * u[weightAt(point, depth, columns, k, column)], 0),
    ),
  );

const sizes = ['P', 'N', 'C', 'H', 'W', 'OC', 'OH', 'OW', 'padding'] as const;
/** Those of the convolution that is meant: fewer are done. */
const multiplyAdds: Kernel['flops'] = (s, operands) =>
  2 * pairCount(operands) * s.P * s.N * s.OC * s.OH * s.OW * s.C * 9;
// Sums with signs: bounded by how far the result moves, not by absolute values.
const common = { sizes, constants: [], kind: 'nonlinear', flops: multiplyAdds } as const;

export const weightsKernel: Kernel = {
  name: 'winograd.weights',
  operands: { w: 'read', u: 'write' },
  sizes: ['P', 'OC', 'C', 'turned'],
  constants: [],
  kind: 'nonlinear',
  reduction: () => 9,
  flops: (s) => 2 * s.P * s.OC * s.C * (18 * 3 + 36 * 3),
  reference({ w, u }, s) {
    const [depth, columns] = s.turned ? [s.OC, s.C] : [s.C, s.OC];
    for (let p = 0; p < s.P; p++) {
      const [wp, up] = [w(p), u(p)];
      up.fill(0);
      for (let oc = 0; oc < s.OC; oc++)
        for (let c = 0; c < s.C; c++) {
          const [k, column] = s.turned ? [oc, c] : [c, oc];
          const filter = wp.subarray((oc * s.C + c) * 9, (oc * s.C + c + 1) * 9);
          transform(weights, cut(filter, 3, 3, 0, 0, 3))
            .flat()
            .forEach((value, point) => {
              up[weightAt(point, depth, columns, k, column)] = value;
            });
        }
    }
  },
};

export const forwardKernel: Kernel = {
  ...common,
  name: 'winograd.forward',
  operands: { x: 'read', u: 'read', x2: 'optional', u2: 'optional', b: 'optional', y: 'write' },
  reduction: (s, operands) => pairCount(operands) * s.C * 9 + 1,
  reference({ x, u, x2, u2, b, y }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const yp = y(p);
      for (let i = 0; i < yp.length; i++)
        yp[i] = (accumulate ? yp[i] : 0) + (b ? b(p)[Math.floor(i / (s.OH * s.OW)) % s.OC] : 0);
      for (const [xp, up] of pairsOf(p, [x, u], [x2, u2]))
        forEachTile(s, (n, h, w) => {
          const tiles = count(s.C).map((c) => inputTile(xp, s, n, c, h, w));
          for (let oc = 0; oc < s.OC; oc++) {
            const tile = transform(outputs, weigh(tiles, up, s.C, s.OC, oc));
            addTile(mapOf(yp, s.OC, s.OH * s.OW, n, oc), s.OH, s.OW, h, w, tile);
          }
        });
    }
  },
};

export const backwardInputKernel: Kernel = {
  ...common,
  name: 'winograd.backwardInput',
  operands: { yBar: 'read', u: 'read', yBar2: 'optional', u2: 'optional', xBar: 'write' },
  reduction: (s, operands) => pairCount(operands) * s.OC * 9 + 1,
  reference({ yBar, u, yBar2, u2, xBar }, s, _, accumulate) {
    for (let p = 0; p < s.P; p++) {
      const xp = xBar(p);
      if (!accumulate) xp.fill(0);
      for (const [yp, up] of pairsOf(p, [yBar, u], [yBar2, u2]))
        forEachTile(s, (n, h, w) => {
          const tiles = count(s.OC).map((oc) => outputTile(yp, s, n, oc, h, w));
          for (let c = 0; c < s.C; c++) {
            const tile = transform(transposed(inputs), weigh(tiles, up, s.OC, s.C, c));
            addTile(mapOf(xp, s.C, s.H * s.W, n, c), s.H, s.W, h - s.padding, w - s.padding, tile);
          }
        });
    }
  },
};

export const backwardWeightKernel: Kernel = {
  ...common,
  name: 'winograd.backwardWeight',
  operands: { x: 'read', yBar: 'read', x2: 'optional', yBar2: 'optional', wBar: 'write' },
  // No weights at the points go in or out: held to what a plain convolution is held to.
  kind: 'multilinear',
  reduction: (s, operands) => pairCount(operands) * s.N * s.OH * s.OW + 1,
  reference({ x, yBar, x2, yBar2, wBar }, s, constants, accumulate) {
    const plain = { ...s, KH: 3, KW: 3, stride: 1, G: 1, dilation: 1 };
    const { reference } = conv2d.backwardWeightKernel;
    reference({ x, yBar, wBar }, plain, constants, accumulate);
    if (x2 && yBar2) reference({ x: x2, yBar: yBar2, wBar }, plain, constants, true);
  },
};

interface CaseShape {
  N: number;
  C: number;
  H: number;
  W: number;
  OC: number;
  padding: number;
  P?: number;
  /** Which factors of every pair the population shares. */
  shared?: 'first' | 'second';
  pairs?: 1 | 2;
  accumulate?: boolean;
}

function casesOf(shape: CaseShape): OpCase[] {
  const { N, C, H, W, OC, padding, P = 1, shared, pairs = 1, accumulate = false } = shape;
  const [OH, OW] = [H + 2 * padding - 2, W + 2 * padding - 2];
  const geometry = { P, N, C, H, W, OC, OH, OW, padding };
  const [x, y, w] = [
    [N, C, H, W],
    [N, OC, OH, OW],
    [OC, C, 3, 3],
  ];
  const u = [36, weightsPoint(C, OC)];
  const turned = [36, weightsPoint(OC, C)];
  const name =
    `P=${P} N=${N} ${C}x${H}x${W} -> ${OC} p${padding}${shared ? ` ${shared} shared` : ''}` +
    `${pairs > 1 ? ' two pairs' : ''}${accumulate ? ' accumulate' : ''}`;

  const step = (
    kernel: Kernel,
    first: [string, readonly number[]],
    second: [string, readonly number[]],
    result: [string, readonly number[]],
    more: (r: Recorder) => Record<string, View> = () => ({}),
  ): OpCase => ({
    name: `${kernel.name} ${name}`,
    record(r) {
      const factor = ([name, shape]: [string, readonly number[]], which: string, suffix: string) => [
        name + suffix,
        r.external(name + suffix, shared === which ? 1 : P, shape),
      ];
      const factors = ['', '2']
        .slice(0, pairs)
        .flatMap((suffix) => [factor(first, 'first', suffix), factor(second, 'second', suffix)]);
      const [out, outShape] = result;
      const operands = { ...Object.fromEntries(factors), ...more(r), [out]: r.external(out, P, outShape) };
      r.push({ kernel, operands, sizes: geometry, constants: {}, accumulate });
    },
  });
  const members = shared === 'second' ? 1 : P;
  const transformed = (isTurned: boolean): OpCase => ({
    name: `winograd.weights ${name}${isTurned ? ' turned' : ''}`,
    record(r) {
      const views = {
        w: r.external('w', members, w),
        u: r.external('u', members, isTurned ? turned : u),
      };
      const sizes = { P: members, OC, C, turned: Number(isTurned) };
      r.push({ kernel: weightsKernel, operands: views, sizes, constants: {}, accumulate: false });
    },
  });
  return [
    ...(accumulate || pairs > 1 ? [] : [transformed(false), transformed(true)]),
    step(
      forwardKernel,
      ['x', x],
      ['u', u],
      ['y', y],
      (r): Record<string, View> => (accumulate ? {} : { b: r.external('b', members, [OC]) }),
    ),
    step(backwardInputKernel, ['yBar', y], ['u', turned], ['xBar', x]),
    step(backwardWeightKernel, ['x', x], ['yBar', y], ['wBar', w]),
  ];
}

export const cases: readonly OpCase[] = [
  { N: 2, C: 16, H: 8, W: 8, OC: 16, padding: 1 },
  { N: 3, C: 17, H: 7, W: 9, OC: 19, padding: 1 },
  { N: 2, C: 3, H: 6, W: 5, OC: 2, padding: 0, pairs: 2 as const },
  { N: 1, C: 5, H: 3, W: 10, OC: 33, padding: 2, accumulate: true },
  { P: 3, N: 2, C: 9, H: 5, W: 6, OC: 4, padding: 1, shared: 'first' as const },
  {
    P: 3,
    N: 2,
    C: 4,
    H: 4,
    W: 7,
    OC: 18,
    padding: 1,
    shared: 'second' as const,
    pairs: 2 as const,
    accumulate: true,
  },
  { P: 2, N: 1, C: 2, H: 1, W: 1, OC: 1, padding: 1, pairs: 2 as const },
].flatMap(casesOf);
