import { type MatrixProduct, withMatrixProduct } from '../engine/cpu/matrix.js';
import { LimbeckError } from '../util/errors.js';
import { expectArgument, shown } from '../util/expect.js';
import { type Dataset, type Split, splitNames, type Whitening } from './dataset.js';
import { expectDataset } from './expect-dataset.js';

/** The field's regularisation, for pixels in 0..1 (kornia's ZCAWhitening as trajectory matching uses it). */
const EPSILON = 0.1;
/** Images at a time: bounds the memory for their float64 copies. */
const CHUNK = 1024;
const MAX_PIXELS = 8192;
const MAX_ITERATIONS = 60;

/**
 * Regularised ZCA: every image x (pixels in 0..1, all channels together) becomes W (x - mean) with
 * W = (C + epsilon I)^(-1/2), C the covariance of the pixels over the training split (divided by count - 1). All splits
 * are whitened alike, as float32; `mean` and `std` become 0 and 1, so that nothing is normalised twice.
 *
 * Of the work for CIFAR (3072 pixels), nearly all is matrix products of the native engine.
 *
 * @throws ERR_DATA with fewer than two training images or more than 8192 values per image
 */
export async function whiten(dataset: Dataset, epsilon = EPSILON): Promise<Dataset> {
  expectDataset('whiten', dataset, splitNames);
  if (!(Number.isFinite(epsilon) && epsilon >= 0))
    throw new LimbeckError(
      'ERR_OPTION',
      `whiten: epsilon is ${shown(epsilon)}, expected a number of at least 0`,
    );
  const n = dataset.imageShape.reduce((a, b) => a * b, 1);
  if (dataset.train.count < 2 || n > MAX_PIXELS)
    throw new LimbeckError(
      'ERR_DATA',
      `${dataset.name}: ZCA needs at least 2 training images of at most ${MAX_PIXELS} values, there are ` +
        `${dataset.train.count} of ${n}; leave zca out, or give a smaller image size.`,
    );
  return withMatrixProduct(async (product) => {
    const mean = meanOf(dataset.train, n);
    const covariance = await covarianceOf(product, dataset.train, mean);
    for (let i = 0; i < n; i++) covariance[i * n + i] += epsilon;
    const { root, inverseRoot } = await squareRoots(product, covariance, n);
    const { train, validation, test } = dataset;
    const source = { train, validation, test };
    const [transform, inverse] = [inverseRoot, root].map((matrix) => Float32Array.from(matrix));
    const zca: Whitening = { epsilon, mean, transform, inverse, source };
    const apply = (split: Split) => whitenSplit(product, split, mean, inverseRoot);
    const channels = dataset.imageShape[0];
    return {
      ...dataset,
      mean: new Array(channels).fill(0),
      std: new Array(channels).fill(1),
      zca,
      train: await apply(train),
      validation: await apply(validation),
      test: await apply(test),
    };
  });
}

/**
 * Whitened images `[count, n]` as pictures, pixels mostly in 0..1, again: `mean + inverse z`.
 *
 * @throws ERR_SHAPE for images of another size
 */
export function unwhiten(zca: Whitening, images: Float32Array): Float32Array {
  expectArgument('unwhiten', 'zca', zca, 'inverse', 'what whitened a data set: its `zca`');
  const { mean, inverse } = zca;
  const n = mean?.length;
  if (!(n > 0) || inverse?.length !== n * n)
    throw new LimbeckError(
      'ERR_SHAPE',
      `unwhiten: zca has a mean of ${n} values and an inverse of ${inverse?.length}, expected some values and their square`,
    );
  if (!ArrayBuffer.isView(images) || images.length % n)
    throw new LimbeckError(
      'ERR_SHAPE',
      `unwhiten: images is ${ArrayBuffer.isView(images) ? `of ${images.length} values` : shown(images)}, expected a Float32Array of a multiple of ${n} values: whitened images, one after the other`,
    );
  const out = new Float32Array(images.length);
  for (let first = 0; first < images.length; first += n)
    for (let i = 0; i < n; i++) {
      let sum = mean[i];
      for (let j = 0; j < n; j++) sum += inverse[i * n + j] * images[first + j];
      out[first + i] = sum;
    }
  return out;
}

