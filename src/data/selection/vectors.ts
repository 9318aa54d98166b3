/** Images of one class in float32, and where their number ends: `[count, pixels]`. */
export interface ClassImages {
  readonly label: number;
  readonly count: number;
  readonly pixels: number;
  readonly images: Float32Array;
}

export const rowOf = (images: Float32Array, row: number, pixels: number): Float32Array =>
  images.subarray(row * pixels, (row + 1) * pixels);

/** The rows named, one after another. */
export function rowsOf(images: Float32Array, rows: readonly number[], pixels: number): Float32Array {
  const out = new Float32Array(rows.length * pixels);
  for (const [at, row] of rows.entries()) out.set(rowOf(images, row, pixels), at * pixels);
  return out;
}

/** The mean image of a class, summed in float64. */
export function meanOf({ images, count, pixels }: ClassImages): Float64Array {
  const mean = new Float64Array(pixels);
  for (let i = 0; i < count; i++) for (let s = 0; s < pixels; s++) mean[s] += images[i * pixels + s];
  for (let s = 0; s < pixels; s++) mean[s] /= count;
  return mean;
}

/** `a · b` of `length` elements from the given places on, in float64 and in a fixed order (four sums). */
export function dot(
  a: Float32Array | Float64Array,
  fromA: number,
  b: Float32Array | Float64Array,
  fromB: number,
  length: number,
): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let s = 0;
  for (; s + 3 < length; s += 4) {
    s0 += a[fromA + s] * b[fromB + s];
    s1 += a[fromA + s + 1] * b[fromB + s + 1];
    s2 += a[fromA + s + 2] * b[fromB + s + 2];
    s3 += a[fromA + s + 3] * b[fromB + s + 3];
  }
  for (; s < length; s++) s0 += a[fromA + s] * b[fromB + s];
  return s0 + s1 + (s2 + s3);
}

/** `|a - b|²`, as `dot` reads its operands. */
export function squaredDistance(
  a: Float32Array | Float64Array,
  fromA: number,
  b: Float32Array | Float64Array,
  fromB: number,
  length: number,
): number {
  let [s0, s1] = [0, 0];
  let s = 0;
  for (; s + 3 < length; s += 4) {
    const d0 = a[fromA + s] - b[fromB + s];
    const d1 = a[fromA + s + 1] - b[fromB + s + 1];
    const d2 = a[fromA + s + 2] - b[fromB + s + 2];
    const d3 = a[fromA + s + 3] - b[fromB + s + 3];
    s0 += d0 * d0 + d2 * d2;
    s1 += d1 * d1 + d3 * d3;
  }
  for (; s < length; s++) s0 += (a[fromA + s] - b[fromB + s]) ** 2;
  return s0 + s1;
}
