import { LimbeckError } from '../../util/errors.js';
import type { Kernel } from '../kernel.js';
import { destination, expectRank, expectShape, type Into, type OpCase, population } from '../op.js';
import type { Recorder } from '../program.js';
import { elements, type View } from '../view.js';

/**
 * Batches from a data set that lives on the engine. `index[b]` chooses rows; an index past the end takes the last
 * row on the fast engines and throws on the reference.
 *
 *     bytes    x[b,c,s] = data[index[b],c,s] * gain[c] + shift[c]      (u8 data; normalisation folded into gain, shift)
 *     floats   the same from f32 data
 *     oneHot   y[b,k] = 1 if labels[index[b]] is k, else 0             (u32 labels)
 *     words    x[b,l,w] = table[tokens[index[b],l],w]                  (u32 tokens: texts are kept as places in a table)
 *
 * data `[R, C, S]`, gain and shift `[C]`, index `[B]`, x `[B, C, S]` under any shape; labels `[R]`, y `[B, K]`; tokens `[R, L]`,
 * table `[V, W]`, x `[B, 1, L, W]`.
 */
function rowOf(index: number, rows: number): number {
  if (index >= rows)
    throw new LimbeckError('ERR_PROGRAM', `gather: index ${index} is past the end of ${rows} rows`);
  return index;
}

function affine(name: string): Kernel {
  return {
    name,
    operands: { data: 'read', index: 'read', gain: 'read', shift: 'read', x: 'write' },
    sizes: ['P', 'B', 'C', 'S', 'R'],
    constants: [],
    kind: 'multilinear',
    reduction: () => 2,
    flops: (s) => 2 * s.P * s.B * s.C * s.S,
    parts: (s) => ({ data: s.P * s.B * s.C * s.S }),
    reference({ data, index, gain, shift, x }, s) {
      for (let p = 0; p < s.P; p++) {
        const [dp, ip, gp, sp, xp] = [data(p), index(p), gain(p), shift(p), x(p)];
        for (let b = 0; b < s.B; b++) {
          const row = rowOf(ip[b], s.R);
          for (let c = 0; c < s.C; c++)
            for (let i = 0; i < s.S; i++)
              xp[(b * s.C + c) * s.S + i] = dp[(row * s.C + c) * s.S + i] * gp[c] + sp[c];
        }
      }
    },
  };
}

export const bytesKernel: Kernel = affine('gather.bytes');
export const floatsKernel: Kernel = affine('gather.floats');

