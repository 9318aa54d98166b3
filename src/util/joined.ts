/** Arrays one after the other in a new one of this kind: `joined(Float32Array, parts)`. */
export function joined<Numbers extends Float32Array | Float64Array>(
  kind: new (length: number) => Numbers,
  parts: readonly ArrayLike<number>[],
): Numbers {
  const out = new kind(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** An array so many times over, in a new one of this kind: one network as several, say. */
export const repeated = <Numbers extends Float32Array | Float64Array>(
  kind: new (length: number) => Numbers,
  values: ArrayLike<number>,
  times: number,
): Numbers => joined(kind, new Array<ArrayLike<number>>(times).fill(values));
