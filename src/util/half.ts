/** The number that 16 bits of IEEE 754 half precision mean. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const bits = new DataView(new ArrayBuffer(8));

const exponentOf = (value: number): number => {
  bits.setFloat64(0, value);
  return ((bits.getUint16(0) >> 4) & 0x7ff) - 1023;
};

/** The 16 bits of half precision that are nearest to a number, of two the even ones. */
export function floatToHalf(value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  if (Number.isNaN(value)) return 0x7e00;
  const exponent = Math.max(-14, Math.min(16, exponentOf(value)));
  const exact = Math.abs(value) * 2 ** (10 - exponent);
  const down = Math.floor(exact);
  const up = exact - down > 0.5 || (exact - down === 0.5 && down % 2 === 1);
  return sign | Math.min(0x7c00, ((exponent + 14) << 10) + down + Number(up));
}

/** Numbers as half precision holds them. */
export const roundedToHalf = (values: Float32Array): Float32Array =>
  values.map((value) => halfToFloat(floatToHalf(value)));

/** Whether half precision holds all of them as they are. */
export const fitsHalf = (values: Float32Array): boolean =>
  values.every((value) => halfToFloat(floatToHalf(value)) === value);
