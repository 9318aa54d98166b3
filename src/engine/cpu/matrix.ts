import { LimbeckError } from '../../util/errors.js';
import { loadBinding, type MatrixSizes } from './binding.js';
import { findProcessors, threadsFor } from './processors.js';

/** c += transpose(a) b in float64: a `[depth, m]`, b `[depth, n]`, c `[m, n]`. */
export type MatrixProduct = (
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
  sizes: MatrixSizes,
) => Promise<void>;

/**
 * Gives `use` the native product, or one in TypeScript, a hundred times slower, where the addon cannot be loaded. Each
 * sum runs over the depth in order, whatever the number of threads.
 */
export async function withMatrixProduct<T>(use: (product: MatrixProduct) => Promise<T>): Promise<T> {
  let binding: ReturnType<typeof loadBinding>;
  try {
    binding = loadBinding();
  } catch {
    return use(plainProduct);
  }
  const isa = process.env.LIMBECK_ISA || binding.isas()[0];
  const device = new binding.NativeDevice(isa, threadsFor(findProcessors()));
  try {
    return await use((a, b, c, sizes) => binding.matrixProduct(device, a, b, c, sizes));
  } finally {
    device.free();
  }
}

/** Rows of products that TypeScript does in a minute or so. */
const plainLimit = 1024;

/** The definition of the native product, in TypeScript. ERR_DEVICE for products that would take it hours. */
export const plainProduct: MatrixProduct = async (a, b, c, { depth, m, n }) => {
  if (m > plainLimit)
    throw new LimbeckError(
      'ERR_DEVICE',
      `a product of ${m} rows needs the native engine, which cannot be loaded here: see \`limbeck devices\`, or leave out --zca`,
    );
  for (let i = 0; i < m; i++)
    for (let k = 0; k < depth; k++) {
      const factor = a[k * m + i];
      for (let j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
    }
};
