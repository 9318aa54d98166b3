import { dot, rowOf } from '../data/selection/vectors.js';
import * as elementwise from '../engine/ops/elementwise.js';
import * as linear from '../engine/ops/linear.js';
import * as zoom from '../engine/ops/zoom.js';
import { elements, reshape } from '../engine/view.js';
import { streams } from '../train/streams.js';
import { whole } from '../util/option.js';
import { Stream } from '../util/random.js';
import { images, type Parametrisation, tooMany } from './parametrisation.js';
import { expectSubPictures, shrink } from './shrink.js';

const options = {
  images,
  factor: whole(
    2,
    'bases per side of a stored picture, each zoomed to the size of an image; 1 stores them whole',
  ),
};

/**
 * Every item is a sum of bases that all items of all classes share, by coefficients of its own:
 *
 *     item_n = gain sum over k of coefficients[n,k] basis_k     gain = 1 / sqrt(items x pixels)
 *
 * There are as many bases as the budget holds beside the coefficients. The gain makes items change about as much with each of the two
 * as with pixels; the rate that does best may differ (docs/results.md). First bases are orthonormal and near the principal directions of the first items.
 */
export const parametrisation: Parametrisation<typeof options> = {
  name: 'bases',
  source:
    'Deng, Russakovsky: Remember the Past: Distilling Datasets into Addressable Memories for Neural Networks, 2022',
  options,
  perPicture: ({ images }) => images,
  decoder(pictures, shape, { images, factor }) {
    expectSubPictures(factor, shape[1], shape[2]);
    const [N, D] = [pictures * images, elements(shape)];
    const sheets = Math.floor((pictures * D) / (D + N * factor ** 2));
    if (sheets < 1)
      throw tooMany(images, `${pictures * D} numbers hold a basis and a coefficient of each of ${N} images`);
    const K = sheets * factor ** 2;
    const gain = 1 / Math.sqrt(N * D);
    return {
      perPicture: images,
      variables: { bases: [sheets, ...shape], coefficients: [N, K] },
      encode: (items, { seed }) =>
        principal(items, { N, D, K, gain, seed }, (bases) => shrink(bases, shape, factor)),
      decode(r, { bases, coefficients }, bars) {
        const w = reshape(zoom.forward(r, { x: bases }, factor), [K, D]);
        const scaled = elementwise.add(r, { a: coefficients, b: coefficients }, gain, 0);
        const items = linear.backwardInput(r, { yBar: scaled, w });
        const itemsBar = bars && r.temporary('itemsBar', 1, [N, ...shape]);
        return {
          items: reshape(items, [N, ...shape]),
          itemsBar,
          backward() {
            if (!itemsBar) return;
            const yBar = reshape(itemsBar, [N, D]);
            const own = linear.forward(r, { x: yBar, w });
            elementwise.add(r, { a: own, b: own }, gain, 0, bars.coefficients);
            const wBar = linear.backwardWeight(r, { x: yBar, yBar: scaled });
            zoom.backward(r, { yBar: reshape(wBar, [K, ...shape]) }, factor, { into: bars.bases });
          },
        };
      },
    };
  },
};

/**
 * Orthonormal bases of random sums of the items, which span nearly what their first principal directions do (Halko et al. 2011), and
 * the items in them; both scaled to the same length, with the gain between them.
 */
function principal(
  items: Float32Array,
  { N, D, K, gain, seed }: { N: number; D: number; K: number; gain: number; seed: number },
  stored: (bases: Float32Array) => Float32Array,
): Record<string, Float32Array> {
  const bases = new Float32Array(K * D);
  const rows = Array.from({ length: K }, (_, k) => rowOf(bases, k, D));
  rows.forEach((row, k) => {
    const source = new Stream(seed, streams.bases, k);
    for (let n = 0; n < N; n++) add(row, source.normal(n), rowOf(items, n, D));
    // What is not in the items is noise: there may be more bases than items.
    if (!orthonormalise(row, rows.slice(0, k))) {
      for (let i = 0; i < D; i++) row[i] = source.normal(N + i);
      orthonormalise(row, rows.slice(0, k));
    }
  });
  const coefficients = new Float32Array(N * K);
  for (let n = 0; n < N; n++)
    for (let k = 0; k < K; k++) coefficients[n * K + k] = dot(rows[k], 0, items, n * D, D);
  const length = Math.sqrt(dot(coefficients, 0, coefficients, 0, N * K)) || 1;
  const [by, basesBy] = [1 / Math.sqrt(gain * length), Math.sqrt(length / gain)];
  return {
    bases: stored(bases.map((value) => value * basesBy)),
    coefficients: coefficients.map((value) => value * by),
  };
}

function add(to: Float32Array, factor: number, x: Float32Array): void {
  for (let i = 0; i < to.length; i++) to[i] += factor * x[i];
}

/** Makes a row orthogonal to those before it, twice because once leaves what rounding left, and of length 1; false where nothing is left. */
function orthonormalise(row: Float32Array, before: readonly Float32Array[]): boolean {
  const whole = dot(row, 0, row, 0, row.length);
  for (const _ of [1, 2]) for (const other of before) add(row, -dot(row, 0, other, 0, row.length), other);
  const left = dot(row, 0, row, 0, row.length);
  if (!(left > 1e-8 * whole)) return false;
  const by = 1 / Math.sqrt(left);
  for (let i = 0; i < row.length; i++) row[i] *= by;
  return true;
}
