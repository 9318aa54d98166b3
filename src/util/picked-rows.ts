type Numbers = Uint8Array | Uint32Array | Float32Array;

/** These rows of an array whose rows have `size` numbers, one after another in a new one of its kind. */
export function pickedRows<T extends Numbers>(values: T, size: number, rows: ArrayLike<number>): T {
  const picked = new (values.constructor as new (length: number) => T)(rows.length * size);
  for (let i = 0; i < rows.length; i++)
    picked.set(values.subarray(rows[i] * size, (rows[i] + 1) * size), i * size);
  return picked;
}