export const oneHotKernel: Kernel = {
  name: 'gather.oneHot',
  operands: { labels: 'read', index: 'read', y: 'write' },
  sizes: ['P', 'B', 'K', 'R'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  parts: (s) => ({ labels: s.P * s.B }),
  reference({ labels, index, y }, s) {
    for (let p = 0; p < s.P; p++) {
      const [lp, ip, yp] = [labels(p), index(p), y(p)];
      for (let b = 0; b < s.B; b++)
        for (let k = 0; k < s.K; k++) yp[b * s.K + k] = lp[rowOf(ip[b], s.R)] === k ? 1 : 0;
    }
  },
};

export const wordsKernel: Kernel = {
  name: 'gather.words',
  operands: { tokens: 'read', table: 'read', index: 'read', x: 'write' },
  sizes: ['P', 'B', 'L', 'W', 'R', 'V'],
  constants: [],
  kind: 'exact',
  reduction: () => 1,
  flops: () => 0,
  parts: (s) => ({ tokens: s.P * s.B * s.L, table: s.P * s.B * s.L * s.W }),
  reference({ tokens, table, index, x }, s) {
    for (let p = 0; p < s.P; p++) {
      const [tp, ep, ip, xp] = [tokens(p), table(p), index(p), x(p)];
      for (let b = 0; b < s.B; b++) {
        const row = rowOf(ip[b], s.R);
        for (let l = 0; l < s.L; l++) {
          const word = rowOf(tp[row * s.L + l], s.V);
          for (let w = 0; w < s.W; w++) xp[(b * s.L + l) * s.W + w] = ep[word * s.W + w];
        }
      }
    }
  },
};

/** A normalised batch `[B, ...shape of an image]` from images `[R, C, H, W]` kept as bytes or floats. */
export function images(
  r: Recorder,
  { data, index, gain, shift }: { data: View; index: View; gain: View; shift: View },
  to: Into = {},
): View {
  const kernel = data.slot.dtype === 'u8' ? bytesKernel : floatsKernel;
  expectRank(kernel.name, 'index', index, 'B');
  const [R, C, ...map] = data.shape;
  const [B] = index.shape;
  expectShape(kernel.name, 'gain', gain, [C], 'because the images have that many channels');
  expectShape(kernel.name, 'shift', shift, [C], 'because the images have that many channels');
  const P = population(kernel.name, { data, index });
  const x = destination(r, kernel.name, 'x', P, [B, C, ...map], to);
  const sizes = { P, B, C, S: elements(map), R };
  r.push({ kernel, operands: { data, index, gain, shift, x }, sizes, constants: {}, accumulate: false });
  return x;
}

/** One-hot labels `[B, K]` from class numbers `[R]`. */
export function oneHot(
  r: Recorder,
  { labels, index }: { labels: View; index: View },
  K: number,
  to: Into = {},
): View {
  const op = oneHotKernel.name;
  expectRank(op, 'labels', labels, 'R');
  expectRank(op, 'index', index, 'B');
  const P = population(op, { labels, index });
  const B = index.shape[0];
  const y = destination(r, op, 'y', P, [B, K], to);
  const sizes = { P, B, K, R: labels.shape[0] };
  r.push({ kernel: oneHotKernel, operands: { labels, index, y }, sizes, constants: {}, accumulate: false });
  return y;
}

/** Embedded texts `[B, 1, L, W]` from texts `[R, L]`, each word of them a row of a table `[V, W]`. */
export function words(
  r: Recorder,
  { tokens, table, index }: { tokens: View; table: View; index: View },
  to: Into = {},
): View {
  const op = wordsKernel.name;
  expectRank(op, 'tokens', tokens, 'R L');
  expectRank(op, 'table', table, 'V W');
  expectRank(op, 'index', index, 'B');
  const P = population(op, { tokens, table, index });
  const [R, L] = tokens.shape;
  const [V, W] = table.shape;
  const [B] = index.shape;
  const x = destination(r, op, 'x', P, [B, 1, L, W], to);
  const sizes = { P, B, L, W, R, V };
  r.push({
    kernel: wordsKernel,
    operands: { tokens, table, index, x },
    sizes,
    constants: {},
    accumulate: false,
  });
  return x;
}

export const cases: readonly OpCase[] = [1, 3].flatMap((P): OpCase[] => {
  const rows = 23;
  const fill = {
    index: { kind: 'below', limit: rows } as const,
    data: { kind: 'below', limit: 256 } as const,
    labels: { kind: 'below', limit: 4 } as const,
  };
  return [
    ...(['u8', 'f32'] as const).map((dtype) => ({
      name: `gather.${dtype === 'u8' ? 'bytes' : 'floats'} P=${P}`,
      fill,
      record(r: Recorder) {
        images(
          r,
          {
            data: r.external('data', 1, [rows, 3, 5, 7], dtype),
            index: r.external('index', P, [9], 'u32'),
            gain: r.external('gain', 1, [3]),
            shift: r.external('shift', 1, [3]),
          },
          { into: r.external('x', P, [9, 3, 5, 7]) },
        );
      },
    })),
    {
      name: `gather.oneHot P=${P}`,
      fill,
      record(r: Recorder) {
        const operands = {
          labels: r.external('labels', 1, [rows], 'u32'),
          index: r.external('index', P, [9], 'u32'),
        };
        oneHot(r, operands, 4, { into: r.external('y', P, [9, 4]) });
      },
    },
    {
      name: `gather.words P=${P}`,
      fill: { index: fill.index, tokens: { kind: 'below', limit: 11 } },
      record(r: Recorder) {
        const operands = {
          tokens: r.external('tokens', 1, [rows, 5], 'u32'),
          table: r.external('table', 1, [11, 7]),
          index: r.external('index', P, [9], 'u32'),
        };
        words(r, operands, { into: r.external('x', P, [9, 1, 5, 7]) });
      },
    },
  ];
});