const scaleOf = (split: Split): number => (split.images instanceof Uint8Array ? 1 / 255 : 1);

function meanOf(split: Split, n: number): Float64Array {
  const mean = new Float64Array(n);
  for (let i = 0; i < split.images.length; i++) mean[i % n] += split.images[i];
  return mean.map((sum) => (sum * scaleOf(split)) / split.count);
}

async function covarianceOf(product: MatrixProduct, split: Split, mean: Float64Array): Promise<Float64Array> {
  const n = mean.length;
  const covariance = new Float64Array(n * n);
  const scale = scaleOf(split);
  for (let first = 0; first < split.count; first += CHUNK) {
    const depth = Math.min(CHUNK, split.count - first);
    const centred = new Float64Array(depth * n);
    for (let i = 0; i < centred.length; i++) centred[i] = split.images[first * n + i] * scale - mean[i % n];
    await product(centred, centred, covariance, { depth, m: n, n, symmetric: true });
  }
  return covariance.map((sum) => sum / (split.count - 1));
}

/**
 * The square root of a symmetric positive definite matrix and its inverse, by the coupled Newton-Schulz iteration
 * Y <- Y T, Z <- T Z with T = (3 I - Z Y) / 2 (Higham, Functions of Matrices, eq. 6.35), which is nothing but products.
 * They commute, so each is symmetric.
 */
async function squareRoots(
  product: MatrixProduct,
  matrix: Float64Array,
  n: number,
): Promise<{ root: Float64Array; inverseRoot: Float64Array }> {
  const times = async (a: Float64Array, b: Float64Array) => {
    const c = new Float64Array(n * n);
    await product(a, b, c, { depth: n, m: n, n, symmetric: true });
    return c;
  };
  // The Frobenius norm is no less than the largest eigenvalue: all of Y's lie in 0 .. 1, where the iteration converges.
  const norm = Math.sqrt(matrix.reduce((sum, value) => sum + value * value, 0));
  let y = matrix.map((value) => value / norm);
  let z = new Float64Array(n * n);
  for (let i = 0; i < n; i++) z[i * n + i] = 1;
  let previous = Number.POSITIVE_INFINITY;
  for (let iteration = 0; ; iteration++) {
    const t = await times(z, y);
    let distance = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const at = i * n + j;
        const identity = i === j ? 1 : 0;
        distance = Math.max(distance, Math.abs(t[at] - identity));
        t[at] = (3 * identity - t[at]) / 2;
      }
    // It ends where rounding no longer lets it improve; far from there it must improve.
    if (distance < 1e-10 || (distance < 1e-6 && distance >= previous)) break;
    if (!(distance < 1e6) || iteration === MAX_ITERATIONS)
      throw new LimbeckError(
        'ERR_DATA',
        `ZCA: the covariance of the pixels has no usable square root (residual ${distance}); give a larger epsilon.`,
      );
    previous = distance;
    [y, z] = [await times(y, t), await times(t, z)];
  }
  const scale = Math.sqrt(norm);
  return { root: y.map((value) => value * scale), inverseRoot: z.map((value) => value / scale) };
}

async function whitenSplit(
  product: MatrixProduct,
  split: Split,
  mean: Float64Array,
  transform: Float64Array,
): Promise<Split> {
  const n = mean.length;
  const scale = scaleOf(split);
  const images = new Float32Array(split.images.length);
  for (let first = 0; first < split.count; first += CHUNK) {
    const m = Math.min(CHUNK, split.count - first);
    // Pixels by images: the product takes its first matrix transposed.
    const columns = new Float64Array(n * m);
    for (let image = 0; image < m; image++)
      for (let i = 0; i < n; i++)
        columns[i * m + image] = split.images[(first + image) * n + i] * scale - mean[i];
    const whitened = new Float64Array(m * n);
    await product(columns, transform, whitened, { depth: n, m, n });
    images.set(whitened, first * n);
  }
  return { ...split, images };
}
